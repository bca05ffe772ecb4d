"""Devices as the node sees them: configuration in, reports and effects out."""

from device_fakes import FakeDriver, FakeJournal, Recorder, device_map, property_row

from edgelite.devices import Devices
from edgelite.devices.lines import key_of
from edgelite.effects import Close, Open
from edgelite_protocol import messages

KEY = "default/meter"


class Bench:
    """`rows` of one device on a driver whose device holds `holds`."""

    def __init__(self, holds, rows, journal=None):
        self.recorder = Recorder(journal)
        self.driver = FakeDriver(holds)
        self.bus = self.driver.bus
        self.devices = Devices(self.recorder.context, self.load)
        self.set(rows)

    def load(self, name):
        if name != "fake":
            raise ImportError("no module named " + name)
        return self.driver

    def set(self, rows, now_ms=0, **options):
        self.devices.set_desired(KEY, device_map(rows, **options), now_ms)

    def run(self, from_ms, to_ms, step_ms=1000):
        for now_ms in range(from_ms, to_ms, step_ms):
            self.devices.step(now_ms)


def test_properties_of_one_cycle_share_a_request():
    rows = [property_row("a"), property_row("b"), property_row("c", collect_ms=5000)]
    bench = Bench({"a": 1, "b": 2, "c": 3}, rows)
    bench.bus.automatic = False
    assert bench.devices.step(0) == 1000
    assert [sorted(request.visitors) for request in bench.bus.requests] == [["a", "b"], ["c"]]
    bench.bus.answer(1)
    bench.bus.answer(2)
    bench.devices.step(2)
    bench.run(1000, 5000)
    assert [sorted(request.visitors) for request in bench.bus.requests] == [["a", "b"]], "one in flight at a time"


def test_a_value_within_its_deadband_costs_nothing():
    bench = Bench({"a": 20.0}, [property_row("a", "FLOAT", deadband=1.0)])
    bench.run(0, 3000)
    assert bench.recorder.telemetry() == [{"a": 20.0}]
    assert len(bench.recorder.twins()) == 1 and len(bench.recorder.states()) == 1
    bench.run(3000, 200_000)
    assert bench.recorder.reports == [] and bench.recorder.journal.writes == 0
    bench.bus.holds["a"] = 22.0
    bench.run(200_000, 203_000)
    assert bench.recorder.reports[0][1][messages.TELEMETRY_VALUES] == {"a": 22.0}
    assert len(bench.recorder.reports) == 1, "the twin's value goes up with the telemetry, not again by itself"


def test_a_counter_is_reported_once_a_reading_and_its_twin_only_at_first():
    bench = Bench({"a": 0}, [property_row("a")])
    for second in range(10):
        bench.bus.holds["a"] = second
        bench.devices.step(1000 * second)
    assert [values["a"] for values in bench.recorder.telemetry()] == list(range(10))
    (twin,) = bench.recorder.twins()
    assert twin[messages.TWIN_REPORTED] == "0"
    assert twin[messages.TWIN_VERSION] == 7 << 20 | 1


def test_reports_carry_their_lanes_and_keys():
    bench = Bench({"a": 5}, [property_row("a")])
    bench.devices.step(0)
    keys = sorted((lane, key or "") for lane, _, key in bench.recorder.reports)
    assert keys == [(0, "d/default/meter"), (0, "t/default/meter/a"), (1, "")]


def test_a_bad_property_is_told_once_and_the_others_go_on():
    bench = Bench({"a": 1, "b": 2}, [property_row("a"), property_row("b")])
    bench.bus.errors["b"] = "Modbus exception 2: illegal data address"
    bench.run(0, 5000)
    assert bench.recorder.telemetry() == [{"a": 1}] * 5
    twins = {twin[messages.TWIN_PROPERTY]: twin for twin in bench.recorder.twins()}
    assert twins["a"][messages.TWIN_QUALITY] == "good"
    assert twins["b"][messages.TWIN_QUALITY] == "bad"
    assert twins["b"][messages.TWIN_ERROR] == "Modbus exception 2: illegal data address"
    assert messages.TWIN_REPORTED not in twins["b"]
    assert bench.recorder.states() == [("online", "")]


def test_a_recovered_value_is_reported_within_its_deadband_too():
    bench = Bench({"a": 1.0}, [property_row("a", "FLOAT", deadband=5.0)])
    bench.devices.step(0)
    bench.bus.errors["a"] = "Modbus exception 4: server device failure"
    bench.run(60_000, 62_000)
    bench.bus.errors = {}
    bench.recorder.telemetry()
    bench.run(62_000, 64_000)
    assert bench.recorder.telemetry() == [{"a": 1.0}]


def test_a_flapping_quality_is_held_and_ends_with_the_latest():
    bench = Bench({"a": 1}, [property_row("a")])
    told = []
    for second in range(600):
        bench.bus.errors = {"a": "noise"} if second % 2 else {}
        bench.devices.step(1000 * second)
        told += [(second, twin[messages.TWIN_QUALITY]) for twin in bench.recorder.twins()]
    assert len(told) <= 11, told
    bench.bus.errors = {}
    bench.run(600_000, 680_000)
    assert bench.recorder.twins()[-1][messages.TWIN_QUALITY] == "good"


def test_a_silent_device_is_offline_with_the_reason_until_it_answers():
    bench = Bench({"a": 1}, [property_row("a")])
    bench.run(0, 2000)
    bench.bus.silent = True
    bench.run(20_000, 60_000)
    bench.bus.silent = False
    bench.run(60_000, 62_000)
    assert bench.recorder.states() == [("online", ""), ("offline", "no answer within 1000 ms"), ("online", "")]


def test_a_bad_configuration_is_unhealthy_and_disturbs_nothing_else():
    bench = Bench({"a": 1}, [property_row("a")])
    bench.devices.set_desired("default/other", device_map([property_row("b", visitor={"offset": -1})]), 0)
    bench.devices.set_desired("default/third", device_map([], driver="serial"), 0)
    bench.devices.set_desired("default/fourth", device_map([], driver="../os"), 0)
    bench.run(0, 3000)
    states = {body[messages.DEVICE_STATE_DEVICE]: body for body in bench.recorder.take(messages.REPORT_DEVICE)}
    reasons = {key: states[key].get(messages.DEVICE_STATE_REASON, "") for key in states}
    assert states[KEY][messages.DEVICE_STATE] == "online"
    assert states["default/other"][messages.DEVICE_STATE] == "unhealthy"
    assert reasons["default/other"].startswith("properties[0].visitors.configData.offset: ")
    assert reasons["default/third"].startswith("protocol.protocolName: no driver serial here")
    assert reasons["default/fourth"].startswith("protocol.protocolName: is no driver's name")
    assert bench.recorder.telemetry() == [{"a": 1}] * 3
    bench.devices.set_desired("default/other", device_map([property_row("a")]), 13_000)
    bench.run(13_000, 15_000)
    assert ("online", "") in bench.recorder.states()


def test_a_good_device_that_turns_bad_stops_collecting():
    bench = Bench({"a": 1}, [property_row("a")])
    bench.devices.step(0)
    bench.set([property_row("a", visitor={"offset": -1})], 20_000)
    bench.run(20_000, 23_000)
    assert bench.recorder.states()[-1][0] == "unhealthy"
    assert len(bench.recorder.telemetry()) == 1


def test_a_change_leaves_the_schedule_of_the_others_alone():
    bench = Bench({"a": 1, "b": 2}, [property_row("a", collect_ms=10_000, deadband=0)])
    bench.devices.step(0)
    bench.set([property_row("a", collect_ms=10_000, deadband=0), property_row("b", collect_ms=4000)], 3000)
    assert bench.devices.step(3000) == 7000
    bench.run(4000, 10_000)
    assert bench.recorder.telemetry() == [{"a": 1}, {"b": 2}, {"b": 2}]
    assert bench.devices.step(10_000) == 11_000
    assert bench.recorder.telemetry() == [], "a was read again, on its old grid, and has not changed"


def test_a_reading_in_flight_survives_an_edit_of_the_device():
    bench = Bench({"a": 41}, [property_row("a")])
    bench.bus.automatic = False
    bench.devices.step(0)
    bench.set([property_row("a", deadband=0)], 5)
    bench.bus.answer(7)
    bench.devices.step(7)
    assert bench.recorder.telemetry() == [{"a": 41}], "an answered reading was lost"


def test_a_desired_value_is_read_written_and_read_back():
    bench = Bench({"a": 1}, [property_row("a", writable=True, desired="5", desired_version=3)])
    bench.devices.step(0)
    assert bench.bus.writes == [("a", 5)]
    (twin,) = bench.recorder.twins()
    assert (twin[messages.TWIN_REPORTED], twin[messages.TWIN_DESIRED]) == ("5", "5")
    assert twin[messages.TWIN_DESIRED_VERSION] == 3 and messages.TWIN_ERROR not in twin
    assert [values["a"] for values in bench.recorder.telemetry()] == [1, 5]
    bench.run(1000, 100_000)
    assert len(bench.bus.writes) == 1


def test_what_is_already_so_is_not_written():
    bench = Bench({"a": 5}, [property_row("a", writable=True, desired="5", desired_version=3)])
    bench.run(0, 3000)
    assert bench.bus.writes == []
    assert bench.recorder.journal.writes == 1


def test_a_settled_value_stays_settled_over_a_restart():
    journal = FakeJournal()
    rows = [property_row("a", writable=True, desired="5", desired_version=3)]
    Bench({"a": 1}, rows, journal).run(0, 2000)
    bench = Bench({"a": 9}, rows, journal)  # somebody turned the knob meanwhile
    bench.run(0, 3000)
    assert bench.bus.writes == [] and journal.writes == 1
    bench.set([property_row("a", writable=True, desired="6", desired_version=4)], 3000)
    bench.run(3000, 5000)
    assert bench.bus.writes == [("a", 6)]


def test_a_new_device_of_the_same_name_is_not_settled():
    journal = FakeJournal()
    rows = [property_row("a", writable=True, desired="5", desired_version=3)]
    Bench({"a": 1}, rows, journal).run(0, 2000)
    bench = Bench({"a": 9}, [], journal)
    bench.set(rows, uid="u-2")
    bench.run(0, 2000)
    assert bench.bus.writes == [("a", 5)]


def test_a_new_desired_value_does_not_wait_for_the_next_collection():
    bench = Bench({"a": 1}, [property_row("a", writable=True, collect_ms=3_600_000)])
    bench.devices.step(0)
    bench.set([property_row("a", writable=True, collect_ms=3_600_000, desired="5", desired_version=2)], 10_000)
    bench.devices.step(10_000)
    assert bench.bus.writes == [("a", 5)]


def test_a_device_that_clamps_is_reported_and_not_worn_out():
    bench = Bench({"a": 1}, [property_row("a", writable=True, desired="50", desired_version=1)])
    bench.bus.clamp = 30
    bench.run(0, 600_000)
    assert 3 <= len(bench.bus.writes) <= 9, bench.bus.writes
    twin = bench.recorder.twins()[-1]
    assert twin[messages.TWIN_QUALITY] == "good"
    assert twin[messages.TWIN_ERROR] == "desired 50 is not applied: the device holds another value after it was written"


def test_a_write_that_fails_while_the_device_is_away_is_done_when_it_is_back():
    bench = Bench({"a": 1}, [property_row("a", writable=True, desired="5", desired_version=1)])
    bench.bus.silent = True
    bench.run(0, 100_000)
    assert bench.bus.writes == []
    bench.bus.silent = False
    bench.run(100_000, 300_000)
    assert bench.bus.writes == [("a", 5)]
    assert messages.TWIN_ERROR not in bench.recorder.twins()[-1]


def test_an_impossible_desired_value_is_an_error_in_the_twin():
    bench = Bench({"a": 1}, [property_row("a", desired="5", desired_version=1)])
    bench.run(0, 3000)
    (twin,) = bench.recorder.twins()
    assert twin[messages.TWIN_ERROR] == "desired 5 is not applied: the property is read-only"
    assert bench.bus.writes == []


def test_a_property_that_stays_on_the_node_has_no_value_in_reports():
    bench = Bench({"a": 1}, [property_row("a", report_to_cloud=False)])
    bench.run(0, 5000)
    assert bench.recorder.telemetry() == []
    (twin,) = bench.recorder.twins()
    assert messages.TWIN_REPORTED not in twin and twin[messages.TWIN_QUALITY] == "good"


def test_devices_of_one_target_share_a_bus_and_the_last_one_closes_it():
    bench = Bench({"a": 1}, [property_row("a")])
    bench.bus.wants_open = lambda now_ms: True
    bench.devices.set_desired("default/second", device_map([property_row("a")]), 0)
    bench.devices.step(0)
    bench.devices.step(1)
    (opened,) = bench.recorder.effects
    assert isinstance(opened, Open) and opened.target == ("tcp", "127.0.0.1", 502)
    assert len(bench.devices.buses()) == 1
    bench.devices.set_desired("default/second", None, 2)
    assert len(bench.recorder.effects) == 1
    bench.devices.set_desired(KEY, None, 3)
    assert isinstance(bench.recorder.effects[1], Close) and bench.recorder.effects[1].channel is opened.channel
    assert bench.devices.step(4) is None


def test_a_deleted_device_leaves_nothing_in_the_journal_and_its_late_results_go_nowhere():
    bench = Bench({"a": 1}, [property_row("a", writable=True, desired="5", desired_version=1)])
    bench.run(0, 2000)
    assert len(bench.recorder.journal.kept) == 1
    bench.bus.automatic = False
    bench.devices.step(2000)
    bench.devices.set_desired("default/keeper-of-the-bus", device_map([]), 2001)
    bench.recorder.reports = []
    bench.devices.set_desired(KEY, None, 2002)
    bench.bus.answer(2003)
    bench.devices.step(2004)
    assert bench.recorder.journal.kept == {} and bench.recorder.reports == []


def test_a_device_that_moves_to_another_bus_is_read_there():
    bench = Bench({"a": 1}, [property_row("a")])
    bench.bus.automatic = False
    bench.devices.step(0)
    bench.set([property_row("a")], 10, protocol={"ip": "192.0.2.9"})
    bench.bus.requests = []
    bench.devices.step(10)
    assert len(bench.bus.requests) == 1, "it still waits for an answer of the old bus"


def test_a_property_that_is_read_once_is_asked_again_only_where_it_gave_nothing():
    bench = Bench({"a": "SDM630", "b": "1"}, [property_row("a", "STRING", collect_ms=0)])
    bench.bus.silent = True
    bench.run(0, 120_000)
    bench.bus.silent = False
    bench.run(120_000, 600_000)
    assert bench.recorder.telemetry() == [{"a": "SDM630"}]


def test_a_large_collection_is_reported_in_parts_that_fit_a_frame():
    names = ["property_with_a_long_name_%03d" % index for index in range(200)]
    bench = Bench(dict.fromkeys(names, "x" * 20), [property_row(name, "STRING") for name in names])
    bench.devices.step(0)
    parts = bench.recorder.telemetry()
    assert sum(len(part) for part in parts) == 200
    for part in parts:
        assert sum(len(name) + 20 + 4 for name in part) <= 2000


def test_a_sample_has_the_time_at_which_it_came():
    bench = Bench({"a": 1}, [property_row("a")])
    bench.bus.automatic = False
    bench.devices.step(0)
    bench.recorder.context.clock.learn(1_700_000_000_000, 0)
    bench.bus.answer(37)
    bench.devices.step(90)
    (body,) = bench.recorder.take(messages.REPORT_TELEMETRY)
    assert body[messages.TELEMETRY_TIME] == [1_700_000_000_037, messages.TIME_UNIX]


def test_a_driver_s_wrong_word_is_its_property_s_error_and_reaches_no_report():
    rows = (
        ("INT", 1 << 64),
        ("INT", 1.5),
        ("INT", True),
        ("FLOAT", float("nan")),
        ("BOOLEAN", 1),
        ("STRING", "x" * 2049),
        ("BYTES", b"x" * 1025),
    )
    for property_type, value in rows:
        bench = Bench({"a": value, "b": 1}, [property_row("a", property_type), property_row("b")])
        bench.devices.step(0)
        assert bench.recorder.telemetry() == [{"b": 1}], (property_type, value)
        twins = {twin[messages.TWIN_PROPERTY]: twin for twin in bench.recorder.twins()}
        assert twins["a"][messages.TWIN_ERROR] == "the driver gave no %s that can be reported" % property_type


def test_long_texts_are_cut():
    bench = Bench({"a": 1}, [property_row("a")])
    bench.bus.errors["a"] = "x" * 5000
    bench.devices.step(0)
    assert len(bench.recorder.twins()[0][messages.TWIN_ERROR]) == 250


def test_a_reading_of_what_a_property_no_longer_means_is_dropped():
    bench = Bench({"a": 41}, [property_row("a", visitor={"offset": 1})])
    bench.bus.automatic = False
    bench.devices.step(0)
    bench.set([property_row("a", visitor={"offset": 2})], 5)
    bench.bus.answer(7)
    bench.devices.step(7)
    assert bench.recorder.telemetry() == [], "another register's value was reported"


def test_requests_on_a_bus_that_was_given_up_are_forgotten():
    bench = Bench({"a": 1}, [property_row("a")])
    bench.bus.automatic = False
    for index in range(10):
        bench.devices.step(1000 * index)
        bench.set([property_row("a")], 1000 * index, protocol={"ip": "192.0.2.%d" % index})
    assert bench.devices.requests_in_flight() <= 1


def test_devices_on_one_serial_line_share_its_bus() -> None:
    class Driver:
        NAME = "serial"

    one = ("serial", "uart1", {"baud": 9600, "parity": "even"})
    assert key_of(Driver, one) == key_of(Driver, ("serial", "uart1", {"parity": "even", "baud": 9600}))
    assert key_of(Driver, one) != key_of(Driver, ("serial", "uart1", {"baud": 9600}))
    assert {key_of(Driver, one): 1}
