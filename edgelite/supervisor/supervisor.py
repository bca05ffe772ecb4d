"""The supervisor: keeps what is desired running, and tells the hub what became of it.

It acts by table.py's cells. What it must know after a restart of the agent, or of the device, is one small record
for each unit in the journal, written before a unit starts, when it has started, and when it ends; while nothing happens
nothing is written.

Until `restore` nothing is started, and what only the records know is stopped at the first `step` after it, so the
desired workloads may be told before or after `restore`. While `keeps_unknown` it runs on instead: damage may have taken
what desired it.
"""

from edgelite.effects import AdoptUnit, RemoveWorkload, SignalUnit, StartUnit
from edgelite.journal import SPACE_SUPERVISOR
from edgelite.supervisor import backoff, status
from edgelite.supervisor.table import (
    ADOPT,
    AGAIN,
    BACKOFF,
    BADLY,
    COMPLETED,
    DUE,
    EVENT_NAMES,
    FAILED,
    IDLE,
    IMPOSSIBLE,
    RUN,
    RUNNING,
    STARTED,
    STARTING,
    STATE_NAMES,
    STOP,
    STOPPING,
    TABLE,
    WAIT,
    ending,
)
from edgelite.supervisor.unit import (
    EXIT_CODE_NOT_STARTED,
    EXIT_CODE_UNKNOWN,
    RECORD_COMPLETED,
    RECORD_FAILED,
    RECORD_RUNNING,
    End,
    Record,
    Unit,
    container_name_of,
    unit_name,
)
from edgelite.supervisor.workload import OWN_PREFIX, RUNTIME_PROCESS, Workload, uid_of, uid_of_key
from edgelite_protocol.errors import CorruptionError, MisuseError
from edgelite_protocol.messages import CONTAINER_SIZE_BYTES, LANE_STATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.context import Context

SIGNAL_TERMINATE = 15
SIGNAL_KILL = 9
KILL_AGAIN_MS = 5000  # a killed process that stays is stuck in the kernel; asking more often helps nobody
REASON_ARTIFACT_MISSING = "ArtifactMissing"  # a start failed because the artifact is not unpacked here


class Supervisor:
    """`runtimes` are those that the port announces; `cannot` has its texts why it lacks others, by "runtime-NAME"."""

    def __init__(
        self,
        context: "Context",
        runtimes: "list[str] | tuple[str, ...]" = (RUNTIME_PROCESS,),
        cannot: "dict[str, str] | None" = None,
    ) -> None:
        self._context = context
        self._runtimes = tuple(runtimes)
        self._cannot_texts = cannot or {}
        self._journal = context.journal
        self._workloads: dict[str, Workload] = {}  # by uid
        self._units: dict[str, Unit] = {}  # by name
        self._ready: set[bytes] = set()  # artifacts that are in place
        self._pull_failures: dict[bytes, int] = {}  # in a row, by digest
        self._restored = False
        self._orphans: list[Workload] = []  # known from records only; stopped at the next step
        self.keeps_unknown = False
        self.changes = 0  # grows with whatever changes a unit or a workload, and so what is wanted and named
        self._stepped_changes = -1  # at the last step, and its deadline
        self._due_ms: int | None = None

    # ---- what shall be

    def restore(self, now_ms: int) -> None:
        """After a start of the agent: take up what the journal's records tell, then start what is desired.

        A record that does not validate is dropped with its unit's history; the unit is started anew, and the
        port finds what may still run of it by itself.
        """
        self._restored = True
        for name in sorted(self._journal.keys(SPACE_SUPERVISOR)):
            try:
                record = Record(name, self._journal.get(SPACE_SUPERVISOR, name) or b"")
            except CorruptionError:
                self._forget_record(name)
            else:
                self._restore_unit(record, now_ms)
        for uid in sorted(self._workloads):
            if self._workloads[uid].known:
                self._reconcile(self._workloads[uid], now_ms)

    def set_desired(self, key: str, form: "dict[int, object] | None", now_ms: int) -> None:
        """The workload of a feed entry; None where the entry was deleted."""
        uid = uid_of_key(key) if form is None else uid_of(form)
        if not uid.startswith(OWN_PREFIX):
            self._set(uid, form, now_ms)

    def set_own(self, uid: str, form: "dict[int, object] | None", now_ms: int) -> None:
        """A workload of the node's own, whose uid begins with OWN_PREFIX; None ends it. No report tells of it."""
        if form is not None or uid in self._workloads:
            self._set(uid, form, now_ms)

    def kill_own(self, uid: str) -> None:
        """Kill what runs of it; the restart policy says what comes next."""
        workload = self._workloads.get(uid)
        for unit in workload.units.values() if workload else ():
            if unit.state == RUNNING:
                self._context.emit(SignalUnit(unit.name, unit.runtime, SIGNAL_KILL))

    def trouble_of(self, uid: str) -> str:
        """Why what should run of it waits, for a person; "" where it runs, or nothing is known yet."""
        workload = self._workloads.get(uid)
        for unit in workload.units.values() if workload else ():
            if unit.state == BACKOFF and unit.last_end is not None:
                return unit.last_end.message
        return ""

    def _set(self, uid: str, form: "dict[int, object] | None", now_ms: int) -> None:
        workload = self._workloads.get(uid)
        if workload is None:
            workload = self._workloads[uid] = Workload(uid, form)
        if form is None:
            workload.removed = True
        else:
            workload.form, workload.known, workload.removed = form, True, False
        workload.changed = True
        self.changes += 1
        if self._restored:
            self._reconcile(workload, now_ms)

    def wanted_artifacts(self) -> "list[tuple[bytes, int]]":
        """(digest, size in bytes) of each artifact that a workload waits for; what failed most often comes last,
        so that one that cannot be had never keeps the others waiting."""
        wanted = {}
        for unit in self._units.values():
            digest = unit.digest()
            if digest is not None and digest not in self._ready and unit.wanted is not None:
                wanted[digest] = unit.wanted.get(CONTAINER_SIZE_BYTES, 0)
        order = sorted((self._pull_failures.get(digest, 0), digest) for digest in wanted)
        return [(digest, wanted[digest]) for _failures, digest in order]  # type: ignore[misc]

    def named_artifacts(self) -> "list[bytes]":
        """The digests that workloads name: what must be kept."""
        digests: set[bytes | None] = set()
        for unit in self._units.values():
            digests.add(unit.digest())
            digests.add(unit.running_digest())
        digests.discard(None)
        return sorted(digests) if digests else []  # type: ignore[arg-type]

    # ---- completions

    def artifact_ready(self, digest: bytes, now_ms: int) -> None:
        """It is unpacked and in place."""
        self.changes += 1
        self._ready.add(digest)
        self._pull_failures.pop(digest, None)
        for unit in self._units_that_need(digest):
            unit.pull_error = ""
            self._fire(unit, RUN, now_ms)

    def artifact_failed(self, digest: bytes, text: str, now_ms: int) -> None:
        """It could not be fetched or unpacked; whoever fetches tries again."""
        self.changes += 1
        self._ready.discard(digest)
        self._pull_failures[digest] = self._pull_failures.get(digest, 0) + 1
        for unit in self._units_that_need(digest):
            unit.pull_error = text
            self._workloads[unit.uid].changed = True

    def started(self, unit_name: str, identity: "dict[int, object]", now_ms: int) -> None:
        unit = self._unit(unit_name)
        unit.identity = identity
        self._fire(unit, STARTED, now_ms)

    def start_failed(self, unit_name: str, reason: str, message: str, now_ms: int) -> None:
        """`reason` is a word such as "CommandNotFound"; `message` is for a person."""
        unit = self._unit(unit_name)
        digest = unit.digest()
        if reason == REASON_ARTIFACT_MISSING and digest is not None:
            self._ready.discard(digest)
            self._fire(unit, WAIT, now_ms)
            return
        end = End(EXIT_CODE_NOT_STARTED, 0, reason, message, None, self._context.clock.time(now_ms))
        self._ended(unit, end, 0, now_ms)

    def exited(self, unit_name: str, exit_code: int, signal: int, now_ms: int, message: str = "") -> None:
        """`exit_code` is -1 where it is unknown; `signal` is 0 where none ended it; `message`, for a person, is what
        the runtime knows beyond these."""
        unit = self._unit(unit_name)
        well = exit_code == 0 and signal == 0
        if exit_code == EXIT_CODE_UNKNOWN and signal == 0:
            reason, text = status.REASON_UNKNOWN_END, "it ended and nobody kept its exit status"
        elif signal:
            reason, text = status.REASON_ERROR, "killed by signal %d" % signal
        else:
            reason, text = status.REASON_COMPLETED if well else status.REASON_ERROR, "exit code %d" % exit_code
        self._note_end(unit, exit_code, signal, reason, message or text, now_ms)

    def lost(self, unit_name: str, now_ms: int) -> None:
        """Nothing of what should be adopted is there any more."""
        message = "it ended while the agent was away"
        self._note_end(self._unit(unit_name), EXIT_CODE_UNKNOWN, 0, status.REASON_UNKNOWN_END, message, now_ms)

    # ---- time

    def step(self, now_ms: int) -> "int | None":
        """Let deadlines pass, tell what changed; the next deadline."""
        if self._orphans and not self.keeps_unknown:
            self._stop_orphans(now_ms)
        if self.changes == self._stepped_changes and (self._due_ms is None or now_ms < self._due_ms):
            return self._due_ms  # nearly always
        self._stepped_changes = self.changes
        deadline_ms = None
        for name in sorted(self._units):
            due_ms = self._step_unit(self._units[name], now_ms)
            if due_ms is not None and (deadline_ms is None or due_ms < deadline_ms):
                deadline_ms = due_ms
        self._report(now_ms)
        self._due_ms = deadline_ms
        return deadline_ms

    def _stop_orphans(self, now_ms: int) -> None:
        for workload in self._orphans:
            if not workload.known and workload.uid in self._workloads:
                workload.removed = True
                self._reconcile(workload, now_ms)
        self._orphans = []

    def summary(self) -> "list[dict[str, object]]":
        """One row for each unit, for the local status."""
        return [status.summary_row(self._units[name]) for name in sorted(self._units)]

    # ---- inside: reconciling

    def _restore_unit(self, record: Record, now_ms: int) -> None:
        uid, _, container_name = record.name.partition("/")
        if record.runtime not in self._runtimes:
            self._forget_record(record.name)  # an agent of another port left it; nothing here could find it again
            return
        workload = self._workloads.get(uid)
        if workload is None:
            workload = self._workloads[uid] = Workload(uid, None)
            workload.removed = False  # until the next step, when it is clear that nothing desires it
            self._orphans.append(workload)
        unit = self._add_unit(workload, container_name)
        record.apply(unit)
        same_boot = record.boot_id == self._context.boot_id
        if record.kind in (RECORD_COMPLETED, RECORD_FAILED):
            unit.state = COMPLETED if record.kind == RECORD_COMPLETED else FAILED
        elif not same_boot:
            unit.forget_boot(record.kind == RECORD_RUNNING)
        elif record.kind == RECORD_RUNNING:
            self._fire(unit, ADOPT, now_ms)
        else:
            unit.state = BACKOFF

    def _reconcile(self, workload: Workload, now_ms: int) -> None:
        """Bring every unit of the workload towards what is desired of it."""
        self.changes += 1
        wanted = {}
        if workload.shall_run() and self._cannot(workload) is None:
            wanted = {container_name_of(container): container for container in workload.containers()}
        for container_name in sorted(wanted):
            if unit_name(workload.uid, container_name) not in workload.units:
                self._add_unit(workload, container_name)
        for name in sorted(workload.units):
            unit = workload.units[name]
            unit.wanted = wanted.get(unit.container_name)
            unit.wanted_runtime = workload.runtime()
            self._reconcile_unit(workload, unit, now_ms)
        self._finish_removal(workload)

    def _reconcile_unit(self, workload: Workload, unit: Unit, now_ms: int) -> None:
        if unit.is_outdated() or _shall_run_after_all(workload, unit):
            self._fire(unit, STOP, now_ms)
        elif unit.container is None:
            unit.container = unit.wanted  # its record knew only the fingerprint
        if unit.interrupted:
            self._take_up_interrupted(workload, unit, now_ms)
        if unit.state == STOPPING and unit.deadline_ms is not None:
            unit.deadline_ms = min(unit.deadline_ms, now_ms + workload.grace_ms())  # a deletion may be in more haste
        self._run(unit, now_ms)

    def _take_up_interrupted(self, workload: Workload, unit: Unit, now_ms: int) -> None:
        """The device restarted under it. Its process is gone, which is no failure of its own; but what shall run
        once only has had its run."""
        unit.interrupted = False
        if workload.restart_policy() == "Never":
            reason = status.REASON_UNKNOWN_END
            unit.last_end = End(EXIT_CODE_UNKNOWN, 0, reason, "the device restarted", unit.started, None)
            self._fire(unit, BADLY, now_ms)
        else:
            unit.restarts += 1
        unit.started = None

    def _run(self, unit: Unit, now_ms: int) -> None:
        if unit.state == STARTING:
            return  # the port tells what becomes of that, an artifact that is gone included
        if unit.wanted is not None and unit.name in self._units:
            digest = unit.digest()
            self._fire(unit, RUN if digest is None or digest in self._ready else WAIT, now_ms)

    def _cannot(self, workload: Workload) -> "str | None":
        """Why the workload's runtime is none of this node's; None where it is."""
        runtime = workload.runtime()
        if runtime in self._runtimes:
            return None
        why = self._cannot_texts.get("runtime-" + runtime)
        has = ", ".join(sorted(self._runtimes)) or "none"
        return "no runtime %s here, but %s" % (runtime, has) + (": " + why if why else "")

    def _add_unit(self, workload: Workload, container_name: str) -> Unit:
        self.changes += 1
        unit = Unit(workload.uid, container_name)
        workload.units[unit.name] = self._units[unit.name] = unit
        return unit

    def _finish_removal(self, workload: Workload) -> None:
        """When nothing of a workload runs that shall not run: say so, and let go of what it left behind."""
        if workload.shall_run() or workload.units or workload.uid not in self._workloads:
            return
        del self._workloads[workload.uid]
        if not workload.is_own:
            self._context.report(LANE_STATE, status.gone_body(workload.uid), "w/" + workload.uid)
        self._context.emit(RemoveWorkload(workload.uid))

    def _units_that_need(self, digest: bytes) -> "list[Unit]":
        return [self._units[name] for name in sorted(self._units) if self._units[name].digest() == digest]

    def _unit(self, name: str) -> Unit:
        unit = self._units.get(name)
        if unit is None:
            raise MisuseError("a completion for the unit %s, which there is not" % name)
        return unit

    # ---- inside: the table's actions

    def _fire(self, unit: Unit, event: int, now_ms: int) -> None:
        cell = TABLE[unit.state][event]
        if cell == IMPOSSIBLE:
            text = "unit %s is %s: %s cannot happen" % (unit.name, STATE_NAMES[unit.state], EVENT_NAMES[event])
            raise MisuseError(text)
        self.changes += 1
        action, next_state = cell
        if unit.state != next_state:
            self._workloads[unit.uid].changed = True
            unit.state = next_state
            unit.deadline_ms = None
        if action:
            _ACTIONS[action](self, unit, now_ms)

    def _start(self, unit: Unit, now_ms: int) -> None:
        """Recorded first: whatever becomes of this agent, the next one looks for what may have been started."""
        unit.container = unit.wanted
        unit.runtime = unit.wanted_runtime
        workload = self._workloads[unit.uid]
        self._write_record(unit)
        self._context.emit(StartUnit(unit.name, unit.runtime, workload.form, unit.container or {}))

    def _adopt(self, unit: Unit, now_ms: int) -> None:
        self._context.emit(AdoptUnit(unit.name, unit.runtime, unit.identity))

    def _note_running(self, unit: Unit, now_ms: int) -> None:
        if unit.started is None:
            unit.started = self._context.clock.time(now_ms)
            unit.started_ms = now_ms
        self._write_record(unit)

    def _terminate(self, unit: Unit, now_ms: int) -> None:
        unit.deadline_ms = now_ms + self._workloads[unit.uid].grace_ms()
        self._context.emit(SignalUnit(unit.name, unit.runtime, SIGNAL_TERMINATE))

    def _kill(self, unit: Unit, now_ms: int) -> None:
        unit.deadline_ms = now_ms + KILL_AGAIN_MS
        self._context.emit(SignalUnit(unit.name, unit.runtime, SIGNAL_KILL))

    def _back_off(self, unit: Unit, now_ms: int) -> None:
        if unit.last_end is not None and unit.last_end.ran():
            unit.restarts += 1  # what never ran cannot run again
        unit.deadline_ms = now_ms + backoff.delay_ms(unit.ends)
        self._write_record(unit)

    def _finish(self, unit: Unit, now_ms: int) -> None:
        self._write_record(unit)

    def _clear(self, unit: Unit, now_ms: int) -> None:
        self._forget_record(unit.name)
        unit.take_wanted()
        if unit.wanted is None:
            del self._workloads[unit.uid].units[unit.name]
            del self._units[unit.name]
        self._forget_artifacts()

    def _forget_artifacts(self) -> None:
        """Know nothing of artifacts that no workload names; they may be removed now."""
        named = self.named_artifacts()
        self._ready = {digest for digest in named if digest in self._ready}
        failures = self._pull_failures
        self._pull_failures = {digest: failures[digest] for digest in named if digest in failures}

    # ---- inside: ends

    def _note_end(self, unit: Unit, exit_code: int, signal: int, reason: str, message: str, now_ms: int) -> None:
        started = unit.started or self._context.clock.time(now_ms)
        end = End(exit_code, signal, reason, message, started, self._context.clock.time(now_ms))
        self._ended(unit, end, now_ms - unit.started_ms, now_ms)

    def _ended(self, unit: Unit, end: End, ran_ms: int, now_ms: int) -> None:
        workload = self._workloads[unit.uid]
        unit.last_end = end
        unit.ends = backoff.count_end(unit.ends, ran_ms)
        unit.identity = {}
        unit.started = None
        self._fire(unit, ending(workload.restart_policy(), end.well()), now_ms)
        if unit.state == IDLE:  # it was stopped: perhaps to start in another form, perhaps the last of its workload
            self._run(unit, now_ms)
            self._finish_removal(workload)

    # ---- inside: time and reports

    def _step_unit(self, unit: Unit, now_ms: int) -> "int | None":
        if unit.deadline_ms is not None and unit.deadline_ms <= now_ms:
            self._fire(unit, DUE, now_ms)
        return unit.deadline_ms

    def _report(self, now_ms: int) -> None:
        for uid in sorted(self._workloads):
            workload = self._workloads[uid]
            if workload.changed and workload.known and not workload.is_own:
                workload.changed = False
                body = status.workload_body(workload, self._context.clock.time(now_ms), self._cannot(workload))
                self._context.report(LANE_STATE, body, "w/" + uid)

    def _write_record(self, unit: Unit) -> None:
        self._journal.write([("put", SPACE_SUPERVISOR, unit.name, unit.encode(self._context.boot_id))])

    def _forget_record(self, name: str) -> None:
        if name in self._journal.keys(SPACE_SUPERVISOR):
            self._journal.write([("delete", SPACE_SUPERVISOR, name)])


def _shall_run_after_all(workload: Workload, unit: Unit) -> bool:
    """It finished under another restartPolicy than the one it has now."""
    if unit.state not in (COMPLETED, FAILED) or unit.last_end is None:
        return False
    return ending(workload.restart_policy(), unit.last_end.well()) == AGAIN


_ACTIONS = {
    "start": Supervisor._start,
    "adopt": Supervisor._adopt,
    "note_running": Supervisor._note_running,
    "terminate": Supervisor._terminate,
    "kill": Supervisor._kill,
    "back_off": Supervisor._back_off,
    "finish": Supervisor._finish,
    "clear": Supervisor._clear,
}
