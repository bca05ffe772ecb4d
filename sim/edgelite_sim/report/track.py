"""What state something was in, over time, in bounded memory.

Up to its bound a track is exact: one piece for each change. Beyond that, pieces shorter than a grain are joined to one
piece that knows how long each state lasted in it, and the grain doubles as often as it must. Long pieces stay exact, so
that a year of short tunnels keeps its one outage of a week where it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

GRAIN_MS = 1_000


@dataclass(frozen=True, slots=True)
class Piece:
    """From `start_ms` to `end_ms`; `shares` says how many milliseconds each state had of it."""

    start_ms: int
    end_ms: int
    shares: dict[str, int]
    changes: int = 1

    @property
    def state(self) -> str:
        """The state that it was in the longest."""
        return max(self.shares, key=lambda state: self.shares[state])

    @property
    def is_mixed(self) -> bool:
        return len(self.shares) > 1


@dataclass(slots=True)
class Track:
    """`pieces` are over; `state` lasts since `since_ms`."""

    state: str
    since_ms: int
    pieces: list[Piece] = field(default_factory=list)
    totals_ms: dict[str, int] = field(default_factory=dict)
    entries: dict[str, int] = field(default_factory=dict)  # how often each state began
    grain_ms: int = GRAIN_MS

    def change(self, state: str, now_ms: int, pieces_max: int) -> None:
        if state == self.state:
            return
        if now_ms > self.since_ms:
            self._close(now_ms)
            if len(self.pieces) > pieces_max:
                self.pieces, self.grain_ms = condensed(self.pieces, pieces_max // 2, self.grain_ms)
        self.state = state
        self.since_ms = now_ms
        self.entries[state] = self.entries.get(state, 0) + 1

    def end(self, now_ms: int) -> None:
        """The run is over: the last piece closes."""
        if now_ms > self.since_ms:
            self._close(now_ms)
            self.since_ms = now_ms

    def _close(self, now_ms: int) -> None:
        lasted_ms = now_ms - self.since_ms
        self.totals_ms[self.state] = self.totals_ms.get(self.state, 0) + lasted_ms
        self.pieces.append(Piece(self.since_ms, now_ms, {self.state: lasted_ms}))


def joined(pieces: Sequence[Piece], grain_ms: int) -> Iterator[Piece]:
    """Pieces that are shorter than a grain and begin in one cell of it become one; the others stay as they are."""
    group: list[Piece] = []
    for piece in pieces:
        is_short = piece.end_ms - piece.start_ms < grain_ms
        if group and not (is_short and group[0].start_ms // grain_ms == piece.start_ms // grain_ms):
            yield _one_of(group)
            group = []
        if is_short:
            group.append(piece)
        else:
            yield piece
    if group:
        yield _one_of(group)


def condensed(pieces: Sequence[Piece], pieces_max: int, grain_ms: int = GRAIN_MS) -> tuple[list[Piece], int]:
    """At most `pieces_max` of them, by as coarse a grain as that takes, from `grain_ms` on; and that grain."""
    found = list(pieces)
    if len(found) > max(1, pieces_max):
        found = list(joined(found, grain_ms))
    while len(found) > max(1, pieces_max):
        grain_ms *= 2
        found = list(joined(found, grain_ms))
    return found, grain_ms


def _one_of(group: list[Piece]) -> Piece:
    if len(group) == 1:
        return group[0]
    shares: dict[str, int] = {}
    for piece in group:
        for state, lasted_ms in piece.shares.items():
            shares[state] = shares.get(state, 0) + lasted_ms
    return Piece(group[0].start_ms, group[-1].end_ms, shares, sum(piece.changes for piece in group))
