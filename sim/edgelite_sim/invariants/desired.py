"""desired-state-is-reached: what hubs want against what runs and what devices hold, once nothing stands in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgelite_sim.invariants import reach
from edgelite_sim.invariants.conditions import Conditions, Troubles
from edgelite_sim.invariants.invariant import Invariant
from edgelite_sim.invariants.objects import DEVICES, NODES, PODS, Following, condition_of, is_always, runs_on
from edgelite_sim.invariants.wishes import Wishes

if TYPE_CHECKING:
    from edgelite_sim.world.world import World

# The longest backoff (300 s), an attempt that hangs (90 s), and the way through the link: what nothing stands in
# the way of must be there by then. A device that has failed long is tried again within 600 s.
BOUND_MS = 600_000
DEVICE_BOUND_MS = 1_260_000


class DesiredStateIsReached(Invariant):
    name = "desired-state-is-reached"
    sentence = (
        "When nothing stands between a node and its hub any more, what the hub wants of it runs, nothing else does, "
        "and its devices have taken what is desired, within a bound."
    )

    def __init__(self, bound_ms: int = BOUND_MS, device_bound_ms: int = DEVICE_BOUND_MS) -> None:
        super().__init__()
        self._bound_ms = bound_ms
        self._device_bound_ms = device_bound_ms
        self._conditions = Conditions()
        self._following = Following()
        self._specs: dict[tuple[str, str, str], tuple[object, int]] = {}  # (hub, namespace, name): spec, since when
        self._changed_ms: dict[str, int] = {}  # by hub: when a Pod was last created, changed or removed
        self._running: dict[str, dict[tuple[str, str], int]] = {}  # by node: (workload, unit), started
        self._latest: dict[tuple[str, str], int] = {}  # (node, workload): its newest start
        self._wishes = Wishes()
        self._misbehaving = Troubles("misbehave")
        self._devices = Troubles("device")
        self._stopped: set[tuple[str, str]] = set()  # (node, workload) that the agent ended and has not started since
        self._told: set[tuple[str, str]] = set()

    def begin(self, world: World) -> None:
        super().begin(world)
        self._conditions.begin(world)

    # ---- what is wanted

    def changed(
        self, hub: str, resource: str, namespace: str, name: str, new: dict[str, Any] | None, now_ms: int
    ) -> None:
        self._following.changed(hub, resource, namespace, name, new, now_ms)
        if resource == PODS:
            form = None if new is None else ((new.get("spec") or {}).get("containers"), runs_on(new))
            key = (hub, namespace, name)
            if self._specs.get(key, (None, 0))[0] != form:
                self._specs[key] = (form, now_ms)
                self._changed_ms[hub] = now_ms
                self._told = set()
        elif resource == DEVICES and new is not None:
            self._wishes.take(new, now_ms)

    # ---- what is

    def unit(self, node: str, workload: str, unit: str, what: str, now_ms: int) -> None:
        running = self._running.setdefault(node, {})
        if what == "started":
            running[workload, unit] = now_ms
            self._latest[node, workload] = now_ms
            self._stopped.discard((node, workload))
        elif what.startswith("signalled"):
            self._stopped.add((node, workload))
        else:
            running.pop((workload, unit), None)

    def answered(self, node: str, device: str, values: dict[str, object], now_ms: int) -> None:
        if not self._wishes:
            return
        for _, wish, has_it, _ in self._wishes.answered(node, device, values):
            wish.is_reached = wish.is_reached or has_it

    def power(self, node: str, is_on: bool, why: str, now_ms: int) -> None:
        self._conditions.power(node, is_on, why, now_ms)
        self._running.pop(node, None)

    def agent(self, node: str, is_up: bool, why: str, now_ms: int) -> None:
        self._conditions.agent(node, is_up, why, now_ms)

    def line(self, node: str, state: str, now_ms: int) -> None:
        self._conditions.line(node, state, now_ms)

    def hub(self, hub: str, what: str, now_ms: int) -> None:
        self._conditions.hub(hub, what, now_ms)
        if what in reach.OTHER_STORE:
            self._following.look(self.world, hub)
            self._changed_ms[hub] = now_ms

    def fault(self, kind: str, target: str, detail: str, now_ms: int) -> None:
        self._conditions.fault(kind, target, detail, now_ms)
        self._misbehaving.fault(kind, target, detail, now_ms)
        self._devices.fault(kind, target, detail, now_ms)

    # ---- what is judged

    def gauges(self, node: str, gauges: dict[str, int], now_ms: int) -> None:
        self._look(node, now_ms)

    def end(self, world: World, now_ms: int) -> None:
        for node in sorted(world.nodes):
            self._look(node, now_ms)

    def _look(self, node: str, now_ms: int) -> None:
        hub = reach.hub_of(self.world, node) or next(iter(self._following.hubs()), "")
        good_ms = self._conditions.good_since_ms(node)
        if good_ms is None or condition_of(self._following.get(hub, NODES, "", node) or {}, "Diverged"):
            return
        is_due = now_ms - max(good_ms, self._changed_ms.get(hub, 0)) >= self._bound_ms
        if is_due and self._misbehaving.since_ms(node) is None:
            self._look_at_workloads(hub, node, now_ms)
        if self._wishes and self._devices.since_ms(node) is None:
            self._look_at_devices(hub, node, good_ms, now_ms)

    def _look_at_workloads(self, hub: str, node: str, now_ms: int) -> None:
        pods = {f"{key[0]}/{key[1]}": pod for key, pod in self._following.all(hub, PODS).items()}
        running = {workload for workload, _ in self._running.get(node, {})}
        for workload, pod in sorted(pods.items()):
            if runs_on(pod) != node or not is_always(pod) or not _is_host(pod):
                continue
            namespace, _, name = workload.partition("/")
            since_ms = self._specs.get((hub, namespace, name), (None, 0))[1]
            started_ms = self._latest.get((node, workload))
            if started_ms is None:
                self._tell(node, workload, f"{workload} was never started, wanted since {since_ms} ms", now_ms)
            elif (node, workload) in self._stopped and workload not in running:
                self._tell(node, workload, f"{workload} was stopped, and is wanted since {since_ms} ms", now_ms)
            elif started_ms < since_ms:
                self._tell(node, workload, f"{workload} runs as it was before it was changed at {since_ms} ms", now_ms)
        for workload in sorted(running):
            if "/" in workload and (workload not in pods or runs_on(pods[workload]) != node):
                self._tell(node, workload, f"{workload} runs, and the hub does not want it there", now_ms)

    def _look_at_devices(self, hub: str, node: str, good_ms: int, now_ms: int) -> None:
        for (owner, device, property), wish in self._wishes.items():
            if owner != node or wish.is_reached or wish.is_told:
                continue
            namespace, _, name = device.partition("/")
            value = self._following.get(hub, DEVICES, namespace, name)
            since_ms = max(good_ms, wish.since_ms)
            if value is None or _is_others(value, property) or now_ms - since_ms < self._device_bound_ms:
                continue
            wish.is_told = True
            text = f"{device} {property} was not seen to be {wish.text}, desired at {wish.since_ms} ms"
            self.violate(now_ms, node, text)

    def _tell(self, node: str, workload: str, text: str, now_ms: int) -> None:
        if (node, workload) not in self._told:
            self._told.add((node, workload))
            self.violate(now_ms, node, text)


def _is_host(pod: dict[str, Any]) -> bool:
    """What comes as an artifact may take as long as the link takes."""
    return all(one.get("image") == "host" for one in (pod.get("spec") or {}).get("containers") or [])


def _is_others(device: dict[str, Any], property: str) -> bool:
    """Whether somebody else's word than the hub's counts (docs/twins.md)."""
    for twin in (device.get("status") or {}).get("twins") or []:
        if twin.get("propertyName") == property:
            details = (twin.get("observedDesired") or {}).get("metadata") or {}
            return details.get("origin") in ("local", "fail-safe")
    return False
