"""Readings gathered into one report for each window."""

from device_fakes import FakeDriver, Recorder, device_map, property_row

from edgelite.devices import Devices
from edgelite.devices.window import Window
from edgelite_protocol import messages

KEY = "default/meter"
ALL = messages.WINDOW_FUNCTIONS_MAX


class Gauge:
    def __init__(self, rows, holds):
        self.recorder = Recorder()
        self.driver = FakeDriver(holds)
        self.devices = Devices(self.recorder.context, lambda name: self.driver)
        self.set(rows)

    def set(self, rows, now_ms=0):
        self.devices.set_desired(KEY, device_map(rows), now_ms)

    def read(self, now_ms, **values):
        self.driver.bus.holds.update(values)
        return self.devices.step(now_ms)

    def told(self):
        return [
            (body[messages.TELEMETRY_TIME][0], body[messages.TELEMETRY_VALUES])
            for body in self.recorder.take(messages.REPORT_TELEMETRY)
        ]


def window_row(name="p", type="DOUBLE", window_ms=10_000, functions=ALL, **options):
    return property_row(name, type, window_ms=window_ms, window_functions=functions, **options)


def test_one_report_for_a_window_with_the_last_value_under_the_property_s_own_name():
    gauge = Gauge([window_row()], {"p": 0.0})
    for second in range(10):
        gauge.read(1000 * second, p=float(second))
    assert gauge.told() == []
    gauge.read(10_000, p=100.0)
    assert gauge.told() == [(10_000, {"p": 9.0, "p.min": 0.0, "p.max": 9.0, "p.mean": 4.5, "p.count": 10})]


def test_only_what_is_asked_for_goes_up():
    gauge = Gauge([window_row(functions=messages.WINDOW_MAX), window_row("q", "INT", functions=0)], {"p": 1.0, "q": 3})
    for second in range(11):
        gauge.read(1000 * second)
    assert gauge.told() == [(10_000, {"p": 1.0, "p.max": 1.0, "q": 3})]


def test_windows_lie_on_a_grid_and_wake_the_agent_at_their_end():
    gauge = Gauge([window_row(collect_ms=60_000)], {"p": 1.0})
    assert gauge.read(4_000) == 10_000, "read at 4 s, so the window ends at 10 s"
    gauge.read(10_000)
    assert [time_ms for time_ms, _ in gauge.told()] == [10_000]


def test_a_gap_has_no_report_and_the_grid_goes_on():
    gauge = Gauge([window_row()], {"p": 1.0})
    gauge.read(1000)
    gauge.driver.bus.errors["p"] = "Modbus exception 4: device failure"
    for second in range(2, 40):
        gauge.read(1000 * second)
    del gauge.driver.bus.errors["p"]
    for second in range(42, 51):
        gauge.read(1000 * second, p=2.0)
    assert [(time_ms, values["p.count"]) for time_ms, values in gauge.told()] == [(10_000, 1), (50_000, 8)]


def test_what_was_gathered_is_told_at_the_agent_s_end_and_when_the_property_changes():
    gauge = Gauge([window_row()], {"p": 1.0})
    gauge.read(1000)
    gauge.set([window_row(window_ms=20_000)], 1500)
    assert [(time_ms, values["p.count"]) for time_ms, values in gauge.told()] == [(1500, 1)]
    gauge.read(2000)
    gauge.set([window_row(window_ms=20_000)], 2500)
    assert gauge.told() == [], "the same window goes on"
    gauge.devices.stop(3000)
    assert [(time_ms, values["p.count"]) for time_ms, values in gauge.told()] == [(3000, 1)]
    gauge.devices.stop(3000)
    gauge.read(4000)
    gauge.devices.set_desired(KEY, None, 4500)
    assert [(time_ms, values["p.count"]) for time_ms, values in gauge.told()] == [(4500, 1)]


def test_a_late_step_tells_each_window_once():
    gauge = Gauge([window_row(collect_ms=1000), window_row("q", window_ms=5000, collect_ms=1000)], {"p": 1.0, "q": 2.0})
    gauge.read(1000)
    gauge.read(57_000)
    told = gauge.told()
    assert [(time_ms, sorted(values)[0]) for time_ms, values in told] == [(5000, "q"), (10_000, "p")]
    gauge.read(60_000)
    assert [(time_ms, sorted(values)[0]) for time_ms, values in gauge.told()] == [(60_000, "p")]


def test_a_property_that_stays_on_the_node_has_no_window():
    gauge = Gauge([window_row(report_to_cloud=False)], {"p": 1.0})
    for second in range(30):
        gauge.read(1000 * second)
    assert gauge.told() == []


def test_a_mean_of_many_readings_keeps_its_digits():
    window = Window()
    for _ in range(10_000):
        window.take(20.1, 5, 1000)
    property = Gauge([window_row()], {"p": 0.0}).devices.view(KEY).twins["p"].property
    assert abs(window.close(property)["p.mean"] - 20.1) < 0.0001
