"""The supervisor against a platform that does anything the contract allows, at any moment, with restarts of agent and
device in between. What must hold always, and what must come true once the platform behaves."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edgelite.clock import Clock
from edgelite.context import Context
from edgelite.effects import AdoptUnit, RemoveWorkload, SignalUnit, StartUnit
from edgelite.supervisor import Supervisor
from edgelite_protocol import messages as m

UIDS = ("u1", "u2")
DIGEST = b"d" * 32


class Journal:
    def __init__(self) -> None:
        self.values: dict[tuple[int, str], bytes] = {}

    def get(self, space: int, key: str) -> bytes | None:
        return self.values.get((space, key))

    def keys(self, space: int) -> list[str]:
        return [key for of_space, key in self.values if of_space == space]

    def write(self, changes: list[tuple]) -> None:  # type: ignore[type-arg]
        for change in changes:
            if change[0] == "put":
                self.values[change[1:3]] = change[3]
            else:
                del self.values[change[1:3]]


def form(uid: str, variant: int, policy: str, terminating: bool) -> dict[int, object]:
    container: dict[int, object] = {
        m.CONTAINER_NAME: "main",
        m.CONTAINER_IMAGE: "host",
        m.CONTAINER_COMMAND: ["run", str(variant)],
    }
    if variant == 2:
        container[m.CONTAINER_DIGEST] = DIGEST
        container[m.CONTAINER_SIZE_BYTES] = 7
    return {
        m.WORKLOAD_UID: uid,
        m.WORKLOAD_NAMESPACE: "default",
        m.WORKLOAD_NAME: uid,
        m.WORKLOAD_RUNTIME: "process",
        m.WORKLOAD_RESTART_POLICY: policy,
        m.WORKLOAD_GRACE_MS: 1000,
        m.WORKLOAD_CONTAINERS: [container],
        m.WORKLOAD_GENERATION: 1,
        m.WORKLOAD_TERMINATING: terminating,
    }


class Process:
    def __init__(self, number: int, command: list[str]) -> None:
        self.identity: dict[int, object] = {1: number, 2: number, 3: number, 4: number}
        self.command = command
        self.exit: tuple[int, int] | None = None


class Platform(RuleBasedStateMachine):
    """Keeps the port's contract and nothing more."""

    @initialize()
    def begin(self) -> None:
        self.journal = Journal()
        self.desired: dict[str, dict[int, object]] = {}
        self.processes: dict[str, Process] = {}  # by unit; what the kernel knows
        self.asked: dict[str, StartUnit | AdoptUnit] = {}  # not yet completed
        self.gone: list[str] = []
        self.number = 0
        self.now_ms = 1000
        self.artifact_here = False
        self.boot(True)

    def boot(self, is_new_boot: bool) -> None:
        if is_new_boot:
            self.boot_id = b"%016d" % self.number
            self.number += 1
            self.processes.clear()
        self.effects: list[object] = []
        self.asked.clear()
        context = Context(
            self.journal,  # type: ignore[arg-type]
            self.effects.append,
            self.report,
            Clock(self.boot_id),
            bytes,
            self.boot_id,
        )
        self.supervisor = Supervisor(context)
        self.supervisor.restore(self.now_ms)
        for uid in sorted(self.desired):
            self.supervisor.set_desired("default/w/" + uid, self.desired[uid], self.now_ms)
        self.take_effects()

    def report(self, lane: int, body: dict[int, object], coalesce_key: str | None) -> None:
        if body[m.REPORT] == m.REPORT_WORKLOAD_GONE:
            uid = str(body[1])
            assert not self.runs(uid + "/main"), "said gone while it runs"
            self.gone.append(uid)

    def runs(self, unit: str) -> bool:
        return unit in self.processes and self.processes[unit].exit is None

    def take_effects(self) -> None:
        while self.effects:
            effect = self.effects.pop(0)
            if isinstance(effect, StartUnit):
                assert not self.runs(effect.unit), "started while it runs"
                assert effect.unit not in self.asked
                self.asked[effect.unit] = effect
            elif isinstance(effect, AdoptUnit):
                assert effect.unit not in self.asked
                self.asked[effect.unit] = effect
            elif isinstance(effect, SignalUnit):
                assert effect.unit in self.processes, "a signal to what was never started"
                if effect.signal == 9 and self.processes[effect.unit].exit is None:
                    self.processes[effect.unit].exit = (137, 9)
            else:
                assert isinstance(effect, RemoveWorkload)
                assert not self.runs(effect.uid + "/main")

    # ---- the platform's completions

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), succeeds=st.booleans())
    def complete(self, data: st.DataObject, succeeds: bool) -> None:
        unit = data.draw(st.sampled_from(sorted(self.asked)))
        effect = self.asked.pop(unit)
        if isinstance(effect, AdoptUnit):
            self.complete_adoption(unit, effect)
        elif succeeds:
            self.start(unit, effect)
            self.supervisor.started(unit, self.processes[unit].identity, self.now_ms)
        else:
            self.supervisor.start_failed(unit, "CommandNotFound", "no", self.now_ms)
        self.take_effects()

    def complete_adoption(self, unit: str, effect: AdoptUnit) -> None:
        process = self.processes.get(unit)
        if process is not None and effect.identity in ({}, process.identity):
            self.supervisor.started(unit, process.identity, self.now_ms)
        else:
            self.supervisor.lost(unit, self.now_ms)

    @precondition(lambda self: any(self.runs(unit) for unit in self.processes))
    @rule(data=st.data(), end=st.sampled_from([(0, 0), (1, 0), (137, 9), (-1, 0)]))
    def end_process(self, data: st.DataObject, end: tuple[int, int]) -> None:
        unit = data.draw(st.sampled_from([unit for unit in sorted(self.processes) if self.runs(unit)]))
        self.processes[unit].exit = end

    @precondition(lambda self: self.ended())
    @rule(data=st.data())
    def notice_end(self, data: st.DataObject) -> None:
        self.notice(data.draw(st.sampled_from(self.ended())))

    def ended(self) -> list[str]:
        """Units whose end the port has yet to tell, after it told their start."""
        return [unit for unit, process in sorted(self.processes.items()) if process.exit and unit not in self.asked]

    def notice(self, unit: str) -> None:
        code, signal = self.processes.pop(unit).exit or (0, 0)
        self.supervisor.exited(unit, code, signal, self.now_ms)
        self.take_effects()

    # ---- the world

    @rule(
        uid=st.sampled_from(UIDS),
        variant=st.integers(0, 2),
        policy=st.sampled_from(["Always", "OnFailure", "Never"]),
        terminating=st.booleans(),
    )
    def desire(self, uid: str, variant: int, policy: str, terminating: bool) -> None:
        self.desired[uid] = form(uid, variant, policy, terminating)
        self.supervisor.set_desired("default/w/" + uid, self.desired[uid], self.now_ms)
        self.take_effects()

    @rule(uid=st.sampled_from(UIDS))
    def delete(self, uid: str) -> None:
        self.desired.pop(uid, None)
        self.supervisor.set_desired("default/w/" + uid, None, self.now_ms)
        self.take_effects()

    @rule(is_here=st.booleans())
    def artifact(self, is_here: bool) -> None:
        if is_here:
            self.supervisor.artifact_ready(DIGEST, self.now_ms)
        else:
            self.supervisor.artifact_failed(DIGEST, "no", self.now_ms)
        self.take_effects()

    @rule(passed_ms=st.sampled_from([0, 1, 500, 1000, 10_000, 400_000]))
    def time_passes(self, passed_ms: int) -> None:
        self.now_ms += passed_ms
        deadline_ms = self.supervisor.step(self.now_ms)
        assert deadline_ms is None or deadline_ms >= self.now_ms
        self.take_effects()

    @rule(has_started=st.booleans())
    def agent_restarts(self, has_started: bool) -> None:
        """A start that was asked for and not completed has happened, or not."""
        for unit, effect in sorted(self.asked.items()):
            if has_started and isinstance(effect, StartUnit):
                self.start(unit, effect)
        self.boot(False)

    def start(self, unit: str, effect: StartUnit) -> None:
        self.number += 1
        self.processes[unit] = Process(self.number, effect.container[m.CONTAINER_COMMAND])  # type: ignore[arg-type]

    @rule()
    def device_restarts(self) -> None:
        self.now_ms = 1000
        self.boot(True)

    # ---- what must hold

    @invariant()
    def a_unit_runs_at_most_one_process_of_the_form_it_was_started_with(self) -> None:
        if not hasattr(self, "supervisor"):
            return
        for row in self.supervisor.summary():
            if row["table_state"] == "running":
                assert row["unit"] in self.processes

    def teardown(self) -> None:
        """From here on the platform behaves: everything that shall run does, in its latest form, and nothing else."""
        if not hasattr(self, "supervisor"):
            return
        self.supervisor.artifact_ready(DIGEST, self.now_ms)
        self.settle()
        for uid in UIDS:
            unit = uid + "/main"
            wanted = self.desired.get(uid)
            if wanted is None or wanted[m.WORKLOAD_TERMINATING]:
                assert not self.runs(unit)
                continue
            row = next(row for row in self.supervisor.summary() if row["unit"] == unit)
            assert row["table_state"] in ("running", "completed", "failed"), row
            assert wanted[m.WORKLOAD_RESTART_POLICY] != "Always" or row["table_state"] == "running"
            if row["table_state"] == "running":
                container = wanted[m.WORKLOAD_CONTAINERS][0]  # type: ignore[index]
                assert self.processes[unit].command == container[m.CONTAINER_COMMAND]

    def settle(self) -> None:
        for _ in range(12):
            for unit in sorted(self.asked):
                effect = self.asked.pop(unit)
                if isinstance(effect, AdoptUnit):
                    self.complete_adoption(unit, effect)
                else:
                    self.start(unit, effect)
                    self.supervisor.started(unit, self.processes[unit].identity, self.now_ms)
                self.take_effects()
            for unit in self.ended():
                self.notice(unit)
            self.now_ms += 400_000
            self.supervisor.step(self.now_ms)
            self.take_effects()


TestSupervisorMachine = Platform.TestCase
TestSupervisorMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
