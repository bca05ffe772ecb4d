"""desired-state-is-reached: what hubs want against what runs and what devices hold, once nothing stands in the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgelite_sim.invariants import reach
from edgelite_sim.invariants.conditions import Conditions
from edgelite_sim.invariants.invariant import Invariant
from edgelite_sim.invariants.objects import DEVICES, NODES, PODS, Following, condition_of, is_always, runs_on

if TYPE_CHECKING:
    from edgelite_sim.world.world import World

# The longest backoff (300 s), an attempt that hangs (90 s), and the way through the link: what nothing stands in
# the way of must be there by then. A device that has failed long is tried again within 600 s.
BOUND_MS = 600_000
DEVICE_BOUND_MS = 1_260_000


@dataclass(slots=True)
class _Wish:
    """A desired value of a property, until the device was seen to hold it."""

    text: str
    since_ms: int
    is_reached: bool = False
    is_told: bool = False


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
        self._wishes: dict[tuple[str, str, str], _Wish] = {}  # (node, device, property)
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
            self._take_wishes(new, now_ms)

    def _take_wishes(self, device: dict[str, Any], now_ms: int) -> None:
        metadata, spec = device["metadata"], device.get("spec") or {}
        for one in spec.get("properties") or []:
            place = (
                str(spec.get("nodeName") or ""),
                f"{metadata.get('namespace', '')}/{metadata['name']}",
                one["name"],
            )
            desired = one.get("desired") or {}
            details = desired.get("metadata") or {}
            text = str(desired.get("value") or "")
            if not text or "expires" in details or "expiresAfterMs" in details:
                self._wishes.pop(place, None)
                continue
            name = f"{text} {details.get('timestamp')}"
            wish = self._wishes.get(place)
            if wish is None or wish.text != name:
                self._wishes[place] = _Wish(name, now_ms)

    # ---- what is

    def unit(self, node: str, workload: str, unit: str, what: str, now_ms: int) -> None:
        running = self._running.setdefault(node, {})
        if what == "started":
            running[workload, unit] = now_ms
            self._latest[node, workload] = now_ms
        elif not what.startswith("signalled"):
            running.pop((workload, unit), None)

    def answered(self, node: str, device: str, values: dict[str, object], now_ms: int) -> None:
        if not self._wishes:
            return
        for name, value in values.items():
            wish = self._wishes.get((node, device, name))
            if wish is not None and not wish.is_reached and _holds(value, wish.text.rpartition(" ")[0]):
                wish.is_reached = True

    def power(self, node: str, is_on: bool, why: str, now_ms: int) -> None:
        self._conditions.power(node, is_on, why, now_ms)
        self._running.pop(node, None)

    def line(self, node: str, state: str, now_ms: int) -> None:
        self._conditions.line(node, state, now_ms)

    def hub(self, hub: str, what: str, now_ms: int) -> None:
        self._conditions.hub(hub, what, now_ms)
        if what in reach.OTHER_STORE:
            self._following.look(self.world, hub)
            self._changed_ms[hub] = now_ms

    def fault(self, kind: str, target: str, detail: str, now_ms: int) -> None:
        self._conditions.fault(kind, target, detail, now_ms)

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
        if now_ms - max(good_ms, self._changed_ms.get(hub, 0)) >= self._bound_ms:
            self._look_at_workloads(hub, node, now_ms)
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
            elif started_ms < since_ms:
                self._tell(node, workload, f"{workload} runs as it was before it was changed at {since_ms} ms", now_ms)
        for workload in sorted(running):
            if "/" in workload and (workload not in pods or runs_on(pods[workload]) != node):
                self._tell(node, workload, f"{workload} runs, and the hub does not want it there", now_ms)

    def _look_at_devices(self, hub: str, node: str, good_ms: int, now_ms: int) -> None:
        for (owner, device, property), wish in sorted(self._wishes.items()):
            if owner != node or wish.is_reached or wish.is_told:
                continue
            namespace, _, name = device.partition("/")
            value = self._following.get(hub, DEVICES, namespace, name)
            since_ms = max(good_ms, wish.since_ms)
            if value is None or _is_others(value, property) or now_ms - since_ms < self._device_bound_ms:
                continue
            wish.is_told = True
            text = wish.text.rpartition(" ")[0]
            self.violate(now_ms, node, f"{device} {property} was not seen to be {text}, desired at {wish.since_ms} ms")

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


def _holds(value: object, text: str) -> bool:
    if isinstance(value, bool):
        return text in (("true", "1") if value else ("false", "0"))
    if isinstance(value, (int, float)):
        try:
            return abs(float(text) - value) <= 1e-6 * max(1.0, abs(value))
        except ValueError:
            return False
    return str(value) == text
