"""Since when a node could do its duty: it has power, its line carries, its hub is there, and no fault is under way.

The agent itself and its session are not asked: that they come back by themselves is what is judged. Only an agent that
was stopped in good order (`upgrade`) does not: whoever stopped it starts it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgelite_sim.world.observer import Observer

if TYPE_CHECKING:
    from edgelite_sim.world.world import World

LINE_UP = "up"
STOPPED = "stop"  # why an agent ended that was asked to
HEAL = "heal"  # how the end of a fault is told; its kind is then the detail
SUSPEND = "suspend"
# Damage to what was safe. The agent reports it; nothing but the hub can bring it back.
DAMAGE_FAULTS = ("bit-rot",)
GRACE_MS = 60_000  # after a fault of a device: an answer may be late, a driver's patience longer than usual


def node_of(target: str) -> str:
    """A fault of a program or a device names it "name@node"."""
    return target.rpartition("@")[2]


class Troubles:
    """Faults that last, by node: those that began and have not been healed. Two of a kind that overlap have an end
    each, and it is over with the last."""

    def __init__(self, *kinds: str) -> None:
        self._kinds = kinds  # beginnings of their names
        self._open: dict[str, dict[str, list[int]]] = {}  # by node: kind, since when each of them
        self._ended_ms: dict[str, int] = {}

    def fault(self, kind: str, target: str, detail: str, now_ms: int) -> bool:
        """Whether it is one of these, at its begin or its end."""
        ended = detail if kind == HEAL else ""
        if not (ended or kind).startswith(self._kinds):
            return False
        lasting = self._open.setdefault(node_of(target), {})
        if not ended:
            lasting.setdefault(f"{kind} {target}", []).append(now_ms)
        elif len(lasting.get(f"{ended} {target}", ())) > 1:
            lasting[f"{ended} {target}"].pop()
        else:
            self.end(ended, target, now_ms)
        return True

    def end(self, kind: str, target: str, now_ms: int) -> None:
        """All of this kind are over."""
        self._open.get(node_of(target), {}).pop(f"{kind} {target}", None)
        self._ended_ms[node_of(target)] = now_ms

    def since_ms(self, node: str) -> int | None:
        """Since when there is one; None where there is none."""
        return min((since[0] for since in self._open.get(node, {}).values()), default=None)

    def is_or_was(self, node: str, now_ms: int) -> bool:
        """Whether there is one, or was a moment ago."""
        ended_ms = self._ended_ms.get(node)
        return self.since_ms(node) is not None or (ended_ms is not None and now_ms < ended_ms + GRACE_MS)


class Conditions(Observer):
    """`good_since_ms` of a node: None while something keeps it from its hub."""

    def __init__(self) -> None:
        self._power: dict[str, bool] = {}
        self._line: dict[str, str] = {}
        self._hubs: dict[str, bool] = {}
        self._changed_ms: dict[str, int] = {}  # by node, hub, or "" for all
        self._world: World | None = None
        self._sleeps = Troubles(SUSPEND)
        self._stopped: set[str] = set()  # nodes whose agent somebody stopped

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

    def agent(self, node: str, is_up: bool, why: str, now_ms: int) -> None:
        if not is_up and why == STOPPED:
            self._stopped.add(node)
        elif is_up and node in self._stopped:
            self._stopped.discard(node)
            self._changed_ms[node] = now_ms

    def fault(self, kind: str, target: str, detail: str, now_ms: int) -> None:
        """Whatever is named beyond power, line and hub disturbs its node, or all where it names none."""
        self._sleeps.fault(kind, target, detail, now_ms)
        node = node_of(target)
        known = node in self._power or node in self._line
        self._changed_ms[node if known else ""] = now_ms

    def changed_ms(self, node: str) -> int:
        """When anything last changed for this node."""
        return max(self._changed_ms.get(node, 0), self._changed_ms.get("", 0))

    def good_since_ms(self, node: str) -> int | None:
        is_reachable = self._line.get(node, LINE_UP) == LINE_UP and all(self._hubs.values())
        is_able = self.is_awake(node) and node not in self._stopped
        return self.changed_ms(node) if is_able and is_reachable else None

    def is_awake(self, node: str) -> bool:
        return self._power.get(node, True) and self._sleeps.since_ms(node) is None
