"""Properties that a device sends by itself: listened to once, never asked for, told by the same rules."""

from device_fakes import FakeBus, FakeDriver, Recorder, device_map, property_row

from edgelite.devices import Devices
from edgelite.driver import Result
from edgelite.effects import Close
from edgelite_protocol import messages

KEY = "default/meter"


class HearingBus(FakeBus):
    """`say` is the device sending its values."""

    def __init__(self, holds):
        super().__init__(holds)
        self.listening = {}
        self.ignored = []

    def listen(self, request, now_ms):
        self.listening[request.number] = request

    def ignore(self, number, now_ms):
        del self.listening[number]
        self.ignored.append(number)

    def say(self, values, now_ms):
        for number in self.listening:
            known = {name: values[name] for name in values if name in self.listening[number].visitors}
            self.results.append(Result(number, known, {}, True, now_ms))

    def fall_silent(self, now_ms):
        for number in self.listening:
            errors = dict.fromkeys(self.listening[number].visitors, "nothing heard for 5 s")
            self.results.append(Result(number, {}, errors, False, now_ms))


class HearingDriver(FakeDriver):
    def __init__(self):
        self.buses = []
        self.make_bus(None, None)

    @property
    def bus(self):
        return self.buses[-1]

    def make_bus(self, target, random_bytes):
        self.buses.append(HearingBus({"asked": 5, "heard": 1, "other": 2}))
        return self.buses[-1]

    def listens(self, visitor):
        return visitor.get("listen") is True


class Bench:
    def __init__(self, rows):
        self.recorder = Recorder()
        self.driver = HearingDriver()
        self.devices = Devices(self.recorder.context, lambda name: self.driver)
        self.set(rows)

    @property
    def bus(self):
        return self.driver.bus

    def set(self, rows, now_ms=0, **options):
        self.devices.set_desired(KEY, device_map(rows, **options), now_ms)

    def run(self, from_ms, to_ms, step_ms=1000):
        for now_ms in range(from_ms, to_ms, step_ms):
            self.devices.step(now_ms)

    def heard(self):
        return [sorted(request.visitors) for request in self.bus.listening.values()]

    def twin(self, name):
        return self.devices.view(KEY).twins[name]


def heard_row(name, **options):
    return property_row(name, visitor={"listen": True}, **options)


def test_what_is_listened_to_is_not_asked_for():
    bench = Bench([heard_row("heard"), heard_row("other"), property_row("asked")])
    bench.bus.automatic = False
    bench.run(0, 5000)
    assert bench.heard() == [["heard", "other"]], "one request for all of a device"
    assert [sorted(request.visitors) for request in bench.bus.requests] == [["asked"]]
    assert bench.devices.requests_in_flight() == 2
    bench.set([heard_row("heard"), heard_row("other", collect_ms=5000)], 5000)
    bench.bus.requests = []
    bench.run(5000, 20_000)
    assert bench.bus.requests == [], "not even for nothing"


def test_each_value_goes_through_the_same_rules():
    bench = Bench([heard_row("heard", deadband=2.0), heard_row("other", report_ms=3000)])
    bench.devices.step(0)
    for index in range(6):
        bench.bus.say({"heard": 10 + index, "other": index}, 1000 * index)
        bench.devices.step(1000 * index)
    assert bench.recorder.telemetry() == [{"heard": 10, "other": 0}, {"heard": 13, "other": 3}]
    assert bench.devices.view(KEY).state == "online"
    assert (bench.twin("heard").value, bench.twin("heard").time_ms) == (15, 5000)


def test_a_result_may_have_some_of_the_values():
    bench = Bench([heard_row("heard"), heard_row("other")])
    bench.devices.step(0)
    bench.bus.say({"heard": 7}, 10)
    bench.devices.step(10)
    assert (bench.twin("heard").value, bench.twin("heard").quality) == (7, "good")
    assert bench.twin("other").quality == "", "nothing is known of it yet"


def test_a_wrong_value_is_bad_and_the_others_are_not():
    bench = Bench([heard_row("heard"), heard_row("other")])
    bench.devices.step(0)
    bench.bus.say({"heard": "x", "other": 3}, 10)
    bench.devices.step(10)
    assert (bench.twin("heard").quality, bench.twin("other").quality) == ("bad", "good")


def test_silence_makes_the_device_offline_and_its_twins_bad():
    bench = Bench([heard_row("heard")])
    bench.devices.step(0)
    bench.bus.say({"heard": 1}, 10)
    bench.devices.step(10)
    bench.bus.fall_silent(6000)
    bench.devices.step(6000)
    assert (bench.devices.view(KEY).state, bench.devices.view(KEY).reason) == ("offline", "nothing heard for 5 s")
    assert (bench.twin("heard").quality, bench.twin("heard").value) == ("bad", 1)
    bench.bus.say({"heard": 2}, 7000)
    bench.devices.step(7000)
    assert bench.devices.view(KEY).state == "online" and bench.twin("heard").quality == "good"


def test_a_configuration_that_says_the_same_disturbs_nothing():
    rows = [heard_row("heard"), property_row("asked")]
    bench = Bench(rows)
    bench.devices.step(0)
    number = next(iter(bench.bus.listening))
    bench.set([heard_row("heard"), property_row("asked", collect_ms=5000)], 100)
    assert list(bench.bus.listening) == [number] and bench.bus.ignored == []
    bench.set([heard_row("heard"), heard_row("other")], 200)
    assert bench.bus.ignored == [number] and bench.heard() == [["heard", "other"]]
    bench.bus.results.append(Result(number, {"heard": 99}, {}, True, 300))
    bench.devices.step(300)
    assert bench.twin("heard").value is None, "what was under way when it was ignored is nobody's"


def test_another_place_is_listened_to_anew():
    bench = Bench([heard_row("heard")])
    bench.devices.step(0)
    old = bench.bus
    bench.set([heard_row("heard")], 100, protocol={"ip": "192.0.2.1"})
    assert old.listening == {} and bench.bus is not old and bench.heard() == [["heard"]]
    assert bench.devices.requests_in_flight() == 1


def test_a_device_that_is_gone_or_refused_is_ignored():
    bench = Bench([heard_row("heard")])
    bench.devices.step(0)
    bench.set([heard_row("heard")], 100, protocol={"bad": True})
    assert bench.bus.listening == {} and bench.devices.view(KEY).state == "unhealthy"
    bench.set([heard_row("heard")], 200)
    assert bench.heard() == [["heard"]]
    bench.devices.set_desired(KEY, None, 300)
    assert bench.bus.listening == {}
    assert not [effect for effect in bench.recorder.effects if isinstance(effect, Close)]


def test_listening_begins_again_where_a_bus_was_made_anew():
    bench = Bench([heard_row("heard")])
    bench.devices.step(0)
    bench.bus.listening = {1: None}
    bench.bus.say = None
    bench.bus.next_result = lambda: 5
    bench.devices.step(100)
    assert bench.devices.view(KEY).state == "offline"
    bench.run(1000, 3000)
    assert len(bench.driver.buses) == 3 and bench.heard() == [["heard"]]
    bench.bus.say({"heard": 4}, 3000)
    bench.devices.step(3000)
    assert bench.twin("heard").value == 4 and bench.devices.view(KEY).state == "online"


def test_a_desired_value_is_compared_with_what_is_heard():
    bench = Bench([heard_row("heard", writable=True, desired="9", desired_version=1)])
    bench.run(0, 2000)
    assert bench.bus.writes == [] and bench.bus.requests == [], "read before write: nothing was heard yet"
    bench.bus.say({"heard": 1}, 2000)
    bench.run(2000, 4000)
    assert bench.bus.writes == [("heard", 9)]
    bench.bus.say({"heard": 9}, 4000)
    bench.run(4000, 6000)
    assert bench.bus.writes == [("heard", 9)]
    told = bench.recorder.twins()[-1]
    assert told[messages.TWIN_DESIRED] == "9" and messages.TWIN_ERROR not in told


def test_a_driver_whose_properties_all_are_asked_for_loads_nothing_for_listening():
    bench = Bench([property_row("asked")])
    bench.run(0, 2000)
    assert bench.bus.listening == {} and bench.devices.view(KEY)._ear is None


def test_what_it_says_is_gathered_in_windows_and_held_against_percentages():
    options = {"visitor": {"listen": True}}
    rows = [
        property_row("heard", window_ms=10_000, window_functions=messages.WINDOW_FUNCTIONS_MAX, **options),
        property_row("other", deadband_percent=10, **options),
    ]
    bench = Bench(rows)
    bench.devices.step(0)
    for second in range(1, 9):
        bench.bus.say({"heard": second, "other": 100 + second}, 1000 * second)
        bench.devices.step(1000 * second)
    bench.bus.say({"heard": 50, "other": 150}, 10_500)
    bench.devices.step(10_500)
    window = {"heard": 8, "heard.min": 1, "heard.max": 8, "heard.mean": 4.5, "heard.count": 8}
    assert bench.recorder.telemetry() == [{"other": 101}, window, {"other": 150}]
