"""A node of the world: a machine that has power or none, and the real agent on it while it runs."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from edgelite.config import parse
from edgelite.node import Node, Platform
from edgelite.outbox import LANES
from edgelite.supervisor import Supervisor
from edgelite_ports.common.dispatch import Dispatcher
from edgelite_protocol.errors import CorruptionError, PlatformError
from edgelite_sim.network.directions import DOWN, UP
from edgelite_sim.network.flow import Flow
from edgelite_sim.network.link import Link
from edgelite_sim.network.profile import Profile
from edgelite_sim.world.artifacts import ArtifactStore
from edgelite_sim.world.capabilities import capabilities
from edgelite_sim.world.clock import NodeClock, Watchdog
from edgelite_sim.world.flash import PowerCut, SimFlash
from edgelite_sim.world.logs import LogStore
from edgelite_sim.world.port import Connections, Syncs, Worker
from edgelite_sim.world.processes import SimProcesses
from edgelite_sim.world.programs import SimProcess
from edgelite_sim.world.queue import Event

if TYPE_CHECKING:
    from edgelite_sim.world.world import World

Value = TypeVar("Value")

FRAME_BYTES_MAX = 16 * 1024  # as the Linux port takes
ROUNDS_MAX = 100  # of effects and their immediate completions before anything else has its turn, as in the ports
BOOT_MS = 15_000  # from power to the agent's start: a Pi Zero takes 12 to 20 s
OFF_MS = 5_000
RESET_MS = 1_000
RESTART_MS = 2_000  # what a service manager waits before it starts a dead agent again
STOP_TIMEOUT_MS = 5_000
WATCHDOG_MS = 60_000
GAUGES_MS = 60_000
FLOWS_UNTOLD = 16  # are kept where nobody looks
FLASH_BYTES = 64 * 1024 * 1024


class SimNode:
    """Made by `World.add_node`. `node` is the real agent's core, None while no agent runs."""

    def __init__(self, world: World, name: str, profile: Profile, settings: dict[str, object], hubs: list[str]) -> None:
        self.world = world
        self.name = name
        self.queue = world.queue
        self.trace = world.trace
        self.draw = world.draw("node " + name)
        self.config_text = _config_text(name, settings, hubs)
        self.config = parse(self.config_text)  # wrong settings are told here
        self.link = Link(profile, world.draw("link " + name), world.now_ms, world.start_unix_ms)
        self.flash = SimFlash(world.queue, size_bytes_max=FLASH_BYTES)
        self.processes = SimProcesses(world.queue, world.draw("processes " + name), None, self._tell_unit, name)
        self.artifacts = ArtifactStore()
        self.logs = LogStore(self.processes)
        self.clock = NodeClock(world.queue, start_unix_ms=world.start_unix_ms)
        self.processes.monotonic_ms = self.clock.monotonic_ms
        self.processes.woken = self.round
        self.processes.artifacts = self.artifacts
        self.processes.output = self.logs
        self.processes.find_program = self._find_program
        self.watchdog = Watchdog(world.queue, WATCHDOG_MS, self._bitten)
        self.identity: Any = None  # as its hub judges it
        self.is_on = False
        self.hangs = False
        self.life = 0  # of the agent
        self.node: Node | None = None
        self.faults: list[str] = []  # what the agent's code raised: each is a bug of ours
        self.boot_ms = BOOT_MS
        self._boot_id = b""
        self._sleeps = False
        self._is_hung = False  # until it dies; sleep does not mend it
        self._power = 0  # how often power was switched
        self._connections: Connections | None = None
        self._dispatcher: Any = None
        self.in_round = False
        self._again = False
        self._event: Event | None = None
        self._link_event: Event | None = None
        self._line = ""
        self._is_live = False
        self._flows: list[Flow] = []
        self._wire_bytes = [0, 0]
        self._flash_told = [0, 0]
        self._gauges_ms = 0
        self._stopped: Callable[[], object] | None = None
        self._link_changed()

    # ---- power

    def power_on(self) -> None:
        if self.is_on:
            return
        self.is_on = True
        self._power += 1
        self._boot_id = self.draw.randbytes(16)
        self.clock.reboot()
        self.watchdog.start()
        for flow in self._flows:
            flow.regain_power(UP)
        for observer in self.world.observers:
            observer.power(self.name, True, "on", self.queue.now_ms)
        power = self._power
        self.queue.after(self.boot_ms, lambda: self._start_agent() if self._power == power else None)

    def power_cut(self, how: str = "random", why: str = "power cut") -> None:
        """What was not synced may be lost, torn or reordered, as `how` says (flash.py)."""
        if not self.is_on:
            return
        self._power += 1
        self._sleeps = False
        self._end_agent(why, is_told=False)
        self.is_on = False
        self.watchdog.stop()
        self.processes.lose_power()
        self.flash.cut(self.draw, how)
        self.logs.lose_power()
        self.artifacts.lose_power()
        self.trace.note(self.queue.now_ms, self.name, f"{why} ({how})")
        for observer in self.world.observers:
            observer.power(self.name, False, why, self.queue.now_ms)

    def power_cycle(self, how: str = "random", off_ms: int = OFF_MS, why: str = "power cut") -> None:
        self.power_cut(how, why)
        self.queue.after(off_ms, self.power_on)

    def power_cut_at_write(self, number: int, how: str = "random", off_ms: int = OFF_MS) -> None:
        """When the flash is written for that many times more (1: the next), and the agent stands right there."""

        def cut() -> None:
            self.in_round = False
            self.power_cycle(how, off_ms)
            raise PowerCut

        self.flash.cut_at_write(number, cut)

    def _bitten(self) -> None:
        self.power_cycle("random", RESET_MS, "watchdog")

    # ---- the agent's process

    def _start_agent(self) -> None:
        if self.node is not None or not self.is_on:
            return
        self.life += 1
        self.hangs = False
        self.config = parse(self.config_text)
        platform = Platform(
            *(self.flash, self.artifacts, self.logs, self._boot_id, self.draw.randbytes, capabilities(self.config)),
            frame_bytes_max=FRAME_BYTES_MAX,
        )
        node = Node(self.config, platform)
        self._connections = Connections(self)
        self.processes.supervisor = Guarded(self, node.supervisor)
        storage: Any = Syncs(self)
        self._dispatcher = Dispatcher(
            *(node, storage, self.artifacts, self, {"process": self.processes}),
            *(self._connections, Worker(self), lambda level, text: self._note(f"{level}: {text}"), self.monotonic_ms),
        )
        self.node = node
        self._note("agent starts")
        for observer in self.world.observers:
            observer.agent(self.name, True, "start", self.queue.now_ms)
        try:
            recovery = node.open(self.monotonic_ms())
        except (PlatformError, CorruptionError) as error:
            self._note(f"agent cannot start: {error}")
            self._die(f"cannot start: {error}")
            return
        except PowerCut:
            return
        except Exception as error:  # noqa: BLE001 - as in `round`
            self._raised(error)
            return
        for text in recovery.damaged:
            self._note("journal damaged: " + text)
        self.round()

    def crash(self, why: str = "crash") -> None:
        """SIGKILL: the kernel closes its sockets, keeps what it wrote, and a service manager starts it again."""
        if self.node is not None:
            self._die(why)

    def hang(self) -> None:
        """Its loop never comes round again; the watchdog notices."""
        if self.node is not None:
            self._is_hung = True
            self._hold()
            self.watchdog.starve()

    def stop(self, then: Callable[[], object] | None = None) -> None:
        """SIGTERM: journal synced, goodbye said; workloads go on. `then` follows its end."""
        node = self.node
        if node is None or self.hangs:
            return
        self._stopped = then
        node.stop(self.monotonic_ms())
        life = self.life
        self.queue.after(STOP_TIMEOUT_MS, lambda: self._finish_stop() if self.life == life and self.node else None)
        self.round()

    def upgrade(self, down_ms: int = 5_000) -> None:
        """The agent is stopped in order, and a new one started."""
        self.stop(lambda: self.queue.after(down_ms, self._start_agent))

    def shut_down(self) -> None:
        """In order: the agent is stopped, workloads end, everything gets to the flash, the power goes."""
        if self.node is None or self.hangs:
            self.power_cut("kept", "shutdown")
        else:
            self.stop(lambda: self.power_cut("kept", "shutdown"))

    def suspend(self) -> None:
        """The machine sleeps: nothing runs. Its clocks count on, as the ports ask for."""
        if not self._sleeps and self.is_on:
            self._sleeps = True
            self._hold()

    def resume(self) -> None:
        if not self._sleeps:
            return
        self._sleeps = False
        if self._is_hung:
            return
        self.hangs = False
        self.processes.let_go()
        if self._connections is not None:
            self._connections.let_go()
        self.round()

    def _hold(self) -> None:
        if self.node is not None:
            self.hangs = True
            self.processes.hold()

    def _finish_stop(self) -> None:
        then, self._stopped = self._stopped, None
        self._end_agent("stop", is_told=True)
        if then is not None:
            then()

    def _die(self, why: str) -> None:
        self._end_agent(why, is_told=True)
        power = self._power
        self.queue.after(RESTART_MS, lambda: self._start_agent() if self._power == power else None)

    def _end_agent(self, why: str, is_told: bool) -> None:
        if self.node is None:
            return
        self._tell_gauges()
        self.life += 1
        self.node = None
        self.hangs = self._is_hung = False
        self.processes.supervisor = None
        self.flash.forget_completions()
        if self._event is not None:
            self._event.cancel()
        if self._connections is not None:
            self._connections.end(is_told)
        self._note("agent ends: " + why)
        self._tell_session(False, why)
        for observer in self.world.observers:
            observer.agent(self.name, False, why, self.queue.now_ms)

    # ---- the loop

    def monotonic_ms(self) -> int:
        return self.clock.monotonic_ms()

    def wake(self) -> None:
        """Something came without a descriptor: another round."""
        if self.in_round:
            self._again = True
        else:
            self.later(0, lambda: None)

    def later(self, delay_ms: int, call: Callable[[], object]) -> None:
        """In this life of the agent, with a round behind it."""
        life = self.life

        def run() -> None:
            if self.life == life:
                call()
                self.round()

        self.queue.after(delay_ms, run)

    def round(self) -> None:
        """Let the core do all that it can now, and wake it when it wants to be."""
        if self.node is None or self.hangs:
            return
        if self.in_round:
            self._again = True
            return
        self.in_round = True
        try:
            deadline_ms = self._rounds(self.node)
        except PowerCut:
            return  # in mid-write: who raised it has cut the power
        except Exception as error:  # noqa: BLE001 - it is what the simulator is for: told, and the agent dies of it
            self._raised(error)
            return
        finally:
            self.in_round = False
        if self.node is not None:
            self._arm(deadline_ms)

    def guarded(self, call: Callable[..., Value], *arguments: object) -> Value | None:
        """A call into the core from outside of a round; what it raises is the agent's end, not the world's."""
        if self.in_round:
            return call(*arguments)
        try:
            return call(*arguments)
        except PowerCut:
            return None
        except Exception as error:  # noqa: BLE001 - as in `round`
            self._raised(error)
            return None

    def _rounds(self, node: Node) -> int | None:
        deadline_ms: int | None = None
        for _ in range(ROUNDS_MAX):
            self._again = False
            now_ms = self.clock.monotonic_ms()
            deadline_ms = node.step(now_ms)
            if node._effects and self._dispatcher.run_effects():
                continue
            if self._connections is not None:
                self._connections.pump()
            if not self._again:
                break
        if node.link.live is not self._is_live:
            self._tell_session(node.link.live, node.link.last_end)
        if self.queue.now_ms >= self._gauges_ms:
            self._tell_gauges()
        if self._stopped is not None and node.stopped:
            self._finish_stop()
        return deadline_ms

    def _arm(self, deadline_ms: int | None) -> None:
        event = self._event
        if deadline_ms is None:
            if event is not None:
                event.cancel()
            return
        time_ms = self.clock.queue_time_ms(deadline_ms)
        if event is not None and event.call is not None:
            if event.time_ms == time_ms:
                return
            event.cancel()
        self._event = self.queue.at(time_ms, self.round)

    def _raised(self, error: Exception) -> None:
        lines = traceback.format_exception(error)
        self.faults.append("".join(lines))
        where = lines[-2].strip().splitlines()[0] if len(lines) > 1 else ""
        self._die(f"{type(error).__name__}: {error} ({where.rpartition('/')[2]})")

    # ---- what the dispatcher needs

    def store_certificate(self, der: bytes) -> None:
        self.identity = self.world.hub_of(self.name).renewed(der)

    def _find_program(self, words: list[str], environment: dict[str, str]) -> SimProcess | None:
        found = self.world.programs.find(words)
        return None if found is None else SimProcess(self, *found, environment)

    # ---- the network

    def cut(self, kind: str = "silent") -> None:
        self.link.cut(kind, self.queue.now_ms)
        self._link_changed()

    def heal(self) -> None:
        self.link.heal(self.queue.now_ms)
        self._link_changed()

    def use(self, profile: Profile) -> None:
        self.link.use(profile, self.queue.now_ms)
        self._link_changed()

    def flow_began(self, flow: Flow) -> None:
        self._flows.append(flow)

    def _link_changed(self) -> None:
        deadline_ms = self.link.step(self.queue.now_ms)
        if self._link_event is not None:
            self._link_event.cancel()
        if deadline_ms is not None:
            self._link_event = self.queue.at(deadline_ms, self._link_changed)
        if self.link.state != self._line:
            self._line = self.link.state
            self._note("line " + self._line)
            for observer in self.world.observers:
                observer.line(self.name, self._line, self.queue.now_ms)
        if self._connections is not None:
            self._connections.link_changed()

    # ---- what can be seen

    def _note(self, text: str) -> None:
        self.trace.note(self.queue.now_ms, self.name, text)

    def tell_attempt(self) -> None:
        self._note("connects")
        for observer in self.world.observers:
            observer.attempt(self.name, self.queue.now_ms)

    def _tell_session(self, is_live: bool, why: str) -> None:
        if is_live is self._is_live:
            return
        self._is_live = is_live
        self._note("session live" if is_live else "session over: " + why)
        for observer in self.world.observers:
            observer.session(self.name, is_live, why, self.queue.now_ms)

    def _tell_unit(self, workload: str, unit: str, what: str) -> None:
        self._note(f"unit {unit} of {workload} {what}")
        for observer in self.world.observers:
            observer.unit(self.name, workload, unit, what, self.queue.now_ms)

    def _tell_gauges(self) -> None:
        """Once a minute while the agent is awake, and at its end."""
        now_ms, node = self.queue.now_ms, self.node
        self._gauges_ms = now_ms + GAUGES_MS
        observers = self.world.observers
        if not observers and len(self._flows) < FLOWS_UNTOLD:
            return
        up = down = 0
        for flow in self._flows:
            up += flow.wire_bytes[UP]
            down += flow.wire_bytes[DOWN]
        written, syncs = self.flash.bytes_written, self.flash.syncs
        gauges = node_gauges(self, node) if node is not None and observers else {}
        for observer in observers:
            observer.wire(self.name, up - self._wire_bytes[0], down - self._wire_bytes[1], now_ms)
            observer.flash(self.name, written - self._flash_told[0], syncs - self._flash_told[1], now_ms)
            if gauges:
                observer.gauges(self.name, gauges, now_ms)
        self._wire_bytes = [up, down]
        self._flash_told = [written, syncs]
        self._forget_flows()

    def _forget_flows(self) -> None:
        for flow in self._flows[:-1]:  # only the last one may still carry anything that matters
            self._wire_bytes[0] -= flow.wire_bytes[UP]
            self._wire_bytes[1] -= flow.wire_bytes[DOWN]
        self._flows = self._flows[-1:]


class Guarded:
    """The core's supervisor, as processes tell it what became of them."""

    def __init__(self, node: SimNode, supervisor: Supervisor) -> None:
        self._node = node
        self._supervisor = supervisor

    def __getattr__(self, name: str) -> Callable[..., object]:
        method = getattr(self._supervisor, name)
        return lambda *arguments: self._node.guarded(method, *arguments)


def node_gauges(sim_node: SimNode, node: Node) -> dict[str, int]:
    return {
        "journal_bytes": sim_node.flash.used_bytes(),
        "flash_bytes": sim_node.flash.bytes_written,
        "reports_waiting": sum(node.journal.backlog(lane)[0] for lane in LANES),
        "effects": len(node._effects),
        "units": len(sim_node.processes.running()),
        "devices": len(node.devices.keys()),
    }


def _config_text(name: str, settings: dict[str, object], hubs: list[str]) -> str:
    lines = {"node": name, "hub": ", ".join(f"{hub}:7444" for hub in hubs), **settings}
    return "".join(f"{key} = {value}\n" for key, value in lines.items())
