"""Drivers that do what none should: their own devices are offline for a while, with the reason, and no other is."""

from device_fakes import FakeBus, FakeDriver, Recorder, device_map, property_row

from edgelite.devices import Devices
from edgelite.devices import lines as lines_module
from edgelite.driver import Result
from edgelite.effects import Close, Log, Open
from edgelite_protocol import messages

BAD, GOOD = "default/bad", "default/good"


class Wired(FakeBus):
    """Wants its channel as long as it is closed."""

    is_open = False
    opens = 0

    def wants_open(self, now_ms):
        return not self.is_open

    def opened(self, now_ms):
        self.is_open = True
        self.opens += 1

    def received(self, data, now_ms):
        return None

    def data_to_send(self, size_bytes_max):
        return b""

    def closed(self, reason, now_ms):
        self.is_open = False


class Driver(FakeDriver):
    def __init__(self, name):
        self.NAME = name
        self.buses = []
        self.faults = {}  # of a bus' methods, by name; what it does in place of what it should

    def make_bus(self, target, random_bytes):
        self.buses.append(Wired({"a": 1}))
        self.arm()
        return self.buses[-1]

    def arm(self):
        for method in self.faults:
            setattr(self.buses[-1], method, self.faults[method])


class Bench:
    def __init__(self, **protocol):
        self.recorder = Recorder()
        self.drivers = {"bad": Driver("bad"), "good": Driver("good")}
        self.bad = self.drivers["bad"]
        self.devices = Devices(self.recorder.context, self.load)
        self.lines = []
        for name in ("bad", "good"):
            self.devices.set_desired("default/" + name, device_map([property_row("a")], driver=name), 0)
        self.closes = 0
        self.logs = []
        self.at(0)

    def load(self, name):
        return self.drivers[name]

    def at(self, now_ms):
        """Like a port: until nothing moves; channels open at once."""
        for _ in range(5):
            self.deadline_ms = self.devices.step(now_ms)
            effects = list(self.recorder.effects)
            del self.recorder.effects[:]
            for effect in effects:
                self.carry_out(effect, now_ms)
        return self.deadline_ms

    def carry_out(self, effect, now_ms):
        if isinstance(effect, Open):
            self.lines.append(effect.channel)
            effect.channel.opened(now_ms)
        elif isinstance(effect, Close):
            self.closes += 1
            effect.channel.closed("closed", now_ms)
        elif isinstance(effect, Log):
            self.logs.append(effect)

    def run(self, from_ms, to_ms, step_ms=250):
        for now_ms in range(from_ms, to_ms, step_ms):
            self.at(now_ms)

    def state(self, key):
        device = self.devices.view(key)
        return device.state, device.reason

    def break_bus(self, **faults):
        self.bad.faults = faults
        self.bad.arm()


def boom(*arguments):
    raise ValueError("unit 7")


def leave(*arguments):
    raise SystemExit(3)


def starve(*arguments):
    raise MemoryError


def test_whatever_a_bus_raises_costs_its_own_devices_a_pause():
    for method in ("submit", "step", "next_result", "wants_open", "wants_close", "wants_settings"):
        bench = Bench()
        bench.run(0, 1000)
        assert bench.state(BAD) == ("online", "") and bench.state(GOOD) == ("online", "")
        if method == "wants_open":
            bench.bad.buses[0].is_open = False
            bench.lines[0].closed("reset", 1000)
        bench.break_bus(**{method: boom})
        bench.run(1000, 2000)
        reason = "driver bad failed in %s: ValueError: unit 7" % method
        if method == "wants_open":
            assert bench.state(BAD)[1] == reason
            continue
        assert bench.state(BAD) == ("offline", reason), method
        assert bench.state(GOOD) == ("online", ""), method
        assert [log.text for log in bench.logs] == [reason + "; its bus is made anew in 1 s"]
        assert isinstance(bench.logs[0].error, ValueError), "the port tells where it was"
        assert bench.devices.requests_in_flight() == 0
        bench.bad.faults = {}
        bench.run(2000, 5000)
        assert bench.state(BAD) == ("online", ""), method
        assert len(bench.bad.buses) == 2 and bench.closes == 1


def test_whatever_a_bus_raises_at_its_channel_is_contained_too():
    for method in ("received", "data_to_send", "opened", "closed"):
        bench = Bench()
        bench.run(0, 1000)
        bench.break_bus(**{method: boom})
        line = bench.lines[0]
        if method == "received":
            line.received(b"x", 1000)
        elif method == "data_to_send":
            assert line.data_to_send(100) == b""
        else:
            line.closed("reset", 1000)
        bench.run(1000, 1500)
        assert bench.state(BAD) == ("offline", "driver bad failed in %s: ValueError: unit 7" % method)
        bench.bad.faults = {}
        bench.run(2000, 6000)
        assert bench.state(BAD) == ("online", "") and bench.state(GOOD) == ("online", "")


def test_an_exit_and_a_lack_of_memory_end_the_bus_and_not_the_agent():
    for fault, text in ((leave, "SystemExit: 3"), (starve, "MemoryError")):
        bench = Bench()
        bench.run(0, 1000)
        bench.break_bus(step=fault)
        bench.run(1000, 1500)
        assert bench.state(BAD)[1] == "driver bad failed in step: " + text


def test_a_person_who_interrupts_is_heard():
    def interrupt(*arguments):
        raise KeyboardInterrupt

    bench = Bench()
    bench.break_bus(step=interrupt)
    try:
        bench.devices.step(1000)
    except KeyboardInterrupt:
        return
    raise AssertionError("it was taken for the driver's fault")


def test_what_is_in_flight_has_its_result_and_late_ones_are_nobodys():
    bench = Bench()
    bench.run(0, 1000)
    bus = bench.bad.buses[0]
    bus.automatic = False
    bench.run(1000, 3000)
    assert bench.devices.requests_in_flight() == 1
    bench.lines[0].received(b"", 3000)
    bus.wants_close = boom
    bench.at(3000)
    assert bench.devices.requests_in_flight() == 0
    assert bench.devices.view(BAD).twins["a"].error.startswith("driver bad failed in wants_close")
    assert bench.lines[0].data_to_send(10) == b"", "what the port still asks of it does no harm"
    bench.lines[0].received(b"late", 3000)


def test_the_pause_doubles_and_ends_with_a_bus_that_lasts():
    bench = Bench()
    bench.break_bus(step=boom)
    made = []
    for now_ms in range(0, 120_000, 500):
        count = len(bench.bad.buses)
        bench.at(now_ms)
        if len(bench.bad.buses) > count:
            made.append(now_ms)
    pauses = [made[index + 1] - made[index] for index in range(len(made) - 1)]
    assert pauses == [2000, 4000, 8000, 16_000, 32_000]
    bench.bad.faults = {}
    bench.run(120_000, 200_000, 500)
    assert bench.state(BAD) == ("online", "")
    bench.run(200_000, 200_000 + lines_module.HEALTHY_MS, 10_000)
    bench.break_bus(step=boom)
    bench.at(900_000)
    assert bench.logs[-1].text.endswith("made anew in 1 s")


def nonsense():
    good = Result(1, {"a": 1}, {}, True)
    yield "next_result", lambda: 5, "next_result: TypeError: gave 5"
    yield "next_result", lambda: Result(1, None, {}, True), "next_result: TypeError: gave "
    yield "next_result", lambda: Result(1, {}, {"a": 7}, True), "next_result: TypeError: gave "
    yield "next_result", lambda: Result("1", {}, {}, True), "next_result: TypeError: gave "
    yield "next_result", lambda: Result(1, {}, {}, True, "soon"), "next_result: TypeError: gave "
    yield "next_result", lambda: good, "next_result: ValueError: gives results without end"
    yield "step", lambda now_ms: "soon", "step: TypeError: gave 'soon' for a deadline"
    yield "wants_settings", lambda now_ms: 9600, "wants_settings: TypeError: gave 9600"


def test_nonsense_is_a_fault_too():
    for method, replacement, text in nonsense():
        bench = Bench()
        bench.run(0, 1000)
        bench.break_bus(**{method: replacement})
        bench.run(1000, 1500)
        assert bench.state(BAD)[1].startswith("driver bad failed in " + text), bench.state(BAD)
        assert bench.state(GOOD) == ("online", "")


def test_more_bytes_than_asked_for_and_what_are_no_bytes():
    for given in (b"x" * 11, "text", 7, [1]):
        bench = Bench()
        bench.run(0, 1000)
        bench.break_bus(data_to_send=lambda size_bytes_max, given=given: given)
        assert bench.lines[0].data_to_send(10) == b""
        bench.run(1000, 1500)
        assert bench.state(BAD)[1].startswith("driver bad failed in data_to_send: TypeError: gave ")


def test_results_that_nobody_asked_for_are_dropped():
    bench = Bench()
    bench.run(0, 1000)
    bench.recorder.reports = []
    bench.bad.buses[0].results = [Result(number, {"a": 99}, {}, True) for number in (0, 1, 77, -3)]
    bench.at(1000 - 1)
    assert bench.devices.view(BAD).twins["a"].value == 1 and bench.state(BAD) == ("online", "")


def test_a_deadline_that_has_always_passed_keeps_nobody_busy():
    bench = Bench()
    bench.break_bus(step=lambda now_ms: now_ms - 1)
    for _ in range(lines_module.SPINS_MAX):
        deadline_ms = bench.devices.step(1000)
    assert deadline_ms == 1000 + lines_module.SPIN_MS
    warnings = [effect for effect in bench.recorder.effects if isinstance(effect, Log)]
    assert [log.text for log in warnings] == ["driver bad names deadlines that have passed"]
    assert bench.state(BAD) == ("online", ""), "it works all the same"


def test_a_bus_that_opens_without_a_pause_is_given_one():
    bench = Bench()
    bench.lines[0].closed("reset", 0)
    opens = 0
    for now_ms in range(0, 1000, 10):
        bench.devices.step(now_ms)
        for effect in bench.recorder.effects:
            if isinstance(effect, Open):
                opens += 1
                effect.channel.closed("refused", now_ms)
        del bench.recorder.effects[:]
    assert 10 <= opens <= 20


def refusal_of(**functions):
    bench = Bench()
    driver = Driver("worse")
    bench.drivers["worse"] = driver
    for name in functions:
        setattr(driver, name, functions[name])
    bench.devices.set_desired(BAD, device_map([property_row("a")], driver="worse"), 10)
    bench.run(10, 1000)
    assert bench.state(GOOD) == ("online", "")
    return bench.state(BAD)


def test_functions_that_raise_make_their_device_unhealthy():
    for name in ("check_protocol", "check_visitor", "target", "make_bus", "listens"):
        state, reason = refusal_of(**{name: boom})
        assert state == "unhealthy" and "driver worse failed in %s: ValueError: unit 7" % name in reason


def test_targets_that_are_none():
    for target in (
        None,
        (),
        5,
        ("tcp", "host"),
        ("tcp", 5, 6),
        ("tls", "hub", 1),
        ("serial", "/dev/x", 5),
        ("driver",),
    ):
        state, reason = refusal_of(target=lambda protocol, target=target: target)
        assert state == "unhealthy" and "driver worse gave no target" in reason, target
    state, reason = refusal_of(target=lambda protocol: ("serial", "/dev/x", {"baud": [9600]}))
    assert state == "unhealthy" and "worse" in reason


def test_a_module_that_is_no_driver_or_cannot_be_loaded():
    bench = Bench()
    bench.drivers["plain"] = object()

    def load(name):
        if name == "broken":
            raise ValueError("bad constant")
        return bench.load(name)

    bench.devices._load_driver = load
    for name, text in (
        ("plain", "plain is no driver: it has no check_protocol"),
        ("broken", "driver broken failed in its module: ValueError: bad constant"),
    ):
        bench.devices.set_desired(BAD, device_map([property_row("a")], driver=name), 0)
        assert bench.state(BAD) == ("unhealthy", "protocol.protocolName: " + text)


def test_a_comparison_that_raises_is_told_with_the_desired_value():
    bench = Bench()
    bench.bad.same_value = boom
    rows = [property_row("a", writable=True, desired="5", desired_version=1)]
    bench.devices.set_desired(BAD, device_map(rows, driver="bad"), 100)
    bench.run(100, 3000)
    twin = bench.recorder.twins()[-1]
    assert "driver bad failed in same_value: ValueError" in twin[messages.TWIN_ERROR]
    assert bench.state(BAD) == ("online", "") and bench.bad.buses[0].writes == []


def test_a_bus_that_cannot_be_made_anew_is_tried_again():
    bench = Bench()
    bench.run(0, 1000)
    bench.break_bus(step=boom)
    bench.at(1000)
    make_bus, bench.bad.make_bus = bench.bad.make_bus, boom
    bench.run(1250, 5000)
    assert bench.state(BAD)[1] == "driver bad failed in make_bus: ValueError: unit 7"
    bench.bad.make_bus, bench.bad.faults = make_bus, {}
    bench.run(5000, 15_000)
    assert bench.state(BAD) == ("online", "")


def test_a_fault_in_the_last_call_of_a_round_is_told_at_once():
    bench = Bench()
    bench.run(0, 1000)
    bench.break_bus(step=boom)  # called behind the submissions of this round, and only there
    assert bench.devices.step(1000) == 1000, "there is another round"
    bench.devices.step(1000)
    assert bench.state(BAD) == ("offline", "driver bad failed in step: ValueError: unit 7")


def test_a_request_that_a_bus_forgets_ends_all_the_same():
    bench = Bench()
    bench.break_bus(submit=lambda request, now_ms: None)
    bench.run(1000, lines_module.ANSWER_MS_MAX, 30_000)
    assert bench.devices.requests_in_flight() == 1 and bench.state(BAD) == ("online", "")
    bench.run(lines_module.ANSWER_MS_MAX, lines_module.ANSWER_MS_MAX + 120_000, 30_000)
    assert bench.state(BAD) == ("offline", "driver bad gave no result within 600 s")
    assert bench.state(GOOD) == ("online", "")
