"""The supervisor with tasks under it, on a clock that stands still unless it is moved."""

from edgelite.clock import Clock
from edgelite.context import Context
from edgelite.effects import AdoptUnit, RemoveWorkload, SignalUnit, StartUnit
from edgelite.supervisor import Supervisor
from edgelite_ports.micropython.ring_log import RingLogs
from edgelite_ports.micropython.tasks import Tasks, register, unregister
from edgelite_protocol import messages as m

BOOT = b"boot-boot-boot-1"
UNIT = "u1/main"


class DictJournal:
    def __init__(self):
        self.values = {}

    def get(self, space, key):
        return self.values.get((space, key))

    def keys(self, space):
        return [key for of_space, key in self.values if of_space == space]

    def write(self, changes):
        for change in changes:
            if change[0] == "put":
                self.values[(change[1], change[2])] = change[3]
            else:
                del self.values[(change[1], change[2])]


class Agent:
    def __init__(self, functions=None, tasks_max=8):
        self.now_ms = 0
        self.warnings = []
        self.journal = DictJournal()
        self._tasks_max = tasks_max
        self._functions = functions or {}
        for name in self._functions:
            register(name, self._functions[name])
        self.restart()

    def restart(self):
        """As after a crash of the agent within one boot."""
        self.effects = []
        self.bodies = []
        context = Context(self.journal, self.effects.append, self._report, Clock(BOOT), bytes, BOOT)
        self.supervisor = Supervisor(context, ("task",))
        self.logs = RingLogs(ring_bytes=1000)
        clock = lambda: self.now_ms  # noqa: E731 - a def would need another name
        self.tasks = Tasks(self.supervisor, self.logs, "node-1", clock, self.warnings.append, self._tasks_max)
        self._carry_out = {
            StartUnit: self.tasks.start,
            AdoptUnit: self.tasks.adopt,
            SignalUnit: self.tasks.signal,
            RemoveWorkload: self.tasks.remove,
        }
        self.supervisor.restore(self.now_ms)

    def _report(self, lane, body, coalesce_key):
        self.bodies.append(body)

    def desire(self, form, uid="u1"):
        self.supervisor.set_desired("default/work/" + uid, form, self.now_ms)
        self.turn()

    def turn(self):
        """All that is due now; when the next thing is."""
        while True:
            deadlines = [self.tasks.step(self.now_ms), self.supervisor.step(self.now_ms)]
            if not self.effects:
                due = [deadline_ms for deadline_ms in deadlines if deadline_ms is not None]
                return min(due) if due else None
            effect = self.effects.pop(0)
            self._carry_out[type(effect)](effect)

    def run_for(self, duration_ms):
        end_ms = self.now_ms + duration_ms
        while True:
            deadline_ms = self.turn()
            if deadline_ms is None or deadline_ms > end_ms:
                self.now_ms = end_ms
                return
            self.now_ms = max(deadline_ms, self.now_ms + 1)

    def row(self, unit=UNIT):
        rows = [row for row in self.supervisor.summary() if row["unit"] == unit]
        return rows[0] if rows else {}

    def status(self):
        """The first container's in the last report that has one."""
        return [body for body in self.bodies if m.STATUS_CONTAINERS in body][-1][m.STATUS_CONTAINERS][0]

    def log(self, lines=-1, previous=False):
        reader = self.logs.open("u1", "main", lines, previous, 0)
        pieces = []
        while True:
            piece = reader.read(50)
            if not piece:
                return b"".join(pieces).decode()
            pieces.append(piece)

    def close(self):
        self.tasks.close()
        for name in self._functions:
            unregister(name)


def workload(*command, policy="Always", grace_ms=5000, uid="u1", environment=None, files=(), digest=None):
    container = {
        m.CONTAINER_NAME: "main",
        m.CONTAINER_IMAGE: "host",
        m.CONTAINER_COMMAND: list(command),
        m.CONTAINER_ENVIRONMENT: environment or {},
        m.CONTAINER_FILES: list(files),
    }
    if digest is not None:
        container[m.CONTAINER_DIGEST] = digest
    return {
        m.WORKLOAD_UID: uid,
        m.WORKLOAD_NAMESPACE: "default",
        m.WORKLOAD_NAME: "work",
        m.WORKLOAD_RUNTIME: "task",
        m.WORKLOAD_RESTART_POLICY: policy,
        m.WORKLOAD_GRACE_MS: grace_ms,
        m.WORKLOAD_CONTAINERS: [container],
        m.WORKLOAD_GENERATION: 1,
    }
