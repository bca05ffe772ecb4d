"""Every invariant notices what it is there for: agents and hubs that are broken on purpose, and the code as it is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace

import mutation_scenes
import pytest
from mutation_scenes import Scene
from mutations import MUTATIONS, REPLAYS, Mutation, Swap, instead

from edgelite_sim.invariants import Verdict, check_replay, names

SCENES = {mutation.scene: mutation.name for mutation in MUTATIONS}


def verdicts(run: Callable[[], Scene]) -> list[Verdict]:
    scene = run()
    scene.end()
    return [invariant.verdict() for invariant in scene.invariants]


def broken(found: list[Verdict]) -> list[str]:
    return [verdict.name for verdict in found if not verdict.passed]


@pytest.mark.parametrize("run", [pytest.param(scene, id=SCENES[scene].replace(" ", "-")) for scene in SCENES])
def test_the_code_as_it_is_keeps_every_invariant(run: Callable[[], Scene]) -> None:
    found = verdicts(run)
    told = [(verdict.name, verdict.violations[:3]) for verdict in found if not verdict.passed]
    assert not told


@pytest.mark.parametrize("mutation", [pytest.param(one, id=one.name.replace(" ", "-")) for one in MUTATIONS])
def test_a_mutation_is_caught(mutation: Mutation) -> None:
    with mutation.applied():
        if mutation.caught_by == REPLAYS:
            found = [check_replay(lambda: mutation.scene().end())]
        else:
            found = verdicts(mutation.scene)
    sys.stdout.write(f"{mutation.name}: {', '.join(broken(found)) or 'nothing'}\n")
    assert mutation.caught_by in broken(found)
    verdict = next(one for one in found if one.name == mutation.caught_by)
    assert verdict.violations[0].text and verdict.violations[0].time_ms > 0


def test_two_runs_of_the_code_as_it_is_agree() -> None:
    verdict = check_replay(lambda: mutation_scenes.power_cuts(4).end())
    assert verdict.passed, verdict.violations


def test_each_invariant_is_failed_by_a_mutation() -> None:
    assert {mutation.caught_by for mutation in MUTATIONS} == {*names(), REPLAYS}
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS)


def test_a_mutation_that_has_lost_its_target_fails() -> None:
    class Agent:
        def step(self) -> None: ...

    class Other(Agent):
        pass

    for owner, name in ((Agent, "stop"), (Other, "step"), (SimpleNamespace(), "step"), ({}, "step")):
        with pytest.raises((AttributeError, KeyError)):
            Swap(owner, name, instead(None)).patch()
