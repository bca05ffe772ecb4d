"""What simulated time costs, counted in calls, which no busy machine changes; `./dev bench-sim` takes the time."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1]))

from bench.simulated_year import DAY_MS, HOUR_MS, QuietFleet

WEEK_POLLS = 7 * 24 * 60
CALLS_PER_POLL_MAX = 740  # of Python functions; it takes some 530, so that a slowdown by half is noticed


@pytest.fixture(scope="module")
def fleet() -> QuietFleet:
    fleet = QuietFleet()
    fleet.world.run(7 * DAY_MS)
    return fleet


def test_a_week_leaves_no_poll_out(fleet: QuietFleet) -> None:
    (polls,) = fleet.polls()
    assert abs(polls - WEEK_POLLS) <= 2
    assert fleet.missed() == 0


def test_each_change_is_stored(fleet: QuietFleet) -> None:
    assert fleet.samples() == 7 * 24


def test_a_poll_takes_few_calls(fleet: QuietFleet) -> None:
    before, calls = fleet.polls()[0], 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        fleet.world.run(2 * HOUR_MS)
    finally:
        sys.setprofile(None)
    polls = fleet.polls()[0] - before
    assert polls == 120
    assert calls / polls < CALLS_PER_POLL_MAX
    assert calls / polls > CALLS_PER_POLL_MAX / 3, "the bound has become too loose to notice anything"
