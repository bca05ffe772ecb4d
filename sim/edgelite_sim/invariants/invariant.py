"""What an invariant is: an observer with a name, a sentence and a verdict, outside the code that it judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from edgelite_sim.world.observer import Observer

if TYPE_CHECKING:
    from edgelite_sim.world.world import World

VIOLATIONS_MAX = 20  # kept of one run: the first ones tell the story, the rest are counted


@dataclass(frozen=True, slots=True)
class Violation:
    """`node` is a node's or a hub's name, "" for the fleet; `text` says what was found and what was allowed."""

    time_ms: int
    node: str
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`violations` are the first ones, `count` is of all."""

    name: str
    sentence: str
    passed: bool
    violations: tuple[Violation, ...]
    count: int


class Invariant(Observer):
    """`verdict` may be asked at any time; what only the end can show is in it once `end` was called."""

    name: ClassVar[str] = ""
    sentence: ClassVar[str] = ""

    def __init__(self) -> None:
        self.world: World | None = None
        self._violations: list[Violation] = []
        self._count = 0

    def begin(self, world: World) -> None:
        self.world = world

    def verdict(self) -> Verdict:
        return Verdict(self.name, self.sentence, self._count == 0, tuple(self._violations), self._count)

    def violate(self, time_ms: int, node: str, text: str) -> None:
        self._count += 1
        if len(self._violations) < VIOLATIONS_MAX:
            self._violations.append(Violation(time_ms, node, text))
