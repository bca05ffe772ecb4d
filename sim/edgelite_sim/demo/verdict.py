"""What the demo is judged by: the meter's own log of answered reads against the hub's store."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gap:
    """Answered reads that the hub does not have, one after another."""

    first: int
    last: int
    from_ms: int
    to_ms: int
    excused: bool  # the agent was dead

    @property
    def count(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Verdict:
    answered: int  # by the meter's log
    stored: int  # distinct reads in the hub's store
    twice: list[int]  # reads that the store has more than once
    unknown: list[int]  # reads in the store that the meter never answered
    gaps: list[Gap]

    @property
    def lost(self) -> int:
        return sum(gap.count for gap in self.gaps if not gap.excused)

    @property
    def good(self) -> bool:
        return self.answered > 0 and not (self.lost or self.twice or self.unknown)


def parse_log(text: str) -> dict[int, int]:
    """{count: unix ms} from the meter's log, whose last line may still be incomplete."""
    lines = [line.split() for line in text.split("\n")[:-1]]
    return {int(count): int(time_ms) for count, time_ms in lines}


def is_dead(time_ms: int, dead: list[tuple[int, int]]) -> bool:
    return any(start <= time_ms <= end for start, end in dead)


def find_gaps(log: dict[int, int], missing: list[int], dead: list[tuple[int, int]]) -> list[Gap]:
    """Neighbouring missing reads joined, but never an excused one with one that is not."""
    gaps: list[Gap] = []
    for count in missing:
        excused, time_ms = is_dead(log[count], dead), log[count]
        if gaps and gaps[-1].last == count - 1 and gaps[-1].excused == excused:
            previous = gaps.pop()
            gaps.append(Gap(previous.first, count, previous.from_ms, time_ms, excused))
        else:
            gaps.append(Gap(count, count, time_ms, time_ms, excused))
    return gaps


def judge(log: dict[int, int], stored: list[int], dead: list[tuple[int, int]]) -> Verdict:
    """`stored` is every value of the counting register that the hub's store holds, in any order; `dead` the spans
    (unix ms) in which there was no agent to receive an answer."""
    distinct = set(stored)
    twice = sorted({count for count in distinct if stored.count(count) > 1}) if len(stored) > len(distinct) else []
    missing = sorted(set(log) - distinct)
    return Verdict(len(log), len(distinct), twice, sorted(distinct - set(log)), find_gaps(log, missing, dead))
