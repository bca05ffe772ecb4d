"""What hubs want of nodes, read from objects as they are committed: Pods that shall run, Devices and their rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgelite_hub.model.objects import DEVICES, NODES, PODS

if TYPE_CHECKING:
    from edgelite_sim.world.world import World

Object = dict[str, Any]

__all__ = ["DEVICES", "NODES", "PODS", "Following", "condition_of", "is_always", "runs_on"]


class Following:
    """The objects of each hub as of its last commit, by resource: {(namespace, name): object}."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str], dict[tuple[str, str], Object]] = {}
        self._rules: dict[tuple[str, str, str], bool] = {}  # (node, device, property): each reading is reported

    def changed(self, hub: str, resource: str, namespace: str, name: str, new: Object | None, now_ms: int) -> None:
        if resource not in (DEVICES, NODES, PODS):
            return
        table = self._objects.setdefault((hub, resource), {})
        if new is None:
            table.pop((namespace, name), None)
        else:
            table[namespace, name] = new
            if resource == DEVICES:
                self._take_rules(new)

    def look(self, world: World | None, hub: str) -> None:
        """Read anew what the hub has: its store is another one."""
        from edgelite_sim.invariants import reach

        for resource in (DEVICES, NODES, PODS):
            table = self._objects[hub, resource] = {}
            for one in reach.objects(world, hub, resource):
                table[one["metadata"].get("namespace", ""), one["metadata"]["name"]] = one

    def all(self, hub: str, resource: str) -> dict[tuple[str, str], Object]:
        return self._objects.get((hub, resource), {})

    def get(self, hub: str, resource: str, namespace: str, name: str) -> Object | None:
        return self._objects.get((hub, resource), {}).get((namespace, name))

    def names(self, hub: str, resource: str) -> set[str]:
        """ "namespace/name" of each."""
        return {f"{namespace}/{name}" for namespace, name in self.all(hub, resource)}

    def hubs(self) -> list[str]:
        return sorted({hub for hub, _ in self._objects})

    # ---- Devices

    def is_reported(self, node: str, device: str, property: str) -> bool:
        """Whether each reading of it goes up by its Device's rules. What no Device was seen of counts."""
        return self._rules.get((node, device, property), True)

    def _take_rules(self, device: Object) -> None:
        """Once a property had a rule that holds readings back, it is not judged any more: a node may follow late."""
        metadata, spec = device["metadata"], device.get("spec") or {}
        key = f"{metadata.get('namespace', '')}/{metadata['name']}"
        for one in spec.get("properties") or []:
            place = (str(spec.get("nodeName") or ""), key, str(one["name"]))
            self._rules[place] = self._rules.get(place, True) and _reports_each(one)


def _reports_each(property: Object) -> bool:
    """docs/twins.md, "When a value goes up"."""
    held_back = ("deadband", "deadbandPercent", "aggregate")
    if property.get("reportToCloud") is False or any(property.get(field) is not None for field in held_back):
        return False
    return int(property.get("reportCycle") or 0) <= 0


# ---- Pods


def runs_on(pod: Object) -> str:
    """The node that it is given to; "" for none, or where it is on its way out."""
    if pod["metadata"].get("deletionTimestamp"):
        return ""
    return str((pod.get("spec") or {}).get("nodeName") or "")


def is_always(pod: Object) -> bool:
    """Whether it shall run whatever becomes of its processes."""
    return ((pod.get("spec") or {}).get("restartPolicy") or "Always") == "Always"


def condition_of(value: Object, kind: str) -> Object:
    """{} where it has no such condition."""
    for condition in (value.get("status") or {}).get("conditions") or []:
        if condition.get("type") == kind:
            return dict(condition)
    return {}
