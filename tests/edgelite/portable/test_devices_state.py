"""How a device's state goes up, as its stateReport says."""

from device_fakes import FakeDriver, Recorder, device_map, property_row

from edgelite.devices import Devices
from edgelite.devices.config import parse_device
from edgelite.driver import ConfigurationError
from edgelite_protocol import messages

KEY = "default/meter"


class Flapping:
    """A device that answers in every other minute."""

    def __init__(self, **options):
        self.recorder = Recorder()
        self.driver = FakeDriver({"p": 1})
        self.devices = Devices(self.recorder.context, lambda name: self.driver)
        device = device_map([property_row("p")])
        if "is_told" in options:
            device[messages.DEVICE_STATE_TO_CLOUD] = options["is_told"]
        if "state_ms" in options:
            device[messages.DEVICE_STATE_MS] = options["state_ms"]
        self.devices.set_desired(KEY, device, 0)

    def states(self, minutes):
        for second in range(60 * minutes):
            self.driver.bus.silent = second // 60 % 2 == 1
            self.devices.step(1000 * second)
        return [state for state, _ in self.recorder.states()]


def test_each_change_goes_up_unless_it_is_told_otherwise():
    assert Flapping().states(4) == ["online", "offline", "online", "offline"]


def test_a_state_that_stays_on_the_node_is_known_there():
    flapping = Flapping(is_told=False)
    assert flapping.states(2) == []
    assert flapping.devices.view(KEY).state == "offline"


def test_a_report_cycle_is_the_least_time_between_two_states_and_only_news_is_told():
    assert Flapping(state_ms=150_000).states(6) == ["online", "offline"]


def test_a_cycle_shorter_than_the_node_s_own_bound_changes_nothing():
    assert Flapping(state_ms=1).states(3) == ["online", "offline", "online"]


def test_a_cycle_that_is_none_is_named():
    for value in (-1, "60", True):
        device = device_map([])
        device[messages.DEVICE_STATE_MS] = value
        try:
            parse_device(device, FakeDriver({}))
        except ConfigurationError as error:
            assert error.path == "stateReport.reportCycle"
        else:
            raise AssertionError("%r was taken" % (value,))
