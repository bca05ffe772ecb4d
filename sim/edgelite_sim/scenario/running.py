"""Runs a scenario to its end, and says what held."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from edgelite_sim import invariants
from edgelite_sim.invariants import Invariant
from edgelite_sim.scenario import figures, targets
from edgelite_sim.scenario.building import Built
from edgelite_sim.scenario.checking import bound_value
from edgelite_sim.scenario.figures import FIGURES, Asked, Figures
from edgelite_sim.scenario.model import ExpectPart, Scenario
from edgelite_sim.world.observer import Observer
from edgelite_sim.world.trace import Trace
from edgelite_sim.world.world import World

SLICES = 200  # a run is told about so often at least
SLICE_MS_MAX = 3_600_000


class Verdict(NamedTuple):
    """Of one invariant: its first violation ("" where it held), and when that was."""

    name: str
    sentence: str
    passed: bool
    violation: str
    time_ms: int | None
    violations: int


class Expectation(NamedTuple):
    """`text` is what was expected, `found` what was found."""

    text: str
    passed: bool
    found: str


@dataclass(frozen=True)
class Result:
    """`digest` is the hash of the whole trace; `refusals` is what hubs would not take of the scenario's changes."""

    name: str
    description: str
    seed: int
    span_ms: int
    digest: str
    trace_lines: int
    events: int
    real_s: float
    checked: tuple[Verdict, ...]
    expectations: tuple[Expectation, ...]
    figures: dict[str, float]
    faults: dict[str, int]
    refusals: tuple[str, ...]

    @property
    def verdicts(self) -> list[tuple[str, str, bool, str, int | None]]:
        """As reports take them (edgelite_sim.report.Outcome)."""
        return [(one.name, one.sentence, one.passed, one.violation, one.time_ms) for one in self.checked]

    @property
    def passed(self) -> bool:
        return all(one.passed for one in self.checked) and all(one.passed for one in self.expectations)


@dataclass(frozen=True)
class Moment:
    """What somebody who watches is told while it runs."""

    now_ms: int
    end_ms: int
    real_s: float
    world: World
    figures: Figures


def run(
    scenario: Scenario,
    seed: int | None = None,
    observers: Iterable[Observer] = (),
    trace: Trace | None = None,
    until_ms: int | None = None,
    told: Callable[[Moment], object] = lambda moment: None,
) -> Result:
    """`until_ms` ends it sooner; expectations, which are of the whole run, are not asked then."""
    began = time.monotonic()
    checked = made_invariants(scenario)
    counted = Figures()
    built = Built(scenario, seed, [counted, *checked, *observers], trace)
    world = built.world
    end_ms = scenario.duration if until_ms is None else min(until_ms, scenario.duration)
    step_ms = max(1, min(SLICE_MS_MAX, end_ms // SLICES))
    while world.now_ms < end_ms:
        world.run(min(step_ms, end_ms - world.now_ms))
        told(Moment(world.now_ms, end_ms, time.monotonic() - began, world, counted))
    world.end()
    asked = scenario.expectations if end_ms == scenario.duration else []
    return Result(
        name=scenario.name,
        description=scenario.description,
        seed=built.seed,
        span_ms=end_ms,
        digest=world.trace.digest,
        trace_lines=world.trace.lines,
        events=world.queue.happened,
        real_s=time.monotonic() - began,
        checked=tuple(_verdict(one) for one in checked),
        expectations=tuple(_expected(scenario, counted, one) for one in asked),
        figures=figures.everything(counted, scenario.nodes()),
        faults=dict(sorted(counted.faults.items())),
        refusals=tuple(built.timetable.refusals),
    )


def made_invariants(scenario: Scenario) -> list[Invariant]:
    """All, but for those that the scenario switches off, with its bounds."""
    made = []
    for name in invariants.names():
        switch = scenario.invariants.get(name, True)
        if switch is False:
            continue
        bounds: dict[str, Any] = {} if isinstance(switch, bool) else switch
        made.append(invariants.make(name, **{bound: bound_value(bound, value) for bound, value in bounds.items()}))
    return made


def _verdict(invariant: Invariant) -> Verdict:
    found = invariant.verdict()
    first = found.violations[0] if found.violations else None
    text = f"{first.node}: {first.text}" if first and first.node else first.text if first else ""
    return Verdict(found.name, found.sentence, found.passed, text, first.time_ms if first else None, found.count)


def _expected(scenario: Scenario, counted: Figures, part: ExpectPart) -> Expectation:
    figure = FIGURES[part.figure]
    nodes = scenario.nodes()
    names = [one for one in nodes if one in targets.possible(part.nodes, nodes)] if part.nodes else nodes
    value = figure.compute(Asked(counted, tuple(names), part.at or 0))
    passed = (part.at_least is None or value >= part.at_least) and (part.at_most is None or value <= part.at_most)
    return Expectation(figures.expectation_text(part), passed, figures.shown(figure, value))
