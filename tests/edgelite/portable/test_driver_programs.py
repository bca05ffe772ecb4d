"""Drivers in processes of their own: the node's own workloads, and what their devices say meanwhile. No process here;
tests/ports/test_driver_processes.py has real ones."""

from device_fakes import Recorder, device_map, property_row
from supervisor_bench import IDENTITY, OTHER_BOOT, Bench, container, workload

from edgelite.devices import Devices
from edgelite.devices.driver_process import Programs
from edgelite.driver import ConfigurationError
from edgelite.effects import Close, Log, Open
from edgelite_drivers.process import Asked, Session
from edgelite_drivers.remote import PING_MS, ProcessDriver, RemoteBus, raw_protocol, raw_visitor
from edgelite_protocol import messages as m

UID = "edgelite-driver-far"
UNIT = UID + "/far"
KEY = "default/roof"


class Driver:
    NAME = "far"
    PROCESS_MODULE = "far_program"
    check_protocol = staticmethod(raw_protocol)
    check_visitor = staticmethod(raw_visitor)

    def target(self, protocol):
        return "driver", "far"

    def make_bus(self, target, random_bytes):
        return RemoteBus("far", random_bytes)

    def same_value(self, visitor, one, other):
        return one == other


class Site:
    """Devices over a real supervisor; `connect` and `answer` are the program."""

    def __init__(self, runtimes=("process",), folder="/run/sockets", driver=None):
        self.bench = Bench(runtimes=runtimes)
        self.recorder = Recorder()
        self.driver = driver or Driver()
        self.runtimes = runtimes
        self.folder = folder
        self.devices = Devices(self.recorder.context, lambda name: self.driver, self.programs)
        self.line = None
        self.session = None

    def programs(self):
        return Programs(
            self.bench.supervisor, self.folder, self.runtimes, lambda: ("/usr/bin/python3", "/opt/lib"), {"X": "1"}
        )

    def put(self, now_ms=0, **options):
        row = property_row("inside", "FLOAT", **options)
        self.devices.set_desired(KEY, device_map([row], driver="far"), now_ms)

    def view(self):
        device = self.devices.view(KEY)
        return device.state, device.reason

    def step(self, now_ms):
        deadline_ms = self.devices.step(now_ms)
        for effect in self.recorder.effects:
            if isinstance(effect, Open):
                self.line = effect.channel
        return deadline_ms

    def wants(self, kind):
        found = [effect for effect in self.recorder.effects if isinstance(effect, kind)]
        self.recorder.effects[:] = [effect for effect in self.recorder.effects if not isinstance(effect, kind)]
        return found

    def connect(self, now_ms):
        self.session = Session("far")
        self.line.opened(now_ms)
        self.answer(now_ms)

    def answer(self, now_ms, value=21.5):
        """The program takes what there is; how many it answered."""
        count = 0
        data = self.line.data_to_send(65536)
        if data:
            self.session.receive(data)
        event = self.session.next_event()
        while event is not None:
            if isinstance(event, Asked):
                count += 1
                self.session.tell(event.number, {"inside": value})
            event = self.session.next_event()
        self.line.received(self.session.data_to_send(), now_ms)
        return count


def running(**options):
    """A site whose device was read once."""
    site = Site()
    site.put(collect_ms=3_600_000, **options)
    site.bench.supervisor.started(UNIT, IDENTITY, 0)
    site.step(0)
    site.connect(0)
    site.answer(0)
    site.step(10)
    assert site.view() == ("online", "")
    return site


def test_it_is_started_with_its_first_device_and_ended_with_its_last():
    site = Site()
    site.put()
    (start,) = site.bench.effects
    assert start.unit == UNIT and start.runtime == "process"
    assert start.container[m.CONTAINER_COMMAND] == ["/usr/bin/python3", "-m", "far_program"]
    environment = start.container[m.CONTAINER_ENVIRONMENT]
    assert environment["EDGELITE_DRIVER_SOCKET"] == "/run/sockets/driver-far.sock"
    assert (environment["PYTHONPATH"], environment["X"]) == ("/opt/lib", "1")
    site.bench.take_effects()
    site.bench.supervisor.started(UNIT, IDENTITY, 0)
    site.devices.set_desired("default/other", device_map([property_row("inside")], driver="far"), 0)
    site.devices.set_desired(KEY, None, 0)
    assert site.bench.take_effects() == [], "another device needs it still"
    site.devices.set_desired("default/other", None, 0)
    assert site.bench.take_effects() == [("SignalUnit", UNIT)]
    site.bench.supervisor.exited(UNIT, 0, 15, 10)
    assert site.bench.take_effects() == [("RemoveWorkload", UID)]
    assert site.bench.supervisor.step(20) is None
    assert site.bench.reports == [], "the hub hears nothing of it"


def test_all_its_devices_are_offline_at_once_and_read_again_when_it_is_back():
    site = running()
    site.line.closed("closed by the other end", 5000)  # often known before its end is
    site.bench.supervisor.exited(UNIT, 7, 0, 5000)
    site.step(5000)
    assert site.view() == ("offline", "no connection to driver far: closed by the other end")
    assert [log.text for log in site.wants(Log)] == [site.view()[1] + "; its devices are offline"]
    deadline_ms = site.step(5000)
    assert deadline_ms is not None and deadline_ms <= 6000, "not in an hour, when it is due"
    site.step(6000)
    site.step(6500)
    assert len(site.wants(Open)) >= 1
    site.connect(6500)
    assert site.answer(6500) == 1 or site.view()[0] == "offline"
    site.step(6600)
    assert site.view() == ("online", "")
    assert [log.text for log in site.wants(Log)] == ["driver far is back"]


def test_the_reason_is_the_supervisors_where_it_knows_one():
    site = running()
    supervisor = site.bench.supervisor
    supervisor.exited(UNIT, 7, 0, 4000)
    supervisor.step(4000)
    supervisor.started(UNIT, IDENTITY, 4000)
    supervisor.exited(UNIT, 7, 0, 5000)
    site.line.closed("closed by the other end", 5000)
    site.step(5000)
    assert site.view() == ("offline", "no connection to driver far: exit code 7")


def test_one_that_hangs_is_killed():
    site = running()
    site.bench.take_effects()
    site.step(PING_MS + 10)
    assert site.line.data_to_send(100), "a ping"
    site.step(2 * PING_MS + 10)
    assert len(site.wants(Close)) == 1
    site.line.closed("closed", 2 * PING_MS + 10)
    assert site.bench.take_effects() == [("SignalUnit", UNIT)]
    assert site.bench.effects == []
    site.step(2 * PING_MS + 20)
    assert site.view() == ("offline", "driver far hangs: no answer to a ping within 10000 ms")


def test_tries_become_seldom():
    site = running()
    opens = 0
    for now_ms in range(1000, 300_000, 250):
        site.step(now_ms)
        for _ in site.wants(Open):
            opens += 1
            site.line.closed("connection refused", now_ms)
        if now_ms == 1000:
            site.line.closed("reset", now_ms)
    assert 8 <= opens <= 40


def test_an_agent_that_comes_back_finds_it_and_ends_it_where_nobody_needs_it():
    site = running()
    bench = site.bench
    bench.restart()
    bench.supervisor.restore(100)
    assert bench.take_effects() == [("AdoptUnit", UNIT)]
    bench.supervisor.set_own(UID, site.programs().make("far", Driver())._form, 100)
    bench.supervisor.started(UNIT, IDENTITY, 110)
    bench.supervisor.step(120)
    assert bench.take_effects() == [] and bench.reports == []
    bench.restart()
    bench.supervisor.restore(200)
    bench.supervisor.started(UNIT, IDENTITY, 210)
    bench.supervisor.step(220)
    assert bench.take_effects() == [("AdoptUnit", UNIT), ("SignalUnit", UNIT)]
    bench.supervisor.exited(UNIT, 0, 15, 230)
    assert bench.reports == []
    bench.restart(OTHER_BOOT, restored=True)
    assert bench.take_effects() == [] and bench.supervisor.summary() == []


def test_the_hub_has_no_say_in_them():
    bench = Bench()
    bench.supervisor.set_desired("default/evil/" + UID, workload(uid=UID, containers=[container("far")]), 0)
    bench.supervisor.set_desired("default/evil/" + UID, None, 0)
    bench.supervisor.step(0)
    assert bench.take_effects() == [] and bench.reports == []
    bench.supervisor.kill_own(UID)
    bench.supervisor.set_own(UID, None, 0)
    assert bench.supervisor.trouble_of(UID) == "" and bench.take_effects() == []


def test_a_program_of_others_runs_as_it_is_named():
    site = Site(driver=ProcessDriver("far", ["/opt/far", "--fast"]))
    site.put(visitor={"listen": True})
    (start,) = site.bench.effects
    assert start.container[m.CONTAINER_COMMAND] == ["/opt/far", "--fast"]
    assert sorted(start.container[m.CONTAINER_ENVIRONMENT]) == ["EDGELITE_DRIVER_SOCKET", "X"]
    site.step(0)
    assert site.devices.requests_in_flight() == 1


def test_a_node_without_processes_says_so():
    for runtimes, folder in ((("task",), "/run"), (("process",), "")):
        site = Site(runtimes, folder, ProcessDriver("far", ["/opt/far"]))
        site.put()
        assert site.view() == ("unhealthy", "protocol.protocolName: this node runs no programs of drivers")
        site = Site(runtimes, folder)
        site.put()
        assert site.view() == ("", ""), "its other half may be in the firmware"
        assert site.bench.effects == []


def test_a_driver_that_names_no_program():
    class Nameless(Driver):
        PROCESS_MODULE = ""

    site = Site(driver=Nameless())
    site.put()
    assert site.view()[1] == "protocol.protocolName: driver far names no program to run"
    try:
        site.programs().make("far", Nameless())
    except ConfigurationError as error:
        assert error.path == "protocol.protocolName"
        return
    raise AssertionError("it was taken")
