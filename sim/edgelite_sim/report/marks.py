"""What happened at one time each: all of it up to a bound, then joined by kind and neighbourhood in time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgelite_sim.report.recording import Mark

MARKS_MAX = 24_000
GRAIN_MS = 1_000
GRAIN_MS_MAX = 1 << 50  # beyond any run: what is left then is one mark a kind
TARGETS_UNTIL_MS = 6 * 3_600_000  # with a coarser grain, one mark stands for all targets


class Marks:
    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._kept: list[Mark] = []
        self._grain_ms = GRAIN_MS

    def add(self, kind: str, target: str, detail: str, now_ms: int) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self._kept.append(Mark(now_ms, kind, target, detail))
        if len(self._kept) > MARKS_MAX:
            self._kept, self._grain_ms = condensed(self._kept, MARKS_MAX // 2, self._grain_ms)

    def all(self) -> list[Mark]:
        """In the order of their times, and equally coarse from the first to the last."""
        found = joined(self._kept, self._grain_ms) if self._grain_ms > GRAIN_MS else self._kept
        return sorted(found, key=lambda mark: mark.time_ms)


def condensed(marks: Sequence[Mark], marks_max: int, grain_ms: int = GRAIN_MS) -> tuple[list[Mark], int]:
    """At most `marks_max` of them, by as coarse a grain as that takes, from `grain_ms` on; and that grain."""
    found = list(marks)
    if len(found) > marks_max:
        found = joined(found, grain_ms)
    while len(found) > marks_max and grain_ms < GRAIN_MS_MAX:
        grain_ms *= 2
        found = joined(found, grain_ms)
    return found, grain_ms


def joined(marks: Iterable[Mark], grain_ms: int) -> list[Mark]:
    """One for all of a kind (and target, while the grain is fine) that fall in one cell of the grain."""
    cells: dict[tuple[int, str, str], Mark] = {}
    for mark in marks:
        target = mark.target if grain_ms <= TARGETS_UNTIL_MS else ""
        key = (mark.time_ms // grain_ms, mark.kind, target)
        first = cells.get(key)
        if first is None:
            cells[key] = mark
        else:
            target = first.target if first.target == mark.target else ""
            detail = first.detail if first.detail == mark.detail else ""
            cells[key] = Mark(first.time_ms, first.kind, target, detail, first.count + mark.count)
    return list(cells.values())
