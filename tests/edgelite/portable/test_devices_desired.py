"""The tables of a desired value, cell by cell, and what leads into them."""

from device_fakes import FakeDriver, property_row

from edgelite.devices import desired as d
from edgelite.devices.config import parse_device
from edgelite_protocol import messages

STATES = (d.NONE, d.UNREAD, d.WRITING, d.READING_BACK, d.FAILED, d.SETTLED, d.IMPOSSIBLE, d.EXPIRED)
EVENTS = (d.EQUAL, d.DIFFERENT, d.NO_VALUE, d.WRITTEN, d.REFUSED, d.RETRY, d.EXPIRES, d.UNDATED)

# One row a state, one column an event: the state that follows and the action; "" where nothing changes.
EXPECTED = (
    # EQUAL, DIFFERENT, NO_VALUE, WRITTEN, REFUSED, RETRY, EXPIRES, UNDATED
    ("", "", "", "", "", "", "", ""),
    ("settled keep", "writing write", "failed", "", "", "", "expired", "failed"),
    ("", "", "", "reading back read", "failed", "", "", ""),
    ("settled keep", "failed", "failed", "", "", "", "", ""),
    ("settled keep", "", "", "", "", "unread read", "expired", ""),
    ("", "", "", "", "", "", "", ""),
    ("", "", "", "", "", "", "", ""),
    ("", "", "", "", "", "", "", ""),
)

ORIGINS = (d.NOBODY, d.HUB, d.LOCAL, d.FAIL_SAFE)
NEWS = (d.HUB_WANTS, d.HUB_WANTS_LATE, d.HUB_WITHDRAWS, d.LOCAL_WANTS, d.HUB_LOST, d.HUB_BACK)

# One row an origin, one column what may change it: whose word counts then; "=" where the one before goes on.
WHOSE = (
    # HUB_WANTS, HUB_WANTS_LATE, HUB_WITHDRAWS, LOCAL_WANTS, HUB_LOST, HUB_BACK
    (d.HUB, d.HUB, "=", d.LOCAL, d.FAIL_SAFE, "="),
    (d.HUB, d.HUB, d.NOBODY, d.LOCAL, d.FAIL_SAFE, "="),
    (d.HUB, "=", "=", d.LOCAL, "=", "="),
    (d.HUB, "=", "=", d.LOCAL, "=", d.HUB),
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


def test_every_cell_of_whose_word_counts():
    for row, origin in enumerate(ORIGINS):
        for column, news in enumerate(NEWS):
            assert d.WHOSE.get((origin, news), "=") == WHOSE[row][column], (origin, news)


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
    assert desired.want(property_of(desired="5", desired_version=9)), "desired anew"


def test_the_same_text_at_another_time_is_another_wish():
    desired = d.Desired()
    assert desired.want(property_of(desired="5", desired_version=1, desired_time=1000))
    desired.happen(d.EQUAL, "", 0)
    assert not desired.want(property_of(desired="5", desired_version=2, desired_time=1000))
    assert desired.want(property_of(desired="5", desired_version=3, desired_time=2000))


def test_the_hub_s_old_wish_does_not_come_back_over_a_local_one():
    property = property_of(desired="5", desired_version=1, desired_time=1000)
    desired = d.Desired()
    desired.want(property)
    assert desired.want_locally(property, "7")
    assert (desired.origin, desired.text) == (d.LOCAL, "7")
    assert not desired.want(property_of(desired="5", desired_version=2, desired_time=1000))
    assert desired.text == "7"
    assert not desired.want_locally(property, "7"), "on its way already"
    assert not desired.want(property_of()) and desired.text == "7", "the hub has nothing to withdraw"
    assert desired.want(property_of(desired="5", desired_version=9, desired_time=9000))
    assert (desired.origin, desired.text) == (d.HUB, "5")


def test_a_wish_that_comes_too_late_changes_no_other() -> None:
    late = property_of(desired="5", desired_version=1, desired_time=1000)
    desired = d.Desired()
    assert not desired.want(late, True)
    assert (desired.origin, desired.state, desired.error) == (d.HUB, d.EXPIRED, d.EXPIRED_TEXT)
    other = d.Desired()
    other.want_locally(late, "7")
    assert not other.want(late, True)
    assert (other.origin, other.text, other.state) == (d.LOCAL, "7", d.UNREAD)
