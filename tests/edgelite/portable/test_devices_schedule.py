"""The fixed-rate schedule: no drift, no bunching."""

from edgelite.devices.schedule import Cycle


def test_late_steps_shift_nothing():
    cycle = Cycle(1000, 500)
    found = []
    for now_ms in (0, 499, 500, 501, 1507, 1600, 2499, 2502, 3999, 4499, 4500):
        due_ms = cycle.take(now_ms)
        if due_ms is not None:
            found.append((now_ms, due_ms))
    assert found == [(500, 500), (1507, 1500), (2502, 2500), (3999, 3500), (4500, 4500)]
    assert cycle.missed == 0


def test_missed_cycles_are_skipped_not_bunched():
    cycle = Cycle(1000, 0)
    assert cycle.take(0) == 0
    assert cycle.take(5400) == 5000
    assert cycle.missed == 4
    assert cycle.take(5401) is None
    assert cycle.due_ms == 6000


def test_a_collection_without_an_end_is_not_started_again():
    cycle = Cycle(1000, 0)
    assert cycle.take(0) == 0
    cycle.is_collecting = True
    assert cycle.take(1000) is None and cycle.take(2000) is None
    assert cycle.missed == 2
    cycle.is_collecting = False
    assert cycle.take(2500) is None
    assert cycle.take(3000) == 3000


def test_a_period_of_zero_is_due_once():
    cycle = Cycle(0, 10)
    assert cycle.take(9) is None
    assert cycle.take(11) == 10
    assert cycle.due_ms is None and cycle.take(1_000_000) is None
