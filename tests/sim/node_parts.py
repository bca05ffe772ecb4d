"""A node's parts without a network: the real supervisor over simulated processes, on an event queue."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from edgelite.clock import Clock
from edgelite.context import Context
from edgelite.effects import AdoptUnit, RemoveWorkload, SignalUnit, StartUnit
from edgelite.supervisor import Supervisor
from edgelite_protocol import messages as m
from edgelite_sim.world.logs import LogStore
from edgelite_sim.world.processes import SimProcesses
from edgelite_sim.world.queue import EventQueue

BOOTS = (b"boot-boot-boot-1", b"boot-boot-boot-2")
UNIT = "u1/main"
Form = dict[int, Any]


class DictJournal:
    """What the supervisor uses of a journal."""

    def __init__(self) -> None:
        self.values: dict[tuple[int, str], bytes] = {}

    def get(self, space: int, key: str) -> bytes | None:
        return self.values.get((space, key))

    def keys(self, space: int) -> list[str]:
        return [key for of_space, key in self.values if of_space == space]

    def write(self, changes: list[tuple[Any, ...]]) -> None:
        for change in changes:
            if change[0] == "put":
                self.values[(change[1], change[2])] = change[3]
            else:
                del self.values[(change[1], change[2])]


class Machine:
    def __init__(self, seed: int = 1) -> None:
        self.queue = EventQueue()
        self.journal = DictJournal()
        self.told: list[str] = []  # what the Observer would hear
        self.signals: list[int] = []
        self.boot = 0
        self.processes = SimProcesses(self.queue, Random(seed), None, self._tell, "node-1")
        self.logs = LogStore(self.processes)
        self.restart()

    def _tell(self, workload: str, unit: str, what: str) -> None:
        self.told.append(f"{workload} {unit} {what}")

    def _report(self, lane: int, body: Form, coalesce_key: str) -> None:
        self.bodies.append(body)

    # ---- the agent

    def restart(self) -> None:
        """Another agent; the one before is never asked again. It takes its first turn with `desire`, as the real one
        has read its desired state by then."""
        self.effects: list[Any] = []
        self.bodies: list[Form] = []
        boot = BOOTS[self.boot]
        context = Context(self.journal, self.effects.append, self._report, Clock(boot), bytes, boot)  # type: ignore[arg-type]
        self.supervisor = Supervisor(context)
        self.processes.supervisor = self.supervisor
        self.processes.woken = self.turn
        self._carry_out: dict[type, Callable[[Any], None]] = {
            StartUnit: self.processes.start,
            AdoptUnit: self.processes.adopt,
            SignalUnit: self._signal,
            RemoveWorkload: self.processes.remove,
        }
        self.supervisor.restore(self.queue.now_ms)

    def power_cut(self) -> None:
        self.processes.lose_power()
        self.boot = 1
        self.queue.run(self.queue.now_ms + 60_000)
        self.restart()

    def _signal(self, effect: SignalUnit) -> None:
        self.signals.append(effect.signal)
        self.processes.signal(effect)

    def turn(self) -> None:
        """A round of the port's loop; the next one is at the supervisor's deadline."""
        if self.processes.supervisor is not self.supervisor:
            return
        while True:
            deadline_ms = self.supervisor.step(self.queue.now_ms)
            if not self.effects:
                break
            effect = self.effects.pop(0)
            self._carry_out[type(effect)](effect)
        if deadline_ms is not None:
            self.queue.at(deadline_ms, self.turn)

    # ---- what a test asks

    def desire(self, form: Form | None, uid: str = "u1") -> None:
        self.supervisor.set_desired("default/work/" + uid, form, self.queue.now_ms)
        self.turn()

    def run(self, duration_ms: int) -> None:
        self.queue.run(self.queue.now_ms + duration_ms)

    def until(self, condition: Callable[[], object]) -> None:
        for _ in range(10_000):
            if condition():
                return
            self.run(10)
        raise AssertionError((self.supervisor.summary(), self.told))

    def row(self, unit: str = UNIT) -> dict[str, Any]:
        rows = [row for row in self.supervisor.summary() if row["unit"] == unit]
        return rows[0] if rows else {}

    def state(self, unit: str = UNIT) -> str:
        return str(self.row(unit).get("table_state", ""))

    def status(self) -> Form:
        """The first container's in the last report that has one."""
        last: Form = [body for body in self.bodies if m.STATUS_CONTAINERS in body][-1][m.STATUS_CONTAINERS][0]
        return last

    def end(self) -> str:
        """How the unit last ended."""
        last_end = self.supervisor._units[UNIT].last_end
        return "" if last_end is None else last_end.message

    def told_gone(self) -> bool:
        return {m.REPORT: m.REPORT_WORKLOAD_GONE, 1: "u1"} in self.bodies

    def log(self, lines: int = -1, previous: bool = False) -> str:
        reader = self.logs.open("u1", "main", lines, previous, 0)
        data = b""
        while piece := reader.read(50):
            data += piece
        return data.decode()


def workload(*command: str, policy: str = "Always", grace_ms: int = 5000, uid: str = "u1", name: str = "work") -> Form:
    container = {m.CONTAINER_NAME: "main", m.CONTAINER_IMAGE: "host", m.CONTAINER_COMMAND: list(command)}
    return {
        m.WORKLOAD_UID: uid,
        m.WORKLOAD_NAMESPACE: "default",
        m.WORKLOAD_NAME: name,
        m.WORKLOAD_RUNTIME: "process",
        m.WORKLOAD_RESTART_POLICY: policy,
        m.WORKLOAD_GRACE_MS: grace_ms,
        m.WORKLOAD_CONTAINERS: [container],
        m.WORKLOAD_GENERATION: 1,
    }
