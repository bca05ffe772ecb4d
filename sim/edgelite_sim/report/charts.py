"""The curves of a report: which there are, and what each says in figures beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from edgelite_sim.report import words
from edgelite_sim.report.axis import duration_ticks, value_ticks
from edgelite_sim.report.plan import HEAT_COLUMNS, days, fleet_gauge, fleet_highest, fleet_sum
from edgelite_sim.report.recording import Recording
from edgelite_sim.report.series import folded

STEPS_MAX = 480
PEAK = 2.5  # times what all but a fiftieth of the values stay below


@dataclass(frozen=True, slots=True)
class Curve:
    """`look` is its colour: "a" or "b". Drawn as steps where each value belongs to a whole bucket."""

    name: str
    look: str
    values: list[float]
    is_filled: bool = True


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves of one unit over the run's time, in buckets of `width_ms`. `stems` are (time, value, came true)."""

    key: str
    title: str
    notes: list[str]
    curves: list[Curve]
    width_ms: float
    tell: Callable[[float], str]
    ticks: list[float]
    stems: list[tuple[int, float, bool]] = field(default_factory=list)

    def peaks_ms(self) -> list[float]:
        """Where a curve goes on above the highest tick."""
        highest = self.ticks[-1]
        over = {at for curve in self.curves for at, value in enumerate(curve.values) if value > highest}
        return [(at + 0.5) * self.width_ms for at in sorted(over)]


def cut(values: list[float], tell: Callable[[float], str]) -> tuple[list[float], list[str]]:
    """Ticks, and a note where a few peaks would make everything else small: they are cut off then."""
    highest = max(values)
    usual = sorted(value for value in values if value > 0)
    bound = PEAK * usual[len(usual) * 49 // 50] if usual else 0.0
    if highest <= 2 * bound:
        return value_ticks(highest), []
    return value_ticks(bound), [f"peaks up to {tell(highest)} are cut off"]


def joined(values: Sequence[int], highest: bool = False) -> tuple[list[float], int]:
    """So few steps that each is wide enough to be seen, and how many buckets each has."""
    factor = -(-len(values) // STEPS_MAX)
    return [float(value) for value in folded(values, factor, highest)], factor


def charts(recording: Recording, shares: list[list[float]]) -> list[Chart]:
    """`shares` are `plan.away_shares` of each node."""
    if not recording.nodes:
        return []
    found = [delivery(recording), waiting(recording), lateness(recording), wire(recording), flash(recording)]
    if len(recording.nodes) > 1:
        found.insert(0, live(recording, shares))
    found.append(attempts(recording))
    if recording.wishes:
        found.append(lag(recording))
    return found


def live(recording: Recording, shares: list[list[float]]) -> Chart:
    values = [len(shares) - sum(column) for column in zip(*shares, strict=True)]
    mean = sum(values) / len(values)
    notes = [
        f"{words.share(mean / len(shares))} of the time, on average",
        f"lowest {words.count(round(min(values), 1))}",
    ]
    ticks = [0.0, len(shares) / 2, float(len(shares))] if len(shares) % 2 == 0 else [0.0, float(len(shares))]
    width_ms = recording.span_ms / HEAT_COLUMNS
    return Chart("live", "Nodes with a session", notes, [Curve("nodes", "a", values)], width_ms, words.count, ticks)


def delivery(recording: Recording) -> Chart:
    new, stored = fleet_sum(recording, "new"), fleet_sum(recording, "stored")
    made, arrived = [float(one) for one in accumulate(new)], [float(one) for one in accumulate(stored)]
    notes = [
        f"{words.count(sum(fleet_sum(recording, 'read')))} values read",
        f"{words.count(made[-1])} of them were news",
        f"{words.count(arrived[-1])} stored by the hub",
    ]
    curves = [Curve("new values at devices", "b", made, False), Curve("stored by the hub", "a", arrived, False)]
    ticks = value_ticks(max(made[-1], arrived[-1]))
    return Chart("delivery", "Made and delivered", notes, curves, recording.width_ms, words.count, ticks)


def waiting(recording: Recording) -> Chart:
    finely = fleet_gauge(recording, "reports_waiting")
    values, factor = joined(finely, highest=True)
    notes = [f"at most {words.count(max(values))}", f"{words.count(finely[-1])} at the end"]
    ticks, width_ms = value_ticks(max(values)), recording.gauge_width_ms * factor
    return Chart("waiting", "Waiting on nodes", notes, [Curve("reports", "b", values)], width_ms, words.count, ticks)


def lateness(recording: Recording) -> Chart:
    values, factor = joined([max(0, one) for one in fleet_highest(recording, "late")], highest=True)
    notes = ["from reading to the hub's store", f"at most {words.duration(max(values))}"]
    curves = [Curve("the oldest that arrived", "b", values)]
    ticks, width_ms = duration_ticks(max(values)), recording.width_ms * factor
    return Chart("late", "How late it arrived", notes, curves, width_ms, words.duration, ticks)


def wire(recording: Recording) -> Chart:
    (up, factor), (down, _) = (joined(fleet_sum(recording, name)) for name in ("up", "down"))
    a_node_day = (sum(up) + sum(down)) / len(recording.nodes) / days(recording)
    both = [a + b for a, b in zip(up, down, strict=True)]
    ticks, cut_off = cut(both, words.size)
    width_ms = recording.width_ms * factor
    notes = [
        f"{words.size(sum(up))} up, {words.size(sum(down))} down",
        f"{words.size(a_node_day)} a node and day",
        f"each step {words.duration(width_ms)}",
        *cut_off,
    ]
    curves = [Curve("up and down", "b", both), Curve("up", "a", up)]
    return Chart("wire", "On the wire", notes, curves, width_ms, words.size, ticks)


def flash(recording: Recording) -> Chart:
    values, factor = joined(fleet_sum(recording, "flash"))
    ticks, cut_off = cut(values, words.size)
    width_ms = recording.width_ms * factor
    notes = [
        f"{words.size(sum(values))} in {words.count(sum(fleet_sum(recording, 'syncs')))} syncs",
        f"{words.size(sum(values) / len(recording.nodes) / days(recording))} a node and day",
        f"each step {words.duration(width_ms)}",
        *cut_off,
    ]
    return Chart("flash", "Written to flash", notes, [Curve("written", "a", values)], width_ms, words.size, ticks)


def attempts(recording: Recording) -> Chart:
    values, factor = joined(fleet_sum(recording, "attempts"))
    width_ms = recording.width_ms * factor
    notes = [f"{words.count(sum(values))} in all", f"each step {words.duration(width_ms)}"]
    curves, ticks = [Curve("attempts", "b", values)], value_ticks(max(values))
    return Chart("attempts", "Attempts to connect", notes, curves, width_ms, words.count, ticks)


def lag(recording: Recording) -> Chart:
    stems, reached = [], []
    for wish in recording.wishes:
        end_ms = wish.reached_ms if wish.reached_ms is not None else wish.replaced_ms or recording.span_ms
        stems.append((wish.wanted_ms, float(end_ms - wish.wanted_ms), wish.reached_ms is not None))
        if wish.reached_ms is not None:
            reached.append(end_ms - wish.wanted_ms)
    # One that is never reached stands as high as there is room, and does not make the others small.
    highest = max(reached, default=max(lag_ms for _, lag_ms, _ in stems))
    notes = [f"{len(reached)} of {words.plural(len(stems), 'wish', 'wishes')} reached"]
    if reached:
        notes.append(f"median {words.duration(sorted(reached)[len(reached) // 2])}")
        notes.append(f"at most {words.duration(max(reached))}")
    ticks = duration_ticks(highest)
    return Chart("lag", "From wish to reality", notes, [], recording.width_ms, words.duration, ticks, stems)
