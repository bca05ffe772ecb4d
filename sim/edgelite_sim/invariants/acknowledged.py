"""nothing-acknowledged-is-lost: what was taken from a device, and what the hub said that it has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgelite_protocol.messages import LANE_TELEMETRY
from edgelite_sim.invariants import reach
from edgelite_sim.invariants.conditions import DAMAGE_FAULTS, SUSPEND, Conditions, Troubles
from edgelite_sim.invariants.invariant import Invariant
from edgelite_sim.invariants.objects import DEVICES, NODES, Following, condition_of
from edgelite_sim.invariants.readings import Readings, Series

if TYPE_CHECKING:
    from edgelite_hub.store.contract import Sample
    from edgelite_sim.world.world import World

COMMIT_SLACK_MS = 3_500  # beside group_window_ms: what a sync, and the round before it, may take on a slow card
SETTLE_MS = 390_000  # the longest backoff (300 s), an attempt that hangs (90 s): by then a session is there
DELIVER_MS = 60_000  # what a session may take from a reading to its place in the store

# What keeps a card from making safe what it was given: readings wait in memory meanwhile.
UNSAFE_FAULTS = ("flash-full", "slow-sync", "io-error")

_GAP = re.compile(r"node (\S+): lost with an older store: lane (\d+), reports")
_UNKNOWN_DEVICE = re.compile(r"node (\S+): ignored reports on device '([^']+)', which is gone or none of its own")
_DROPPED = re.compile(r"(\d+) reports of lane 1 were dropped")


@dataclass(slots=True)
class _Losses:
    """What a node may have lost: at its ends, to damage, by its quota."""

    deaths: list[tuple[int, int]] = field(default_factory=list)  # (from, to): readings between were not safe yet
    untaken: set[int] = field(default_factory=set)  # when answers came that the agent may not have taken
    damaged_ms: int = -1  # readings up to here may be gone from the flash
    dropped: int = 0
    damage_told: str = ""
    was_unsafe: bool = False  # when the agent ended: then a cut may look like damage (docs/journal.md)


class NothingAcknowledgedIsLost(Invariant):
    """`properties` names those that count their own answers; all whose values only grow, where it is empty."""

    name = "nothing-acknowledged-is-lost"
    sentence = (
        "A reading that a node held for longer than its commit window, and a report that a hub acknowledged, are in "
        "the hub's store in the end, unless a quota dropped them and said so, or a restored hub named the gap."
    )

    def __init__(
        self,
        properties: Sequence[str] = (),
        commit_slack_ms: int = COMMIT_SLACK_MS,
        settle_ms: int = SETTLE_MS,
        deliver_ms: int = DELIVER_MS,
    ) -> None:
        super().__init__()
        self._commit_slack_ms = commit_slack_ms
        self._settle_ms = settle_ms
        self._deliver_ms = deliver_ms
        self._readings = Readings(properties)
        self._conditions = Conditions()
        self._following = Following()
        self._losses: dict[str, _Losses] = {}
        self._acknowledged: dict[tuple[str, str, int], tuple[int, int]] = {}  # (hub, node, lane): the newest name
        self._unknown: dict[tuple[str, str], int] = {}  # (node, device) that a hub has named as none of its own
        self._absent_ms: dict[str, int] = {}  # when a hub ceased to have a Device
        self._clocks_ms: dict[str, int] = {}  # how late it was at most by each hub's clock, which retention goes by
        self._windows_ms: dict[str, int] = {}
        self._crashed: set[str] = set()
        self._unsafe = Troubles(*UNSAFE_FAULTS)
        self._devices = Troubles("device")  # then an answer that has left may not be taken
        self._frozen = Troubles("agent-hang", SUSPEND)  # then neither, and nothing is made safe

    # ---- what is seen

    def begin(self, world: World) -> None:
        super().begin(world)
        self._conditions.begin(world)

    def answered(self, node: str, device: str, values: dict[str, object], now_ms: int) -> None:
        reported = {name: values[name] for name in values if self._following.is_reported(node, device, name)}
        self._readings.answered(node, device, reported, now_ms)
        is_troubled = self._devices.is_or_was(node, now_ms) or self._frozen.is_or_was(node, now_ms)
        if is_troubled or reach.hangs(self.world, node):
            self._of(node).untaken.add(now_ms)

    def stored(self, hub: str, samples: Sequence[Sample], now_ms: int) -> None:
        for sample in samples:
            series = self._readings.of(sample)
            if series is not None:
                series.stored(hub, sample.value)

    def changed(
        self, hub: str, resource: str, namespace: str, name: str, new: dict[str, Any] | None, now_ms: int
    ) -> None:
        self._following.changed(hub, resource, namespace, name, new, now_ms)
        if resource == NODES and new is not None:
            self._note_drops(name, new)
            self._note_damage(name, new, now_ms)
        elif resource == DEVICES and new is None:
            self._absent_ms.setdefault(f"{namespace}/{name}", now_ms)

    def _note_drops(self, node: str, new: dict[str, Any]) -> None:
        """The condition has the sum of what each hub was told."""
        found = _DROPPED.search(condition_of(new, "ReportsDropped").get("message", ""))
        if found is not None:
            losses = self._of(node)
            losses.dropped = max(losses.dropped, int(found.group(1)))

    def _note_damage(self, node: str, new: dict[str, Any], now_ms: int) -> None:
        """A power cut is no damage to what was durable: an agent that finds some has lost it by itself."""
        told = condition_of(new, "JournalDamaged").get("message", "")
        losses = self._of(node)
        if told and losses.damaged_ms < 0 and told != losses.damage_told and not losses.was_unsafe:
            self.violate(now_ms, node, f"its journal is damaged, and nothing had damaged its flash: {told}")
        losses.damage_told = told

    def log(self, hub: str, line: str, now_ms: int) -> None:
        found = _GAP.search(line)
        if found is not None:
            self._name_gap(hub, found.group(1), int(found.group(2)))
        found = _UNKNOWN_DEVICE.search(line)
        if found is not None:
            self._unknown.setdefault((found.group(1), found.group(2)), now_ms)

    def acknowledged(self, node: str, hub: str, lane: int, generation: int, sequence: int, now_ms: int) -> None:
        self._acknowledged[hub, node, lane] = (generation, sequence)

    def power(self, node: str, is_on: bool, why: str, now_ms: int) -> None:
        self._conditions.power(node, is_on, why, now_ms)

    def line(self, node: str, state: str, now_ms: int) -> None:
        self._conditions.line(node, state, now_ms)

    def agent(self, node: str, is_up: bool, why: str, now_ms: int) -> None:
        self._conditions.agent(node, is_up, why, now_ms)
        if is_up:
            return
        losses = self._of(node)
        unsafe_ms = self._unsafe.since_ms(node)
        frozen_ms = self._frozen.since_ms(node)
        safe_ms = min(time_ms for time_ms in (now_ms, unsafe_ms, frozen_ms) if time_ms is not None)
        losses.was_unsafe = losses.was_unsafe or unsafe_ms is not None
        losses.deaths.append((safe_ms - self._window_ms(node), now_ms))
        self._frozen.end("agent-hang", node, now_ms)

    def fault(self, kind: str, target: str, detail: str, now_ms: int) -> None:
        self._conditions.fault(kind, target, detail, now_ms)
        self._unsafe.fault(kind, target, detail, now_ms)
        self._devices.fault(kind, target, detail, now_ms)
        self._frozen.fault(kind, target, detail, now_ms)
        if kind in DAMAGE_FAULTS:
            self._of(target).damaged_ms = now_ms

    # ---- hubs

    def hub(self, hub: str, what: str, now_ms: int) -> None:
        self._conditions.hub(hub, what, now_ms)
        if what in reach.OTHER_STORE:
            self._take_other_store(hub, now_ms)
        elif what == "crashed":
            self._crashed.add(hub)
        elif what == "started" and hub in self._crashed:
            self._crashed.discard(hub)
            self._check_store(hub, now_ms)

    def _name_gap(self, hub: str, node: str, lane: int) -> None:
        """What the hub has forgotten of the node until now is named; what a later restore forgets is another gap."""
        for series in self._readings.of_node(node) if lane == LANE_TELEMETRY else ():
            shelf = series.shelf(hub)
            shelf.named |= shelf.forgotten

    def _take_other_store(self, hub: str, now_ms: int) -> None:
        """What it no longer has is forgiven where it was acknowledged and the hub names the gap."""
        for series in self._readings:
            gone = series.replace(hub, reach.stored_values(self.world, hub, series))
            series.shelf(hub).forgotten.update(gone)
        had = self._following.names(hub, DEVICES)
        self._following.look(self.world, hub)
        for name in had - self._following.names(hub, DEVICES):
            self._absent_ms.setdefault(name, now_ms)
        for key in [key for key in self._acknowledged if key[0] == hub]:
            del self._acknowledged[key]

    def _check_store(self, hub: str, now_ms: int) -> None:
        """What was committed and what was acknowledged is there still."""
        for series in self._readings:
            if hub in series.shelves:
                self._check_series(hub, series, now_ms)
        for (owner, node, lane), name in sorted(self._acknowledged.items()):
            positions = reach.position(self.world, hub, node, lane) if owner == hub else None
            if positions is not None and all(one < name for one in positions):
                last = max(positions, default=None)
                text = f"{hub} acknowledged report {name} of lane {lane}, and its store ends at {last}"
                self.violate(now_ms, node, text)

    def _check_series(self, hub: str, series: Series, now_ms: int) -> None:
        gone = series.replace(hub, reach.stored_values(self.world, hub, series))
        kept_since_ms = self._kept_since_ms(hub)
        gone = [place for place in gone if series.times_ms[place] > kept_since_ms]
        if gone:
            first = series.values[gone[0]]
            text = f"{hub} had stored {len(gone)} readings of {series.text} that are gone; the first is {first!r}"
            self.violate(now_ms, series.node, text)

    def gauges(self, node: str, gauges: dict[str, int], now_ms: int) -> None:
        for hub in sorted(self.world.hubs) if self.world is not None else ():
            self._look_at_clock(hub)

    def _look_at_clock(self, hub: str) -> None:
        self._clocks_ms[hub] = max(self._clocks_ms.get(hub, 0), reach.clock_ms(self.world, hub))

    def _kept_since_ms(self, hub: str) -> int:
        """What is older may have passed its retention."""
        self._look_at_clock(hub)
        return self._clocks_ms[hub] - reach.retention_ms(self.world, hub)

    # ---- the end

    def end(self, world: World, now_ms: int) -> None:
        for hub in sorted(world.hubs):
            self._check_store(hub, now_ms)
        for node in sorted({series.node for series in self._readings}):
            since_ms = self._conditions.good_since_ms(node)
            if since_ms is not None and now_ms - since_ms >= self._settle_ms:
                self._judge(node, now_ms - self._window_ms(node) - self._deliver_ms, now_ms)

    def _judge(self, node: str, until_ms: int, now_ms: int) -> None:
        lost: list[tuple[Series, int]] = []
        for series in self._readings.of_node(node):
            if series.is_counting:
                lost += [(series, place) for place in self._missing(series, until_ms)]
        excused = self._of(node).dropped
        if len(lost) <= excused:
            return
        for series, place in lost[excused:]:
            dropped = f" ({excused} were dropped by the quota)" if excused else ""
            text = (
                f"{series.text} = {series.values[place]!r}, read at {series.times_ms[place]} ms, is in no hub's store"
            )
            self.violate(now_ms, node, text + dropped)

    def _missing(self, series: Series, until_ms: int) -> list[int]:
        losses = self._of(series.node)
        deaths = losses.deaths
        missing = []
        kept_since_ms = max((self._kept_since_ms(hub) for hub in series.shelves), default=-1)
        unknown_ms = self._unknown_since_ms(series)
        for place, time_ms in enumerate(series.times_ms):
            if time_ms > until_ms:
                break
            if series.is_stored(place) or time_ms <= max(losses.damaged_ms, kept_since_ms) or time_ms in losses.untaken:
                continue
            if unknown_ms is not None and time_ms >= unknown_ms:
                continue
            if any(start_ms < time_ms <= end_ms for start_ms, end_ms in deaths) or self._is_gap(series, place):
                continue
            missing.append(place)
        return missing

    def _unknown_since_ms(self, series: Series) -> int | None:
        """Since when a hub had no such Device any more, where it has named that; what waited then counts too."""
        absent_ms = self._absent_ms.get(series.device)
        if absent_ms is None or (series.node, series.device) not in self._unknown:
            return None
        stored = [shelf.next for shelf in series.shelves.values()]
        return min(absent_ms, series.times_ms[min(max(stored), len(series.times_ms) - 1)]) if stored else 0

    def _is_gap(self, series: Series, place: int) -> bool:
        """A restored hub had it, and has told that it has not."""
        return any(place in shelf.named for shelf in series.shelves.values())

    def _of(self, node: str) -> _Losses:
        losses = self._losses.get(node)
        if losses is None:
            losses = self._losses[node] = _Losses()
        return losses

    def _window_ms(self, node: str) -> int:
        window_ms = self._windows_ms.get(node)
        if window_ms is None:
            config = reach.config(self.world, node)
            window_ms = self._windows_ms[node] = config.group_window_ms + self._commit_slack_ms
        return window_ms
