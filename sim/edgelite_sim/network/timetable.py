"""When a link is down by itself: fixed times, tunnels on a line, nights, or at random.

A plan is what a profile says; a clock (`FixedClock`, `RandomClock`) is one link's course through it. Times are the
link's milliseconds. A clock tells the times in order and never goes back.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Protocol

NEVER_MS = 1 << 60
DAY_MS = 86_400_000


class Clock(Protocol):
    """`is_out` holds until `next_ms`."""

    next_ms: int
    is_out: bool

    def advance(self) -> None:
        """Go to what begins at `next_ms`."""


@dataclass(frozen=True, slots=True)
class FixedPlan:
    """`spans` are (from, to) within each period, in order, apart from each other. `phase_ms`: where in the period the
    link's time 0 is; None draws it for each link. `by_clock`: the period begins at midnight UTC instead."""

    kind: str
    period_ms: int
    spans: tuple[tuple[int, int], ...]
    phase_ms: int | None = None
    by_clock: bool = False

    def begin(self, draw: random.Random, now_ms: int, unix_ms: int) -> FixedClock:
        """`unix_ms` is the time of day, in UTC, at the link's time 0."""
        if self.by_clock:
            zero_ms = -(unix_ms % self.period_ms)
        else:
            zero_ms = now_ms - (draw.randrange(self.period_ms) if self.phase_ms is None else self.phase_ms)
        return FixedClock(self, zero_ms, now_ms)


class FixedClock:
    def __init__(self, plan: FixedPlan, zero_ms: int, now_ms: int) -> None:
        self._plan = plan
        self._zero_ms = zero_ms + (now_ms - zero_ms) // plan.period_ms * plan.period_ms  # of the period that runs
        self._index = 0
        self.is_out = False
        self.next_ms = self._zero_ms + plan.spans[0][0] if plan.spans else NEVER_MS
        while self.next_ms <= now_ms:
            self.advance()

    def advance(self) -> None:
        spans = self._plan.spans
        if not self.is_out:
            self.is_out = True
            self.next_ms = self._zero_ms + spans[self._index][1]
            return
        self.is_out = False
        self._index += 1
        if self._index == len(spans):
            self._index = 0
            self._zero_ms += self._plan.period_ms
        self.next_ms = self._zero_ms + spans[self._index][0]


@dataclass(frozen=True, slots=True)
class RandomPlan:
    """Outages with exponentially distributed gaps and lengths; `length_ms` 0: it happens and is over."""

    kind: str
    between_ms: int
    length_ms: int

    def begin(self, draw: random.Random, now_ms: int, unix_ms: int) -> RandomClock:
        return RandomClock(self, draw, now_ms)


class RandomClock:
    def __init__(self, plan: RandomPlan, draw: random.Random, now_ms: int) -> None:
        self._plan = plan
        self._draw = draw
        self.is_out = False
        self.next_ms = now_ms + self._drawn_ms(plan.between_ms)

    def advance(self) -> None:
        self.is_out = not self.is_out
        mean_ms = self._plan.length_ms if self.is_out else self._plan.between_ms
        self.next_ms += self._drawn_ms(mean_ms)

    def _drawn_ms(self, mean_ms: int) -> int:
        return 1 + int(self._draw.expovariate(1.0) * mean_ms)


Plan = FixedPlan | RandomPlan


def of_tunnels(
    tunnels: list[tuple[int, int]], line_m: int, speed_m_s: float, stop_ms: int, kind: str, phase_ms: int | None
) -> FixedPlan:
    """A train goes to and fro on a line of `line_m` and rests at each end; tunnels are (position, length) in metres."""
    way_ms = round(line_m / speed_m_s * 1000)
    there = [
        (round(at_m / speed_m_s * 1000), max(1, round((at_m + length_m) / speed_m_s * 1000)))
        for at_m, length_m in tunnels
    ]
    back = [(2 * way_ms + stop_ms - to_ms, 2 * way_ms + stop_ms - from_ms) for from_ms, to_ms in reversed(there)]
    return FixedPlan(kind, 2 * (way_ms + stop_ms), tuple(joined(there + back)), phase_ms)


def joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those that touch or overlap are one."""
    whole: list[tuple[int, int]] = []
    for from_ms, to_ms in sorted(spans):
        if whole and from_ms <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(whole[-1][1], to_ms))
        else:
            whole.append((from_ms, to_ms))
    return whole
