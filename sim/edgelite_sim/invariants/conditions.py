"""Since when a node could do its duty: it has power, its line carries, its hub is there, and no fault is under way.

The agent itself and its session are not asked: that they come back by themselves is what is judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgelite_sim.world.observer import Observer

if TYPE_CHECKING:
    from edgelite_sim.world.world import World

LINE_UP = "up"


class Conditions(Observer):
    """`good_since_ms` of a node: None while something keeps it from its hub."""

    def __init__(self) -> None:
        self._power: dict[str, bool] = {}
        self._line: dict[str, str] = {}
        self._hubs: dict[str, bool] = {}
        self._changed_ms: dict[str, int] = {}  # by node, hub, or "" for all
        self._world: World | None = None

    def begin(self, world: World) -> None:
        """What was there before the observers began to hear is looked up."""
        self._world = world
        for name, node in world.nodes.items():
            self._power.setdefault(name, node.is_on)
            self._line.setdefault(name, node.link.state)
        for name, hub in world.hubs.items():
            self._hubs.setdefault(name, hub.is_up)

    def power(self, node: str, is_on: bool, why: str, now_ms: int) -> None:
        self._power[node] = is_on
        self._changed_ms[node] = now_ms

    def line(self, node: str, state: str, now_ms: int) -> None:
        self._line[node] = state
        self._changed_ms[node] = now_ms

    def hub(self, hub: str, what: str, now_ms: int) -> None:
        self._hubs[hub] = what not in ("crashed", "stopped")
        self._changed_ms[""] = now_ms

    def fault(self, kind: str, target: str, detail: str, now_ms: int) -> None:
        """Whatever is named beyond power, line and hub disturbs its node, or all where it names none."""
        known = target in self._power or target in self._line
        self._changed_ms[target if known else ""] = now_ms

    def changed_ms(self, node: str) -> int:
        """When anything last changed for this node."""
        return max(self._changed_ms.get(node, 0), self._changed_ms.get("", 0))

    def good_since_ms(self, node: str) -> int | None:
        is_reachable = self._line.get(node, LINE_UP) == LINE_UP and all(self._hubs.values())
        return self.changed_ms(node) if self._power.get(node, True) and is_reachable else None

    def is_on(self, node: str) -> bool:
        return self._power.get(node, True)
