"""The table of a desired value, cell by cell, and what leads into it."""

from device_fakes import FakeDriver, property_row

from edgelite.devices import desired as d
from edgelite.devices.config import parse_device
from edgelite_protocol import messages

STATES = (d.NONE, d.UNREAD, d.WRITING, d.READING_BACK, d.FAILED, d.SETTLED, d.IMPOSSIBLE)
EVENTS = (d.EQUAL, d.DIFFERENT, d.NO_VALUE, d.WRITTEN, d.REFUSED, d.RETRY)

# One row a state, one column an event: the state that follows and the action; "" where nothing changes.
EXPECTED = (
    # EQUAL, DIFFERENT, NO_VALUE, WRITTEN, REFUSED, RETRY
    ("", "", "", "", "", ""),
    ("settled keep", "writing write", "failed", "", "", ""),
    ("", "", "", "reading back read", "failed", ""),
    ("settled keep", "failed", "failed", "", "", ""),
    ("settled keep", "", "", "", "", "unread read"),
    ("", "", "", "", "", ""),
    ("", "", "", "", "", ""),
)


def property_of(property_type="INT", **options):
    options["writable"] = options.get("writable", True)
    device = {messages.DEVICE_UID: "u", messages.DEVICE_PROPERTIES: [property_row("p", property_type, **options)]}
    return parse_device(device, FakeDriver({})).properties[0]


def test_every_cell_of_the_table():
    for row, state in enumerate(STATES):
        for column, event in enumerate(EVENTS):
            expected = EXPECTED[row][column]
            desired = d.Desired()
            desired.state = state
            action = desired.happen(event, "why", 0)
            text = (desired.state + " " + action).strip() if desired.state != state or action else ""
            assert text == expected, (state, event, text)


def test_tries_that_fail_come_further_and_further_apart():
    desired = d.Desired()
    assert desired.want(property_of(desired="5", desired_version=1))
    pauses = []
    for _ in range(10):
        desired.state = d.WRITING
        desired.happen(d.REFUSED, "exception", 1000)
        pauses.append(desired.retry_ms - 1000)
    assert pauses[:3] == [5000, 10_000, 20_000] and pauses[-1] == d.RETRY_MS_MAX
    assert desired.error == "exception"


def test_what_can_never_be_written_says_why():
    rows = (
        (property_of(writable=False, desired="5"), "the property is read-only"),
        (property_of(desired="five"), 'an INT is a decimal integer, not "five"'),
        (property_of("BOOLEAN", desired="on"), 'a BOOLEAN is true or false, not "on"'),
        (property_of(desired="11", maximum="10"), "11 is above the maximum 10.0"),
        (property_of(desired="-1", minimum="0"), "-1 is below the minimum 0.0"),
    )
    for property, error in rows:
        desired = d.Desired()
        assert not desired.want(property)
        assert (desired.state, desired.error) == (d.IMPOSSIBLE, error)


def test_limits_themselves_are_allowed():
    for text in ("0", "10"):
        assert d.Desired().want(property_of(desired=text, minimum="0", maximum="10"))


def test_an_older_version_is_not_taken_and_a_newer_one_of_the_same_value_changes_nothing():
    desired = d.Desired()
    assert desired.want(property_of(desired="5", desired_version=7))
    assert not desired.want(property_of(desired="4", desired_version=6))
    assert (desired.text, desired.version) == ("5", 7)
    desired.happen(d.EQUAL, "", 0)
    assert not desired.want(property_of(desired="5", desired_version=8))
    assert (desired.state, desired.version) == (d.SETTLED, 8)
    assert desired.want(property_of(desired="6", desired_version=9))


def test_a_desired_value_can_be_withdrawn():
    desired = d.Desired()
    desired.want(property_of(desired="5", desired_version=7))
    assert not desired.want(property_of())
    assert (desired.state, desired.text) == (d.NONE, None)
