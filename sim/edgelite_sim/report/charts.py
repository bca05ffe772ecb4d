"""The curves of a report: which there are, and what each says in figures beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate

from edgelite_sim.report import words
from edgelite_sim.report.axis import duration_ticks, value_ticks
from edgelite_sim.report.plan import HEAT_COLUMNS, days, fleet_gauge, fleet_highest, fleet_sum
from edgelite_sim.report.recording import Recording


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
    values = [float(one) for one in fleet_gauge(recording, "reports_waiting")]
    notes = [f"at most {words.count(max(values))}", f"{words.count(values[-1])} at the end"]
    curves = [Curve("reports", "b", values)]
    ticks = value_ticks(max(values))
    return Chart("waiting", "Waiting on nodes", notes, curves, recording.gauge_width_ms, words.count, ticks)


def lateness(recording: Recording) -> Chart:
    values = [float(max(0, one)) for one in fleet_highest(recording, "late")]
    notes = ["from reading to the hub's store", f"at most {words.duration(max(values))}"]
    curves = [Curve("the oldest that arrived", "b", values)]
    ticks = duration_ticks(max(values))
    return Chart("late", "How late it arrived", notes, curves, recording.width_ms, words.duration, ticks)


def wire(recording: Recording) -> Chart:
    up, down = fleet_sum(recording, "up"), fleet_sum(recording, "down")
    a_node_day = (sum(up) + sum(down)) / len(recording.nodes) / days(recording)
    notes = [
        f"{words.size(sum(up))} up, {words.size(sum(down))} down",
        f"{words.size(a_node_day)} a node and day",
        f"each step {words.duration(recording.width_ms)}",
    ]
    both = [float(a + b) for a, b in zip(up, down, strict=True)]
    curves = [Curve("up and down", "b", both), Curve("up", "a", [float(one) for one in up])]
    return Chart("wire", "On the wire", notes, curves, recording.width_ms, words.size, value_ticks(max(both)))


def flash(recording: Recording) -> Chart:
    values = [float(one) for one in fleet_sum(recording, "flash")]
    syncs = sum(fleet_sum(recording, "syncs"))
    a_node_day = len(recording.nodes) * days(recording)
    notes = [
        f"{words.size(sum(values))} in {words.count(syncs)} syncs",
        f"{words.size(sum(values) / a_node_day)} a node and day",
        f"each step {words.duration(recording.width_ms)}",
    ]
    curves = [Curve("written", "a", values)]
    return Chart("flash", "Written to flash", notes, curves, recording.width_ms, words.size, value_ticks(max(values)))


def attempts(recording: Recording) -> Chart:
    values = [float(one) for one in fleet_sum(recording, "attempts")]
    notes = [words.count(sum(values)) + " in all", f"each step {words.duration(recording.width_ms)}"]
    ticks = value_ticks(max(values))
    curves = [Curve("attempts", "b", values)]
    return Chart("attempts", "Attempts to connect", notes, curves, recording.width_ms, words.count, ticks)


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
