"""What is reported and what is not: deadband, report cycle, hold."""

from device_fakes import FakeDriver, property_row

from edgelite.devices.config import parse_device
from edgelite.devices.rules import Hold, SampleRule
from edgelite_protocol import messages


def property_of(property_type="FLOAT", **options):
    device = {messages.DEVICE_UID: "u", messages.DEVICE_PROPERTIES: [property_row("p", property_type, **options)]}
    return parse_device(device, FakeDriver({})).properties[0]


def passed(property, *values):
    rule = SampleRule()
    return [value for index, value in enumerate(values) if rule.passes(property, value, 1000 * index)]


def test_without_a_deadband_every_reading_passes():
    assert passed(property_of(), 1.0, 1.0, 1.0) == [1.0, 1.0, 1.0]


def test_a_deadband_compares_with_the_last_reported_value():
    property = property_of(deadband=1.0)
    assert passed(property, 20.0, 20.9, 21.0, 21.1, 20.2, 20.0) == [20.0, 21.1, 20.0], "a slow drift must pass too"


def test_a_percentage_is_of_the_last_reported_value():
    property = property_of(deadband_percent=10)
    assert passed(property, 100.0, 110.0, 110.5, 100.0, 99.4, 99.0) == [100.0, 110.5, 99.4]
    assert passed(property, -100.0, -110.0, -111.0) == [-100.0, -111.0]
    assert passed(property, 0.0, 0.0, 0.001) == [0.0, 0.001], "of nothing, any change is more"


def test_beside_a_percentage_an_absolute_deadband_is_the_least_that_counts():
    property = property_of(deadband=0.5, deadband_percent=10)
    assert passed(property, 0.1, 0.5, 0.7, 100.0, 109.0, 111.0) == [0.1, 0.7, 100.0, 111.0]
    assert passed(property_of("STRING", deadband_percent=5), "a", "a", "b") == ["a", "b"]


def test_a_deadband_of_zero_reports_changes():
    assert passed(property_of("INT", deadband=0), 5, 5, 6, 6, 5) == [5, 6, 5]
    assert passed(property_of("STRING", deadband=0), "a", "a", "b") == ["a", "b"]
    assert passed(property_of("BOOLEAN", deadband=3), False, False, True, True) == [False, True]


def test_the_report_cycle_counts_schedule_times():
    property = property_of(report_ms=3000)
    assert passed(property, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0) == [0.0, 3.0, 6.0]


def test_both_rules_must_let_a_value_pass():
    property = property_of(report_ms=2000, deadband=1.0)
    assert passed(property, 0.0, 9.0, 9.0, 9.0, 9.5, 20.0) == [0.0, 9.0, 20.0]


def test_a_new_start_passes_the_same_value():
    rule = SampleRule()
    property = property_of(deadband=1.0)
    assert rule.passes(property, 1.0, 0)
    assert not rule.passes(property, 1.0, 1000)
    rule.start_again()
    assert rule.passes(property, 1.0, 2000)


def test_a_hold_tells_at_once_and_then_the_latest():
    hold = Hold(10_000)
    assert hold.deadline_ms("bad") == 0
    hold.tell("bad", 5)
    assert hold.deadline_ms("bad") is None
    assert hold.deadline_ms("good") == 10_005
    hold.tell("good", 10_005)
    assert hold.deadline_ms("bad") == 20_005
