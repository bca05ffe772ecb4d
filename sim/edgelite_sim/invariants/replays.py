"""replays-agree: not an observer, since no run can see it alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edgelite_sim.invariants.invariant import Verdict, Violation

if TYPE_CHECKING:
    from edgelite_sim.world.world import World

NAME = "replays-agree"
SENTENCE = "Two runs of one scenario with one seed have one trace, byte for byte."


def check_replay(run: Callable[[], World]) -> Verdict:
    """`run` makes a world, lets it live, and returns it; it is called twice."""
    one, other = run(), run()
    if one.trace.digest == other.trace.digest:
        return Verdict(NAME, SENTENCE, True, (), 0)
    text = f"{one.trace.digest[:16]} and {other.trace.digest[:16]}: {_first_difference(one, other)}"
    return Verdict(NAME, SENTENCE, False, (Violation(one.now_ms, "", text),), 1)


def _first_difference(one: World, other: World) -> str:
    """Of the lines that both traces still have."""
    for mine, theirs in zip(one.trace.tail, other.trace.tail, strict=False):
        if mine != theirs:
            return f"{mine!r} or {theirs!r}"
    return f"{one.trace.lines} lines or {other.trace.lines}"
