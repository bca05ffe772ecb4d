"""nothing-is-removed-without-an-order: who an agent stops, somebody had told it to stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgelite_sim.invariants.conditions import Conditions, Troubles
from edgelite_sim.invariants.invariant import Invariant
from edgelite_sim.invariants.objects import NODES, PODS

# What a change of these means for Pods that carry no such name: all of the namespace read them.
READ_BY_PODS = ("configmaps", "secrets")
NAMESPACES = "namespaces"
# What was obeyed and is not durable yet is ordered again after a power cut, and obeyed again.
SYNCED_MS = 5_000
FLASH_FAULTS = ("io-error", "slow-sync", "flash-full")
OBEYED_MS = 600_000  # an order that changed nothing for so long, with all well, will change nothing any more


@dataclass(slots=True)
class _Unit:
    started_ms: int = 0
    is_running: bool = False
    is_stopping: bool = False
    obeyed: int = 0  # how many orders it was stopped for
    obeyed_ms: int | None = None  # when it was last


class NothingIsRemovedWithoutAnOrder(Invariant):
    name = "nothing-is-removed-without-an-order"
    sentence = (
        "An agent stops a workload only because a person deleted or changed it, never for a bad clock, an empty or "
        "older hub, a stale snapshot or a restart."
    )

    def __init__(self, obeyed_ms: int = OBEYED_MS) -> None:
        super().__init__()
        self._obeyed_ms = obeyed_ms
        self._known: set[tuple[str, str, str]] = set()  # (resource, namespace, name) that a person has applied before
        self._orders: list[tuple[int, str, str, str]] = []  # (time, resource, namespace, name)
        self._units: dict[str, dict[tuple[str, str], _Unit]] = {}
        self._conditions = Conditions()
        self._flash = Troubles(*FLASH_FAULTS)

    def begin(self, world: Any) -> None:
        super().begin(world)
        self._conditions.begin(world)

    # ---- orders

    def wanted(
        self, hub: str, resource: str, namespace: str, name: str, new: dict[str, Any] | None, now_ms: int
    ) -> None:
        key = (resource, namespace, name)
        if key in self._known or new is None or resource == NODES:  # a Node is there before a person touches it
            self._orders.append((now_ms, *key))
        self._known.add(key)

    def _orders_for(self, node: str, workload: str) -> list[int]:
        """When a person ordered something that may end this workload on this node."""
        namespace, _, name = workload.partition("/")
        return [row[0] for row in self._orders if _concerns(row, node, namespace, name)]

    # ---- what becomes of units

    def unit(self, node: str, workload: str, unit: str, what: str, now_ms: int) -> None:
        if "/" not in workload:
            return  # the node's own, a driver's process
        one = self._units.setdefault(node, {}).setdefault((workload, unit), _Unit())
        if what == "started":
            one.started_ms, one.is_running, one.is_stopping = now_ms, True, False
        elif not what.startswith("signalled"):
            one.is_running = False
        elif one.is_running and not one.is_stopping:
            one.is_stopping = True
            self._judge(node, workload, one, what, now_ms)

    def _judge(self, node: str, workload: str, one: _Unit, what: str, now_ms: int) -> None:
        orders = self._orders_for(node, workload)
        if len(orders) <= one.obeyed:
            last = f"the last order, at {orders[-1]} ms, was obeyed" if orders else "nobody ordered anything"
            self.violate(now_ms, node, f"{workload}, up since {one.started_ms} ms, was {what}: {last}")
        else:
            one.obeyed += 1
            one.obeyed_ms = now_ms

    def gauges(self, node: str, gauges: dict[str, int], now_ms: int) -> None:
        """What runs on, long after an order came through, was not meant by it."""
        if not self._orders:
            return
        since_ms = self._conditions.good_since_ms(node)
        if since_ms is None or now_ms - max(since_ms, self._orders[-1][0]) < self._obeyed_ms:
            return
        for (workload, _), one in self._units.get(node, {}).items():
            if one.is_running and not one.is_stopping:
                one.obeyed = len(self._orders_for(node, workload))

    def power(self, node: str, is_on: bool, why: str, now_ms: int) -> None:
        self._conditions.power(node, is_on, why, now_ms)
        for one in self._units.get(node, {}).values():
            one.is_running = False
        if not is_on:
            self._forget(node, now_ms)

    def agent(self, node: str, is_up: bool, why: str, now_ms: int) -> None:
        self._conditions.agent(node, is_up, why, now_ms)
        if not is_up:
            self._forget(node, now_ms)

    def _forget(self, node: str, now_ms: int) -> None:
        """What the agent obeyed and no sync has kept, it does not know when it starts again."""
        is_failing = self._flash.is_or_was(node, now_ms)
        for one in self._units.get(node, {}).values():
            if one.obeyed_ms is not None and (is_failing or now_ms - one.obeyed_ms < SYNCED_MS):
                one.obeyed -= 1
                one.obeyed_ms = None

    def line(self, node: str, state: str, now_ms: int) -> None:
        self._conditions.line(node, state, now_ms)

    def hub(self, hub: str, what: str, now_ms: int) -> None:
        self._conditions.hub(hub, what, now_ms)

    def fault(self, kind: str, target: str, detail: str, now_ms: int) -> None:
        self._conditions.fault(kind, target, detail, now_ms)
        self._flash.fault(kind, target, detail, now_ms)


def _concerns(order: tuple[int, str, str, str], node: str, namespace: str, name: str) -> bool:
    _, resource, of_namespace, of_name = order
    if resource == NODES:
        return of_name == node  # its labels, its adoption, its deletion
    if resource == NAMESPACES:
        return of_name == namespace
    if of_namespace != namespace:
        return False
    if resource in READ_BY_PODS:
        return True
    return of_name == name if resource == PODS else name.startswith(of_name + "-")
