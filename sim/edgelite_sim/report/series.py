"""Curves of bounded length: counts and gauges over time in buckets that widen as a run grows longer.

All curves of one `Grid` share its width, so that one comparison an event is all that widening costs, and so that curves
can be added up later.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

UNSEEN = -1

# Each divides the next, so that neighbours can be joined whole, and is a length that people know.
WIDTHS_MS = tuple(
    seconds * 1000
    for seconds in (1, 5, 15, 30, 60, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400, 604_800, 6_048_000, 60_480_000)
)


class Grid:
    """Curves by name, `buckets_max` buckets each. Write `curve[now_ms // grid.width_ms]` after `fit(now_ms)`."""

    def __init__(self, buckets_max: int, width_ms: int = WIDTHS_MS[0]) -> None:
        self.buckets_max = buckets_max
        self.width_ms = width_ms
        self.limit_ms = self.width_ms * buckets_max
        self._sums: list[array[int]] = []
        self._gauges: list[array[int]] = []

    def sum(self) -> array[int]:
        """A curve of counts: buckets that are joined add up."""
        self._sums.append(array("q", [0]) * self.buckets_max)
        return self._sums[-1]

    def gauge(self) -> array[int]:
        """A curve of levels, UNSEEN where nobody looked: of buckets that are joined the highest stays."""
        self._gauges.append(array("q", [UNSEEN]) * self.buckets_max)
        return self._gauges[-1]

    def widen(self, now_ms: int) -> None:
        """Called where `now_ms >= limit_ms`. A time beyond the widest bucket is a mistake of the caller's."""
        while now_ms >= self.limit_ms:
            width_ms = WIDTHS_MS[WIDTHS_MS.index(self.width_ms) + 1]
            self._join(width_ms // self.width_ms)
            self.width_ms = width_ms
            self.limit_ms = width_ms * self.buckets_max

    def buckets(self, end_ms: int) -> int:
        """How many of them the time up to `end_ms` has reached."""
        return min(self.buckets_max, max(1, -(-end_ms // self.width_ms)))

    def _join(self, factor: int) -> None:
        for curve in self._sums:
            _refill(curve, folded(curve, factor), 0)
        for curve in self._gauges:
            _refill(curve, folded(curve, factor, highest=True), UNSEEN)


def _refill(curve: array[int], values: list[int], rest: int) -> None:
    curve[:] = array("q", values) + array("q", [rest]) * (len(curve) - len(values))


def held(values: Sequence[int]) -> list[int]:
    """A gauge with UNSEEN replaced by what was last seen, 0 before that: a backlog stays while its agent is dead."""
    found, last = [], 0
    for value in values:
        last = last if value == UNSEEN else value
        found.append(last)
    return found


def folded(values: Sequence[int], factor: int, highest: bool = False) -> list[int]:
    """`factor` neighbours joined to one: their sum, or the highest of them."""
    join = max if highest else sum
    return [join(values[at : at + factor]) for at in range(0, len(values), factor)]
