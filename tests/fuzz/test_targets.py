"""Every decoder fed by Hypothesis: only typed errors may come out."""

from __future__ import annotations

import pytest
from fuzz_cases import run
from planted import TARGETS as PLANTED
from targets import TARGETS, Target


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_target(target: Target) -> None:
    run(target)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_seeds_are_taken_by(target: Target) -> None:
    assert target.seeds and target.weight > 0
    function = target.prepare()
    for data in (*target.seeds, b""):
        function(data)


def test_names_are_told_apart() -> None:
    assert len({target.name for target in TARGETS}) == len(TARGETS)


def test_a_planted_bug_is_found() -> None:
    with pytest.raises(IndexError):
        run(PLANTED[0])
