"""Sees a run as an `Observer` and keeps what a report shows of it, in memory that does not grow with the run's length.

A year of one node is a million events, so each costs an index into an array and little else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgelite_sim.report.desired import Wishes
from edgelite_sim.report.marks import Marks
from edgelite_sim.report.recording import Expectation, Lane, NodeRecord, Outcome, Recording, Verdict
from edgelite_sim.report.series import Grid
from edgelite_sim.report.track import GRAIN_MS, Track, joined
from edgelite_sim.world.observer import Observer

if TYPE_CHECKING:
    from edgelite_hub.store.contract import Sample
    from edgelite_sim.world.world import World

# Shared by all nodes: a few are kept finely, a fleet of a thousand coarsely, in about 30 MB either way.
BUCKETS = 400_000
BUCKETS_MIN, BUCKETS_MAX = 60, 1_500
PIECES = 200_000
PIECES_MIN, PIECES_MAX = 60, 4_000
GAUGE_WIDTH_MS = 60_000  # how often the world looks at them
WORKLOADS_MAX = 32  # of one node; further ones share a lane
OTHER_WORKLOADS = "others"
STATES_MAX = 24  # of one lane; further words for being down are one
OTHER_STATE = "other"

CURVES = ("read", "new", "stored", "up", "down", "flash", "syncs", "attempts")
GAUGES = ("reports_waiting", "journal_bytes", "flash_bytes")
HUB_STATES = {"started": "up", "crashed": "crashed", "stopped": "stopped"}


class _Node:
    """What is being kept of one node."""

    __slots__ = (
        *("attempts", "down", "flash", "gauges", "lanes", "last", "late", "new"),
        *("read", "running", "stored", "syncs", "up", "workloads"),
    )

    def __init__(self, grid: Grid, gauge_grid: Grid) -> None:
        self.read, self.new, self.stored = grid.sum(), grid.sum(), grid.sum()
        self.up, self.down, self.flash = grid.sum(), grid.sum(), grid.sum()
        self.syncs, self.attempts, self.late = grid.sum(), grid.sum(), grid.gauge()
        self.gauges = {name: gauge_grid.gauge() for name in GAUGES}
        self.lanes = {"power": Track("off", 0), "agent": Track("not started", 0)}
        self.lanes |= {"link": Track("up", 0), "session": Track("not yet", 0)}
        self.workloads: dict[str, Track] = {}
        self.running: dict[str, set[str]] = {}
        self.last: dict[str, dict[str, object]] = {}  # what each device said last, to tell news from repetition


class Recorder(Observer):
    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._hubs: dict[str, Track] = {}
        self._marks = Marks()
        self._wishes = Wishes()
        self._start_unix_ms = 0
        self._end_ms = 0
        self._share(1)

    def _share(self, nodes: int) -> None:
        self._grid = Grid(min(BUCKETS_MAX, max(BUCKETS_MIN, BUCKETS // max(1, nodes))))
        self._gauge_grid = Grid(self._grid.buckets_max, GAUGE_WIDTH_MS)
        self._pieces_max = min(PIECES_MAX, max(PIECES_MIN, PIECES // (4 * max(1, nodes))))

    def begin(self, world: World) -> None:
        self._start_unix_ms = world.start_unix_ms
        if not self._nodes:
            self._share(len(world.nodes))

    def end(self, world: World, now_ms: int) -> None:
        self._end_ms = now_ms

    def fault(self, kind: str, target: str, detail: str, now_ms: int) -> None:
        self._marks.add(kind, target, detail, now_ms)

    # ---- nodes

    def power(self, node: str, is_on: bool, why: str, now_ms: int) -> None:
        self._change(self._node(node).lanes["power"], "on" if is_on else why or "off", now_ms)
        if not is_on:
            self._lose_power(self._node(node), now_ms)

    def agent(self, node: str, is_up: bool, why: str, now_ms: int) -> None:
        self._change(self._node(node).lanes["agent"], "up" if is_up else why or "down", now_ms)

    def line(self, node: str, state: str, now_ms: int) -> None:
        self._change(self._node(node).lanes["link"], state, now_ms)

    def session(self, node: str, is_live: bool, why: str, now_ms: int) -> None:
        self._change(self._node(node).lanes["session"], "live" if is_live else why or "ended", now_ms)

    def attempt(self, node: str, now_ms: int) -> None:
        self._node(node).attempts[self._bucket(now_ms)] += 1

    def wire(self, node: str, up_bytes: int, down_bytes: int, now_ms: int) -> None:
        one, bucket = self._node(node), self._bucket(now_ms)
        one.up[bucket] += up_bytes
        one.down[bucket] += down_bytes

    def flash(self, node: str, written_bytes: int, syncs: int, now_ms: int) -> None:
        one, bucket = self._node(node), self._bucket(now_ms)
        one.flash[bucket] += written_bytes
        one.syncs[bucket] += syncs

    def answered(self, node: str, device: str, values: dict[str, object], now_ms: int) -> None:
        one, bucket = self._node(node), self._bucket(now_ms)
        one.read[bucket] += len(values)
        before = one.last.get(device)
        if before != values:
            one.new[bucket] += _news(before, values)
            one.last[device] = {**(before or {}), **values}

    def unit(self, node: str, workload: str, unit: str, what: str, now_ms: int) -> None:
        one = self._node(node)
        if workload not in one.workloads and len(one.workloads) >= WORKLOADS_MAX:
            workload = OTHER_WORKLOADS
        track = one.workloads.setdefault(workload, Track("absent", 0))
        running = one.running.setdefault(workload, set())
        if what == "started":
            running.add(unit)
        elif not what.startswith("signalled"):  # that asks it to end, and it may not
            running.discard(unit)
        self._change(track, "running" if running else what, now_ms)

    def gauges(self, node: str, gauges: dict[str, int], now_ms: int) -> None:
        kept = self._node(node).gauges
        if now_ms >= self._gauge_grid.limit_ms:
            self._gauge_grid.widen(now_ms)
        bucket = now_ms // self._gauge_grid.width_ms
        for name, curve in kept.items():
            value = gauges.get(name, -1)
            if value > curve[bucket]:
                curve[bucket] = value

    # ---- hubs

    def hub(self, hub: str, what: str, now_ms: int) -> None:
        track = self._hubs.setdefault(hub, Track("not started", 0))
        if what in HUB_STATES:
            self._change(track, HUB_STATES[what], now_ms)
        if what != "started":
            self._marks.add(f"hub {what}", hub, "", now_ms)

    def stored(self, hub: str, samples: Sequence[Sample], now_ms: int) -> None:
        bucket = self._bucket(now_ms)
        unix_ms = self._start_unix_ms + now_ms
        for sample in samples:
            one = self._node(sample.node)
            one.stored[bucket] += 1
            if unix_ms - sample.time_ms > one.late[bucket]:
                one.late[bucket] = unix_ms - sample.time_ms

    def changed(
        self, hub: str, resource: str, namespace: str, name: str, new: dict[str, Any] | None, now_ms: int
    ) -> None:
        self._wishes.changed(resource, namespace, name, new, now_ms)

    def wanted(
        self, hub: str, resource: str, namespace: str, name: str, new: dict[str, Any] | None, now_ms: int
    ) -> None:
        self._wishes.wanted(resource, namespace, name, new, now_ms)

    # ---- afterwards

    def recording(self, outcome: Outcome) -> Recording:
        """What a report is made of. The recorder is not used further after it."""
        return Recording(
            name=outcome.name,
            description=outcome.description,
            seed=outcome.seed,
            digest=outcome.digest,
            real_s=outcome.real_s,
            span_ms=self._end_ms,
            start_unix_ms=self._start_unix_ms,
            verdicts=[Verdict(*one) for one in outcome.verdicts],
            expectations=[Expectation(*one) for one in outcome.expectations],
            width_ms=self._grid.width_ms,
            gauge_width_ms=self._gauge_grid.width_ms,
            nodes=[self._record(name, one) for name, one in sorted(self._nodes.items(), key=_counting)],
            hubs={name: self._lane(track) for name, track in sorted(self._hubs.items())},
            marks=self._marks.all(),
            mark_counts=self._marks.counts,
            wishes=self._wishes.all(),
            wishes_not_kept=self._wishes.not_kept,
        )

    def _record(self, name: str, one: _Node) -> NodeRecord:
        buckets = self._grid.buckets(self._end_ms)
        gauge_buckets = self._gauge_grid.buckets(self._end_ms)
        curves = {curve: list(getattr(one, curve)[:buckets]) for curve in (*CURVES, "late")}
        return NodeRecord(
            name=name,
            lanes={lane: self._lane(track) for lane, track in one.lanes.items()},
            workloads={workload: self._lane(track) for workload, track in sorted(one.workloads.items())},
            curves=curves,
            gauges={gauge: list(curve[:gauge_buckets]) for gauge, curve in one.gauges.items()},
        )

    def _lane(self, track: Track) -> Lane:
        """Equally coarse from its begin to its end."""
        track.end(self._end_ms)
        pieces = list(joined(track.pieces, track.grain_ms)) if track.grain_ms > GRAIN_MS else track.pieces
        return Lane(pieces, track.totals_ms, track.entries)

    # ---- while it runs

    def _node(self, name: str) -> _Node:
        one = self._nodes.get(name)
        if one is None:
            one = self._nodes[name] = _Node(self._grid, self._gauge_grid)
        return one

    def _bucket(self, now_ms: int) -> int:
        if now_ms >= self._grid.limit_ms:
            self._grid.widen(now_ms)
        return now_ms // self._grid.width_ms

    def _change(self, track: Track, state: str, now_ms: int) -> None:
        if len(track.entries) >= STATES_MAX and state not in track.entries:
            state = OTHER_STATE
        track.change(state, now_ms, self._pieces_max)

    def _lose_power(self, one: _Node, now_ms: int) -> None:
        """Nothing runs without power, whether or not each process was said to have ended."""
        for workload, running in one.running.items():
            if running:
                running.clear()
                self._change(one.workloads[workload], "lost power", now_ms)


def _counting(item: tuple[str, _Node]) -> list[tuple[int, str]]:
    """node-2 before node-10."""
    parts = re.split(r"(\d+)", item[0])
    return [(int(part), "") if part.isascii() and part.isdigit() else (-1, part) for part in parts]


def _news(before: dict[str, object] | None, values: dict[str, object]) -> int:
    if before is None:
        return len(values)
    return sum(1 for name, value in values.items() if name not in before or before[name] != value)
