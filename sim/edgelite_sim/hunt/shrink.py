"""From a scenario that fails to the smallest one found that fails in the same way.

Each step tries something simpler (fewer faults, fewer nodes, less to do, a better network, a shorter run), keeps it
where the same invariant still fails, and goes on until nothing simpler does, or the time is over.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator

from edgelite_sim.faults import KINDS
from edgelite_sim.hunt.trial import Trial, try_scenario
from edgelite_sim.scenario import Scenario, ScenarioError, check
from edgelite_sim.scenario.model import FaultPart

AFTER_MS = 60_000  # what a shortened run goes on behind its first violation
SHORTEST_MS = 60_000

Told = Callable[[Scenario, int], object]


def shrink(
    scenario: Scenario,
    trial: Trial,
    time_s: float,
    invariant: str = "",
    told: Told = lambda scenario, tries: None,
) -> tuple[Scenario, Trial]:
    """`trial` is what the scenario gave, and `invariant` the one that has to go on failing; the first where none is
    named. The smallest found within the time, and what that gives."""
    wanted = invariant or min(trial.failures)
    until_s = time.monotonic() + time_s
    tries = 0
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for candidate in _simpler(scenario, trial):
            if time.monotonic() >= until_s:
                return scenario, trial
            if not _is_sound(candidate):
                continue
            tries += 1
            found = try_scenario(candidate)
            if wanted in found.failures:
                scenario, trial, is_smaller = candidate, found, True
                told(scenario, tries)
                break
    return scenario, trial


def _is_sound(scenario: Scenario) -> bool:
    try:
        check(scenario)
    except ScenarioError:
        return False
    return True


def _simpler(scenario: Scenario, trial: Trial) -> Iterator[Scenario]:
    """The boldest first."""
    yield from _shorter(scenario, trial)
    yield from _with_fewer(scenario, "faults")
    yield from _with_fewer(scenario, "changes")
    yield from _with_fewer(scenario, "workloads")
    yield from _with_fewer(scenario, "devices")
    yield from _with_fewer_nodes(scenario)
    yield from _plainer(scenario)


def _shorter(scenario: Scenario, trial: Trial) -> Iterator[Scenario]:
    for duration in (trial.first_ms + AFTER_MS, scenario.duration // 2, scenario.duration * 3 // 4):
        if SHORTEST_MS <= duration < scenario.duration * 9 // 10:
            made = copy.deepcopy(scenario)
            made.duration = duration
            made.faults = [part for part in made.faults if (part.at or 0) < duration]
            made.changes = [part for part in made.changes if part.at < duration]
            yield made


def _with_fewer(scenario: Scenario, attribute: str) -> Iterator[Scenario]:
    """Without halves, quarters, and so on down to single ones."""
    parts = getattr(scenario, attribute)
    size = len(parts)
    while size:
        for start in range(0, len(parts), size):
            left = parts[:start] + parts[start + size :]
            if len(left) < len(parts):
                made = copy.deepcopy(scenario)
                setattr(made, attribute, copy.deepcopy(left))
                yield made
        size //= 2


def _with_fewer_nodes(scenario: Scenario) -> Iterator[Scenario]:
    for index, fleet in enumerate(scenario.fleets):
        for count in (1, fleet.count // 2, fleet.count - 1):
            if 0 < count < fleet.count:
                made = copy.deepcopy(scenario)
                made.fleets[index].count = count
                names = made.nodes()
                made.faults = [part for part in made.faults if _hits(part, names)]
                yield made


def _hits(part: FaultPart, nodes: list[str]) -> bool:
    """Whether anybody is left to be hit."""
    if KINDS[part.kind].target == "hub":
        return True
    places = [target.rpartition("@")[2] for target in part.target]
    return all(place in ("all", "*") or place in nodes for place in places)


def _plainer(scenario: Scenario) -> Iterator[Scenario]:
    for index, fleet in enumerate(scenario.fleets):
        for attribute, plain in (("profile", "lan"), ("stagger", 0), ("drift_ppm", 0.0), ("settings", {})):
            if getattr(fleet, attribute) != plain:
                made = copy.deepcopy(scenario)
                setattr(made.fleets[index], attribute, plain)
                yield made
    for index, part in enumerate(scenario.faults):
        for name in part.parameters:
            if not _is_needed(part, name):
                made = copy.deepcopy(scenario)
                del made.faults[index].parameters[name]
                yield made


def _is_needed(part: FaultPart, name: str) -> bool:
    field = KINDS[part.kind].field(name)
    return field is None or field.is_required or name == "for"
