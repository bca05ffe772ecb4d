"""A node's clocks: what never goes back, what may be anything, and what restarts a node that hangs."""

from __future__ import annotations

from random import Random

import pytest

from edgelite_protocol.errors import MisuseError
from edgelite_sim.world.clock import DRIFT_PPM_MAX, NodeClock, Watchdog
from edgelite_sim.world.queue import EventQueue

YEAR_MS = 365 * 86_400_000
START_UNIX_MS = 1_800_000_000_000


def later(queue: EventQueue, duration_ms: int) -> None:
    queue.run(queue.now_ms + duration_ms)


def test_it_begins_with_the_power_and_runs_with_the_world() -> None:
    queue = EventQueue(500)
    clock = NodeClock(queue, boot_ms=15)
    assert clock.monotonic_ms() == 15
    later(queue, 1000)
    assert clock.monotonic_ms() == 1015
    clock.reboot()
    assert clock.monotonic_ms() == 15


def test_a_crystal_that_is_too_fast_gains() -> None:
    queue = EventQueue()
    clock = NodeClock(queue, drift_ppm=100)
    later(queue, 86_400_000)
    assert clock.monotonic_ms() == 86_400_000 + 8640
    clock.drift(-50)
    assert clock.monotonic_ms() == 86_400_000 + 8640, "a change of drift is no jump"
    later(queue, 86_400_000)
    assert clock.monotonic_ms() == 2 * 86_400_000 + 8640 - 4320
    with pytest.raises(MisuseError, match="not by 100001"):
        clock.drift(DRIFT_PPM_MAX + 1)


def test_sleep_counts_and_nothing_turns_it_back() -> None:
    queue = EventQueue()
    clock = NodeClock(queue)
    later(queue, 10)
    clock.suspend(3_600_000)
    assert clock.monotonic_ms() == 3_600_010
    with pytest.raises(MisuseError, match="never goes back: -1 ms"):
        clock.suspend(-1)


@pytest.mark.parametrize("ppm", [0, 1, -1, 100, -100, 33_333, DRIFT_PPM_MAX, -DRIFT_PPM_MAX])
def test_a_deadline_comes_at_the_first_moment_at_which_the_clock_shows_it(ppm: int) -> None:
    draw = Random(ppm)
    queue = EventQueue()
    clock = NodeClock(queue, boot_ms=7, drift_ppm=ppm)
    for _ in range(300):
        later(queue, draw.randrange(10_000_000))
        if draw.random() < 0.1:
            clock.suspend(draw.randrange(100_000))
        deadline_ms = clock.monotonic_ms() + draw.randint(1, 200_000)
        due_ms = clock.queue_time_ms(deadline_ms)
        queue.run(due_ms - 1)
        assert clock.monotonic_ms() < deadline_ms
        queue.run(due_ms)
        assert clock.monotonic_ms() >= deadline_ms
    assert clock.queue_time_ms(clock.monotonic_ms()) == queue.now_ms
    assert clock.queue_time_ms(0) == queue.now_ms, "what has passed is due now"


def test_monotonic_time_never_goes_back_within_a_boot() -> None:
    draw = Random(1)
    queue = EventQueue()
    clock = NodeClock(queue, start_unix_ms=START_UNIX_MS)
    last_ms = clock.monotonic_ms()
    for _ in range(1000):
        later(queue, draw.randrange(3))
        draw.choice(
            (
                lambda: clock.drift(draw.randint(-DRIFT_PPM_MAX, DRIFT_PPM_MAX)),
                lambda: clock.suspend(draw.randrange(3)),
                lambda: clock.set_wall(0),
                lambda: clock.jump_wall(draw.randint(-YEAR_MS, YEAR_MS)),
                lambda: None,
            )
        )()
        assert clock.monotonic_ms() >= last_ms
        last_ms = clock.monotonic_ms()


def test_without_a_real_time_clock_every_boot_is_in_1970() -> None:
    queue = EventQueue()
    clock = NodeClock(queue, start_unix_ms=START_UNIX_MS)
    later(queue, 5000)
    assert clock.unix_ms() == 5000
    clock.set_wall(START_UNIX_MS)
    later(queue, 5000)
    assert clock.unix_ms() == START_UNIX_MS + 5000
    clock.reboot()
    assert clock.unix_ms() == 0


def test_with_one_it_is_right_after_a_boot() -> None:
    queue = EventQueue()
    clock = NodeClock(queue, has_rtc=True, start_unix_ms=START_UNIX_MS)
    clock.set_wall(0)
    later(queue, 5000)
    assert clock.unix_ms() == 5000
    clock.reboot()
    assert clock.unix_ms() == START_UNIX_MS + 5000


def test_the_wall_clock_jumps_and_time_does_not() -> None:
    queue = EventQueue()
    clock = NodeClock(queue, has_rtc=True, start_unix_ms=START_UNIX_MS)
    later(queue, 1000)
    clock.jump_wall(YEAR_MS)
    assert (clock.unix_ms(), clock.monotonic_ms()) == (START_UNIX_MS + 1000 + YEAR_MS, 1000)
    clock.jump_wall(-100 * YEAR_MS)
    assert (clock.unix_ms(), clock.monotonic_ms()) == (0, 1000)


# ---- the watchdog


def watched() -> tuple[EventQueue, Watchdog, list[int]]:
    queue = EventQueue()
    bites: list[int] = []
    return queue, Watchdog(queue, 60_000, lambda: bites.append(queue.now_ms)), bites


def test_who_hangs_is_bitten_once() -> None:
    queue, watchdog, bites = watched()
    watchdog.start()
    later(queue, 1000)
    watchdog.starve()
    later(queue, 30_000)
    watchdog.starve()  # it still hangs
    later(queue, 29_999)
    assert bites == []
    later(queue, 1_000_000)
    assert bites == [61_000]
    assert watchdog.bites == 1


def test_who_goes_on_in_time_is_not() -> None:
    queue, watchdog, bites = watched()
    watchdog.start()
    watchdog.starve()
    later(queue, 59_999)
    watchdog.feed()
    later(queue, 1_000_000)
    assert bites == []


def test_who_is_well_is_never_bitten_and_costs_nothing() -> None:
    queue, watchdog, bites = watched()
    watchdog.start()
    later(queue, YEAR_MS)
    assert (bites, queue.happened) == ([], 0)


def test_without_power_nobody_bites() -> None:
    queue, watchdog, bites = watched()
    watchdog.starve()
    later(queue, 100_000)
    watchdog.start()
    watchdog.starve()
    watchdog.stop()
    later(queue, 100_000)
    assert bites == []
