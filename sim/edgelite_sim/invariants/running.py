"""what-should-run-runs: by the restart policy and the documented backoff, seen from the processes alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgelite_sim.invariants.conditions import DAMAGE_FAULTS, Conditions, Troubles, node_of
from edgelite_sim.invariants.invariant import Invariant
from edgelite_sim.invariants.objects import PODS, Following, is_always, runs_on

if TYPE_CHECKING:
    from edgelite_sim.world.world import World

# docs/workloads.md: the first restart is immediate, the next waits 1 s, then twice as long each time, up to 300 s; a
# run of ten minutes begins the row anew.
BACKOFF_BASE_MS = 1_000
BACKOFF_CAP_MS = 300_000
HEALTHY_MS = 600_000
# An agent that hangs is bitten by its watchdog after 60 s; then the machine starts anew, and so does this time.
SLACK_MS = 90_000
BOOT_MS = 120_000  # from power to the agent's start, on a slow device with a file system to be checked


def backoff_ms(ends: int) -> int:
    """The documented wait before the start that follows the `ends`th end in a row."""
    return 0 if ends <= 1 else int(min(BACKOFF_BASE_MS * 2 ** min(ends - 2, 20), BACKOFF_CAP_MS))


@dataclass(slots=True)
class _Unit:
    started_ms: int = 0
    is_running: bool = False
    is_stopping: bool = False  # the agent signalled it: what becomes of it is another invariant's
    comes_back: bool = False  # after a power cut: it ran, or was to run again
    ends: int = 0  # in a row
    due_ms: int | None = None  # when it must run again; None where it runs, or need not
    is_told: bool = False


class WhatShouldRunRuns(Invariant):
    name = "what-should-run-runs"
    sentence = (
        "A workload that shall always run runs once, and again after each end within its documented backoff, after "
        "each power cut once the agent is up, with a hub or without."
    )

    def __init__(self, slack_ms: int = SLACK_MS, boot_ms: int = BOOT_MS) -> None:
        super().__init__()
        self._slack_ms = slack_ms
        self._boot_ms = boot_ms
        self._units: dict[str, dict[tuple[str, str], _Unit]] = {}  # by node: (workload, unit)
        self._following = Following()
        self._conditions = Conditions()
        self._misbehaving = Troubles("misbehave")  # a program that is gone fails to start, which no process shows
        self._agents: dict[str, bool] = {}
        self._stopped: set[str] = set()  # hubs: a copy that ran by mistake says nothing once it is gone

    def begin(self, world: World) -> None:
        super().begin(world)
        self._conditions.begin(world)

    # ---- what is seen

    def changed(
        self, hub: str, resource: str, namespace: str, name: str, new: dict[str, Any] | None, now_ms: int
    ) -> None:
        if resource == PODS:
            self._following.changed(hub, resource, namespace, name, new, now_ms)

    def hub(self, hub: str, what: str, now_ms: int) -> None:
        if what == "stopped":
            self._stopped.add(hub)
        else:
            self._stopped.discard(hub)

    def unit(self, node: str, workload: str, unit: str, what: str, now_ms: int) -> None:
        one = self._units.setdefault(node, {}).setdefault((workload, unit), _Unit())
        if what == "started":
            self._started(node, workload, one, now_ms)
        elif what.startswith("signalled"):
            one.is_stopping = True
        elif what == "lost power":
            one.is_running = False
        else:
            self._ended(workload, one, what, now_ms)

    def _started(self, node: str, workload: str, one: _Unit, now_ms: int) -> None:
        if one.is_running:
            self.violate(now_ms, node, f"{workload} was started at {one.started_ms} ms, runs, and is started again")
        elif one.due_ms is not None and now_ms > one.due_ms and not one.is_told and self._conditions.is_awake(node):
            self.violate(now_ms, node, f"{workload} runs again only now: it had to by {one.due_ms} ms")
        one.started_ms = now_ms
        one.is_running, one.is_stopping, one.is_told, one.comes_back = True, False, False, True
        one.due_ms = None

    def _ended(self, workload: str, one: _Unit, what: str, now_ms: int) -> None:
        one.is_running = False
        ran_ms = now_ms - one.started_ms
        one.ends = 1 if ran_ms >= HEALTHY_MS else one.ends + 1
        one.comes_back = not one.is_stopping and self._shall_again(workload, what)
        one.due_ms = now_ms + backoff_ms(one.ends) + self._slack_ms if one.comes_back else None

    def _shall_again(self, workload: str, what: str) -> bool:
        pods = self._pods(workload)
        if any(is_always(pod) for pod in pods):
            return True
        return what != "exited 0" and any((pod["spec"].get("restartPolicy")) == "OnFailure" for pod in pods)

    def power(self, node: str, is_on: bool, why: str, now_ms: int) -> None:
        self._conditions.power(node, is_on, why, now_ms)
        for one in self._units.get(node, {}).values():
            one.ends = 0
            one.is_told = one.is_running = False
            comes_back = is_on and one.comes_back and not one.is_stopping
            one.due_ms = now_ms + self._boot_ms + self._slack_ms if comes_back else None

    def agent(self, node: str, is_up: bool, why: str, now_ms: int) -> None:
        self._agents[node] = is_up
        if is_up:
            self._put_off(node, now_ms + self._slack_ms)

    def fault(self, kind: str, target: str, detail: str, now_ms: int) -> None:
        self._conditions.fault(kind, target, detail, now_ms)
        self._misbehaving.fault(kind, target, detail, now_ms)
        if kind in DAMAGE_FAULTS:  # what it knew of its programs may be gone with a reboot, until it has met its hub
            for one in self._units.get(node_of(target), {}).values():
                one.comes_back = False
        # Whatever it is, it may have cost a start or two; the next one may then be the longest backoff away.
        self._put_off(node_of(target), now_ms + BACKOFF_CAP_MS + self._slack_ms)

    def _put_off(self, node: str, due_ms: int) -> None:
        for one in self._units.get(node, {}).values():
            if one.due_ms is not None:
                one.due_ms = max(one.due_ms, due_ms + backoff_ms(one.ends))

    # ---- what is judged

    def gauges(self, node: str, gauges: dict[str, int], now_ms: int) -> None:
        self._look(node, now_ms)

    def end(self, world: World, now_ms: int) -> None:
        for node in sorted(self._units):
            self._look(node, now_ms)

    def _look(self, node: str, now_ms: int) -> None:
        is_able = self._conditions.is_awake(node) and self._agents.get(node, True)
        if not is_able or self._misbehaving.since_ms(node) is not None:
            return
        for (workload, unit), one in sorted(self._units.get(node, {}).items()):
            if one.due_ms is None or now_ms <= one.due_ms or one.is_told:
                continue
            if not any(self._is_wanted(pod, node, unit) for pod in self._pods(workload)):
                one.due_ms = None  # nobody wants it any more, another took its name, or it may have ended for good
                continue
            one.is_told = True
            self.violate(now_ms, node, f"{workload} does not run: it had to by {one.due_ms} ms")

    @staticmethod
    def _is_wanted(pod: dict[str, Any], node: str, unit: str) -> bool:
        is_it = unit.partition("/")[0] == pod["metadata"].get("uid")
        return is_it and runs_on(pod) == node and is_always(pod)

    def _pods(self, workload: str) -> list[dict[str, Any]]:
        namespace, _, name = workload.partition("/")
        hubs = self._following.hubs()
        living = [hub for hub in hubs if hub not in self._stopped] or hubs
        found = (self._following.get(hub, PODS, namespace, name) for hub in living)
        return [pod for pod in found if pod is not None]
