"""The numbers of a run, which expectations are held against and which a person reads at the end.

`Figures` is an Observer that counts; FIGURES is the table of what can be asked of it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from edgelite_sim.scenario.model import ExpectPart
from edgelite_sim.world.observer import Observer
from edgelite_sim.written import units

if TYPE_CHECKING:
    from edgelite_hub.store.contract import Sample
    from edgelite_sim.world.world import World

DAY_MS = 86_400_000
NEVER = float("inf")
AFTER_POWER = "lost power"


@dataclass(slots=True)
class NodeFigures:
    """What is counted of one node. A timetable is [(since when, value)], in order."""

    polls: int = 0
    values: int = 0
    news: int = 0
    stored: int = 0
    stored_news: int = 0
    wire_bytes: int = 0
    flash_bytes: int = 0
    syncs: int = 0
    attempts: int = 0
    sessions: int = 0
    restarts: int = 0
    power_cuts: int = 0
    agent_deaths: int = 0
    backlog: int = 0
    backlog_max: int = 0
    backlog_times: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)])  # empty or not
    live: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)])
    is_on: bool = False
    is_up: bool = False
    ended: dict[str, str] = field(default_factory=dict)  # by workload: how the last one ended


class Figures(Observer):
    def __init__(self) -> None:
        self.nodes: dict[str, NodeFigures] = {}
        self.faults: Counter[str] = Counter()
        self.now_ms = 0
        self.attempts_in_second_max = 0
        self._attempts_second = (-1, 0)
        self._said: dict[tuple[str, str, str], object] = {}
        self._kept: dict[tuple[str, str, str], object] = {}

    def of(self, node: str) -> NodeFigures:
        found = self.nodes.get(node)
        if found is None:
            found = self.nodes[node] = NodeFigures()
        return found

    def begin(self, world: World) -> None:
        for name in world.nodes:
            self.of(name)

    def end(self, world: World, now_ms: int) -> None:
        self.now_ms = now_ms

    def fault(self, kind: str, target: str, detail: str, now_ms: int) -> None:
        if kind != "heal":
            self.faults[kind] += 1

    def power(self, node: str, is_on: bool, why: str, now_ms: int) -> None:
        self.of(node).is_on = is_on
        self.of(node).power_cuts += not is_on and why == "power cut"

    def agent(self, node: str, is_up: bool, why: str, now_ms: int) -> None:
        one = self.of(node)
        one.is_up = is_up
        one.agent_deaths += not is_up and why not in ("stop", "power cut", "watchdog", "reboot", "shutdown")

    def session(self, node: str, is_live: bool, why: str, now_ms: int) -> None:
        one = self.of(node)
        one.live.append((now_ms, int(is_live)))
        one.sessions += is_live

    def attempt(self, node: str, now_ms: int) -> None:
        self.of(node).attempts += 1
        second, count = self._attempts_second
        count = count + 1 if second == now_ms // 1000 else 1
        self._attempts_second = (now_ms // 1000, count)
        self.attempts_in_second_max = max(self.attempts_in_second_max, count)

    def wire(self, node: str, up_bytes: int, down_bytes: int, now_ms: int) -> None:
        self.of(node).wire_bytes += up_bytes + down_bytes

    def flash(self, node: str, written_bytes: int, syncs: int, now_ms: int) -> None:
        self.of(node).flash_bytes += written_bytes
        self.of(node).syncs += syncs

    def answered(self, node: str, device: str, values: dict[str, object], now_ms: int) -> None:
        one = self.of(node)
        one.polls += 1
        for name, value in values.items():
            key = (node, device, name)
            one.values += 1
            if self._said.get(key, self) != value:
                one.news += 1
                self._said[key] = value

    def stored(self, hub: str, samples: Sequence[Sample], now_ms: int) -> None:
        for sample in samples:
            one = self.of(sample.node)
            one.stored += 1
            key = (sample.node, sample.device, sample.property)
            if self._kept.get(key, self) != sample.value:
                one.stored_news += 1
                self._kept[key] = sample.value

    def gauges(self, node: str, gauges: dict[str, int], now_ms: int) -> None:
        one = self.of(node)
        one.backlog = gauges.get("reports_waiting", 0)
        one.backlog_max = max(one.backlog_max, one.backlog)
        if (one.backlog == 0) is not (one.backlog_times[-1][1] == 0):
            one.backlog_times.append((now_ms, int(one.backlog > 0)))

    def unit(self, node: str, workload: str, unit: str, what: str, now_ms: int) -> None:
        one = self.of(node)
        if what == "started":
            one.restarts += one.ended.get(workload, AFTER_POWER) != AFTER_POWER
        elif not what.startswith("signalled"):
            one.ended[workload] = what


@dataclass(frozen=True)
class Asked:
    """Of which nodes, and when; `days` is how long the run was."""

    figures: Figures
    names: tuple[str, ...]
    at_ms: int

    @property
    def nodes(self) -> list[NodeFigures]:
        return [self.figures.of(name) for name in self.names]

    @property
    def days(self) -> float:
        return max(self.figures.now_ms, 1) / DAY_MS

    def total(self, attribute: str) -> int:
        return sum(getattr(one, attribute) for one in self.nodes)

    def per_node_day(self, attribute: str) -> float:
        return self.total(attribute) / max(1, len(self.names)) / self.days


@dataclass(frozen=True)
class Figure:
    """`unit` is one of UNITS; `has_time` where it is asked for a moment and not for the whole run."""

    name: str
    unit: str
    sentence: str
    compute: Callable[[Asked], float]
    has_time: bool = False


def _share(part: float, whole: float) -> float:
    return min(1.0, part / whole) if whole else 1.0


def _delivered(asked: Asked) -> float:
    """Values that say nothing new may stay on the node; a device that reports each reading is counted by readings."""
    return _share(asked.total("stored_news"), asked.total("news"))


def _at(times: list[tuple[int, int]], at_ms: int) -> int:
    return times[bisect_right(times, at_ms, key=lambda one: one[0]) - 1][1]


def _live_at(asked: Asked) -> float:
    return _share(sum(_at(one.live, asked.at_ms) for one in asked.nodes), len(asked.names))


def _live_share(asked: Asked) -> float:
    spent = sum(_time_in(one.live, asked.figures.now_ms) for one in asked.nodes)
    return _share(spent, len(asked.names) * asked.figures.now_ms)


def _time_in(times: list[tuple[int, int]], end_ms: int) -> int:
    edges = [*times, (end_ms, 0)]
    return sum(later[0] - one[0] for one, later in pairwise(edges) if one[1])


def _live_since(asked: Asked) -> float:
    """Never, where one of them is not live at the end."""
    return max((one.live[-1][0] if one.live[-1][1] else NEVER for one in asked.nodes), default=0.0)


def _backlog_empty_at(asked: Asked) -> float:
    return max((NEVER if one.backlog else one.backlog_times[-1][0] for one in asked.nodes), default=0.0)


def _maximum(attribute: str) -> Callable[[Asked], float]:
    return lambda asked: float(max((getattr(one, attribute) for one in asked.nodes), default=0))


def _sum(attribute: str) -> Callable[[Asked], float]:
    return lambda asked: float(asked.total(attribute))


def _daily(attribute: str) -> Callable[[Asked], float]:
    return lambda asked: asked.per_node_day(attribute)


ALL = (
    Figure("delivered", "share", "of new values that devices gave, how many the hub has", _delivered),
    Figure("polls", "count", "answers that devices gave", _sum("polls")),
    Figure("samples", "count", "samples that hubs stored", _sum("stored")),
    Figure(
        "wire_bytes_per_node_day", "bytes", "on the access line, headers and repeats included", _daily("wire_bytes")
    ),
    Figure("flash_bytes_per_node_day", "bytes", "written to flash", _daily("flash_bytes")),
    Figure("syncs_per_node_day", "count", "syncs of the flash", _daily("syncs")),
    Figure(
        "attempts_per_second_max",
        "count",
        "connections that the whole fleet began within one second",
        lambda asked: float(asked.figures.attempts_in_second_max),
    ),
    Figure("attempts_per_node_day", "count", "connections that a node began", _daily("attempts")),
    Figure("sessions", "count", "sessions that began", _sum("sessions")),
    Figure("live_share", "share", "of the time that nodes had a session", _live_share),
    Figure("live", "share", "of the nodes that have a session at that time", _live_at, True),
    Figure("live_since", "duration", "when the last of the nodes got the session that it has at the end", _live_since),
    Figure("backlog_max", "count", "reports that waited on one node, at most", _maximum("backlog_max")),
    Figure("backlog_end", "count", "reports that wait at the end", _sum("backlog")),
    Figure(
        "backlog_empty_at",
        "duration",
        "since when nothing waits any more on any node (looked at once a minute)",
        _backlog_empty_at,
    ),
    Figure(
        "restarts",
        "count",
        "starts of workloads' processes after their first, but for those after a loss of power",
        _sum("restarts"),
    ),
    Figure("power_cuts", "count", "of all nodes", _sum("power_cuts")),
    Figure("agent_deaths", "count", "agents that ended without being told to", _sum("agent_deaths")),
    Figure("faults", "count", "faults that began", lambda asked: float(sum(asked.figures.faults.values()))),
)
FIGURES: dict[str, Figure] = {figure.name: figure for figure in ALL}
UNITS = ("share", "count", "bytes", "duration")


def shown(figure: Figure, value: float) -> str:
    if value == NEVER:
        return "never"
    if figure.unit == "share":
        return f"{value:.5g}"
    if figure.unit == "bytes":
        return units.size_text(value)
    if figure.unit == "duration":
        return units.duration_text(round(value))
    return f"{value:,.0f}" if value == int(value) or value >= 100 else f"{value:.3g}"


def everything(figures: Figures, names: Iterable[str]) -> dict[str, Any]:
    """All figures that need no time, of all these nodes."""
    asked = Asked(figures, tuple(names), figures.now_ms)
    return {figure.name: figure.compute(asked) for figure in ALL if not figure.has_time}


def expectation_text(part: ExpectPart) -> str:
    """ "live at 2h of shop-* at least 0.9"."""
    figure = FIGURES[part.figure]
    text = figure.name
    if part.at is not None:
        text += f" at {units.duration_text(part.at)}"
    if part.nodes:
        text += " of " + ", ".join(part.nodes)
    if part.at_least is not None:
        text += f" at least {shown(figure, part.at_least)}"
    if part.at_most is not None:
        text += (" and" if part.at_least is not None else "") + f" at most {shown(figure, part.at_most)}"
    return text
