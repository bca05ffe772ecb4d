"""When a wish has come true: what a person applied, against what the hub knows of it."""

from __future__ import annotations

from typing import Any

from edgelite_sim.report.recording import Wish

WISHES_MAX = 2_000

Object = dict[str, Any]


class Wishes:
    """Open and closed ones of one run. Beyond WISHES_MAX they are counted, and not kept."""

    def __init__(self) -> None:
        self.not_kept = 0
        self._kept: list[Wish] = []
        self._open: dict[tuple[str, str, str], tuple[int, Object | None]] = {}

    def wanted(self, resource: str, namespace: str, name: str, new: Object | None, now_ms: int) -> None:
        key = (resource, namespace, name)
        if key in self._open:
            self._close(key, None, now_ms)
        if resource in REACHED or new is None:
            if len(self._kept) + len(self._open) < WISHES_MAX:
                self._open[key] = (now_ms, new)
            else:
                self.not_kept += 1

    def changed(self, resource: str, namespace: str, name: str, new: Object | None, now_ms: int) -> None:
        key = (resource, namespace, name)
        if key not in self._open:
            return
        asked = self._open[key][1]
        if new is None or asked is None:
            is_reached = asked is new
        else:
            is_reached = REACHED[resource](new)
        if is_reached:
            self._close(key, now_ms, None)

    def all(self) -> list[Wish]:
        still_open = [_wish(key, wanted_ms, None, None) for key, (wanted_ms, _) in self._open.items()]
        return sorted([*self._kept, *still_open], key=lambda wish: (wish.wanted_ms, wish.resource, wish.name))

    def _close(self, key: tuple[str, str, str], reached_ms: int | None, replaced_ms: int | None) -> None:
        wanted_ms, _ = self._open.pop(key)
        self._kept.append(_wish(key, wanted_ms, reached_ms, replaced_ms))


def _wish(key: tuple[str, str, str], wanted_ms: int, reached_ms: int | None, replaced_ms: int | None) -> Wish:
    resource, namespace, name = key
    return Wish(resource, f"{namespace}/{name}" if namespace else name, wanted_ms, reached_ms, replaced_ms)


def _pod_is_reached(pod: Object) -> bool:
    status = pod.get("status") or {}
    if status.get("phase") == "Succeeded":
        return True
    conditions = status.get("conditions") or []
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def _daemon_set_is_reached(daemon_set: Object) -> bool:
    status = daemon_set.get("status") or {}
    wanted = status.get("desiredNumberScheduled", 0)
    is_seen = status.get("observedGeneration") == daemon_set["metadata"].get("generation")
    return bool(is_seen and status.get("numberReady") == wanted and status.get("updatedNumberScheduled") == wanted)


def _device_is_reached(device: Object) -> bool:
    """Each desired value is one that the node says it has applied, without an error; a device without any is online."""
    status = device.get("status") or {}
    wanted = {
        one["name"]: str(one["desired"].get("value"))
        for one in (device.get("spec") or {}).get("properties") or []
        if one.get("desired")
    }
    observed = {one.get("propertyName"): one.get("observedDesired") or {} for one in status.get("twins") or []}
    if not wanted:
        return status.get("state") == "online"
    return all(
        str(observed.get(name, {}).get("value")) == value and "error" not in observed[name].get("metadata", {})
        for name, value in wanted.items()
    )


# Resources whose objects have a state to be reached; what the others say is so when it is stored.
REACHED = {"pods": _pod_is_reached, "daemonsets": _daemon_set_is_reached, "devices": _device_is_reached}
