"""Twins as others on the node use them: watching, desired values from here, devices whose driver is a program."""

from device_fakes import FakeDriver, Recorder, device_map, property_row

import edgelite_drivers.mapper
from edgelite.devices import Devices
from edgelite.devices.watch import Watcher
from edgelite.driver import ConfigurationError
from edgelite_protocol import messages

KEY = "default/meter"


class Notes(Watcher):
    def __init__(self):
        self.taken = []

    def take(self):
        taken, self.taken = self.taken, []
        return taken

    def device_added(self, key):
        self.taken.append("+" + key)

    def device_removed(self, key):
        self.taken.append("-" + key)

    def state_changed(self, key):
        self.taken.append(key)

    def twin_changed(self, key, name):
        self.taken.append(key + "/" + name)


class Place:
    def __init__(self, holds, rows, driver="fake"):
        self.recorder = Recorder()
        self.fake = FakeDriver(holds)
        self.bus = self.fake.bus
        self.devices = Devices(self.recorder.context, self.load)
        self.devices.set_desired(KEY, device_map(rows, driver), 0)

    def load(self, name):
        return edgelite_drivers.mapper if name == "mapper" else self.fake

    def refused(self, call, *arguments):
        try:
            call(*arguments)
        except ConfigurationError as error:
            return str(error)
        return ""


def test_a_watcher_is_told_of_what_there_is_and_of_what_changes_once():
    place = Place({"a": 1, "b": 2}, [property_row("a"), property_row("b", collect_ms=5000)])
    notes = Notes()
    place.devices.add_watcher(notes)
    assert notes.take() == ["+" + KEY]
    place.devices.step(0)
    assert sorted(notes.take()) == [KEY, KEY + "/a", KEY + "/b"]
    place.devices.step(1000)
    assert notes.take() == [], "nothing has changed"
    place.bus.holds["a"] = 7
    place.devices.step(2000)
    assert notes.take() == [KEY + "/a"]
    place.bus.silent = True
    place.devices.step(3000)
    assert notes.take() == [KEY, KEY + "/a"]
    view = place.devices.view(KEY)
    assert (view.state, view.reason, view.last_online_ms) == ("offline", "no answer within 1000 ms", 2000)
    assert (view.twins["a"].value, view.twins["a"].quality) == (7, "bad")
    place.devices.set_desired("default/other", device_map([]), 4000)
    place.devices.set_desired(KEY, None, 4000)
    assert notes.take() == ["+default/other", "-" + KEY]
    assert place.devices.view(KEY) is None and place.devices.keys() == ["default/other"]


def test_a_value_desired_here_is_read_written_and_read_back():
    place = Place({"a": 1}, [property_row("a", writable=True, maximum="10")])
    place.devices.step(0)
    notes = Notes()
    place.devices.add_watcher(notes)
    place.devices.want_locally(KEY, "a", "5", 100)
    place.devices.step(100)
    assert place.bus.writes == [("a", 5)]
    assert set(notes.take()) == {"+" + KEY, KEY + "/a"}
    assert place.devices.view(KEY).twins["a"].desired.state == "settled"


def test_what_cannot_be_desired_here_says_why():
    place = Place({"a": 1, "b": 1}, [property_row("a", writable=True, maximum="10"), property_row("b")])
    want = place.devices.want_locally
    rows = (
        (("default/none", "a", "5", 0), "device: there is no device default/none on this node"),
        ((KEY, "c", "5", 0), "c: device default/meter has no such property"),
        ((KEY, "a", "11", 0), "desired.value: 11 is above the maximum 10.0"),
        ((KEY, "a", "x", 0), 'desired.value: an INT is a decimal integer, not "x"'),
        ((KEY, "b", "5", 0), "desired.value: the property is read-only"),
    )
    for arguments, text in rows:
        assert place.refused(want, *arguments) == text
    place.devices.step(0)
    assert place.bus.writes == []


def test_a_program_reports_values_and_state_of_its_device():
    place = Place({}, [property_row("a", writable=True), property_row("b", "FLOAT")], "mapper")
    assert place.devices.step(0) is None
    place.devices.report_locally(KEY, "a", "4", 1000)
    place.devices.report_locally(KEY, "b", "2.5", 1000)
    place.devices.step(1000)
    assert place.recorder.telemetry() == [{"a": 4}, {"b": 2.5}]
    assert place.recorder.states() == [("online", "")]
    assert [body[messages.TWIN_REPORTED] for body in place.recorder.twins()] == ["4", "2.5"]
    place.devices.state_locally(KEY, "unknown", 20_000)
    place.devices.step(20_000)
    assert place.recorder.states() == [("offline", "its program does not know its state")]


def test_a_program_settles_what_is_desired_of_its_device():
    rows = [property_row("a", writable=True, desired="5", desired_version=1)]
    place = Place({}, rows, "mapper")
    notes = Notes()
    place.devices.add_watcher(notes)
    place.devices.report_locally(KEY, "a", "4", 1000)
    desired = place.devices.view(KEY).twins["a"].desired
    assert (desired.state, desired.text) == ("unread", "5")
    place.devices.report_locally(KEY, "a", "5", 2000)
    assert desired.state == "settled"
    place.devices.want_locally(KEY, "a", "6", 3000)
    assert desired.state == "unread"
    place.devices.report_locally(KEY, "a", "6", 4000)
    place.devices.step(4000)
    assert desired.state == "settled"
    assert place.recorder.twins()[-1][messages.TWIN_DESIRED] == "6"


def test_what_a_program_may_not_report_says_why():
    place = Place({"a": 1}, [property_row("a")])
    assert "only protocolName mapper" in place.refused(place.devices.report_locally, KEY, "a", "1", 0)
    mapped = Place({}, [property_row("a"), property_row("s", "STRING")], "mapper")
    assert mapped.refused(mapped.devices.report_locally, KEY, "a", "1.5", 0).startswith("a: an INT is")
    assert "is no STRING" in mapped.refused(mapped.devices.report_locally, KEY, "s", "x" * 3000, 0)
    assert "must be one of" in mapped.refused(mapped.devices.state_locally, KEY, "broken", 0)
    mapped.devices.step(0)
    assert mapped.recorder.reports == []
