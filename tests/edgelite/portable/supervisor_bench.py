"""A bench for the supervisor: a journal in a dict, effects and reports in lists, and forms of workloads."""

from edgelite.clock import Clock
from edgelite.context import Context
from edgelite.supervisor import Supervisor
from edgelite_protocol.messages import (
    CONTAINER_COMMAND,
    CONTAINER_DIGEST,
    CONTAINER_IMAGE,
    CONTAINER_NAME,
    CONTAINER_SIZE_BYTES,
    STATUS_CONTAINERS,
    WORKLOAD_CONTAINERS,
    WORKLOAD_GENERATION,
    WORKLOAD_GRACE_MS,
    WORKLOAD_NAME,
    WORKLOAD_NAMESPACE,
    WORKLOAD_RESTART_POLICY,
    WORKLOAD_RUNTIME,
    WORKLOAD_UID,
)

BOOT = b"boot-boot-boot-1"
OTHER_BOOT = b"boot-boot-boot-2"
KEY = "default/meter/u1"
UNIT = "u1/main"
IDENTITY = {1: 100, 2: 5000, 3: 101, 4: 5001}
DIGEST = b"d" * 32


class DictJournal:
    """What the supervisor uses of a journal, and how often it was written to."""

    def __init__(self):
        self.values = {}
        self.writes = 0

    def get(self, space, key):
        return self.values.get((space, key))

    def keys(self, space):
        return [key for of_space, key in self.values if of_space == space]

    def write(self, changes):
        self.writes += 1
        for change in changes:
            if change[0] == "put":
                self.values[(change[1], change[2])] = change[3]
            else:
                del self.values[(change[1], change[2])]


class Bench:
    """`restart()` is an agent that died and came back; with another boot id, a device that did."""

    def __init__(self, restored=True, runtimes=("process",), cannot=None):
        self.journal = DictJournal()
        self.runtimes = runtimes
        self.cannot = cannot
        self.restart(BOOT, restored)

    def restart(self, boot_id=BOOT, restored=False):
        self.effects = []
        self.reports = []
        context = Context(self.journal, self.effects.append, self._report, Clock(boot_id), bytes, boot_id)
        self.supervisor = Supervisor(context, self.runtimes, self.cannot)
        if restored:
            self.supervisor.restore(0)

    def _report(self, lane, body, coalesce_key):
        self.reports.append((lane, body, coalesce_key))

    def take_effects(self):
        """The effects since the last call, as (class name, unit or uid)."""
        taken = [(type(e).__name__, e.uid if hasattr(e, "uid") else e.unit) for e in self.effects]
        del self.effects[:]
        return taken

    def unit(self, name=UNIT):
        return self.supervisor._units[name]

    def status(self):
        """The container statuses of the last report."""
        return self.reports[-1][1][STATUS_CONTAINERS]

    def run(self, form=None, now_ms=0):
        """A workload that has been started."""
        self.supervisor.set_desired(KEY, form or workload(), now_ms)
        self.supervisor.started(UNIT, IDENTITY, now_ms)
        self.take_effects()


def container(name="main", command=("meter",), digest=None):
    form = {CONTAINER_NAME: name, CONTAINER_IMAGE: "host", CONTAINER_COMMAND: list(command)}
    if digest is not None:
        form[CONTAINER_DIGEST] = digest
        form[CONTAINER_SIZE_BYTES] = 1000
    return form


def workload(policy="Always", containers=None, grace_ms=3000, generation=1, uid="u1", runtime="process"):
    return {
        WORKLOAD_UID: uid,
        WORKLOAD_NAMESPACE: "default",
        WORKLOAD_NAME: "meter",
        WORKLOAD_RUNTIME: runtime,
        WORKLOAD_RESTART_POLICY: policy,
        WORKLOAD_GRACE_MS: grace_ms,
        WORKLOAD_CONTAINERS: containers or [container()],
        WORKLOAD_GENERATION: generation,
    }
