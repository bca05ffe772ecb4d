"""Upkeep: what has a bound is trimmed in time, in short transactions, and a failure waits for the next time."""

from __future__ import annotations

from functools import partial
from typing import Any

from edgelite_hub.artifacts import note_pushed
from edgelite_hub.maintenance import FEEDS_AT_ONCE, Maintenance
from edgelite_hub.settings import DAY_MS, Settings
from edgelite_hub.store.contract import Sample, Transaction
from edgelite_hub.store.memory import MemoryStore
from edgelite_protocol.errors import PlatformError
from edgelite_protocol.messages import KIND_WORKLOAD

NOW_UNIX_MS = 1_790_000_000_000
SETTINGS = Settings(feed_keep=2)


class Files:
    def __init__(self) -> None:
        self.wanted: list[set[str]] = []

    def collect(self, wanted: set[str], now_ms: int) -> list[str]:
        self.wanted.append(wanted)
        return ["ab" * 32]


class Hub:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.files = Files()
        self.log: list[str] = []
        self.clock_ms = NOW_UNIX_MS  # at the start of the monotonic clock
        self.now_ms = 0
        self.begin()

    def begin(self) -> None:
        self.maintenance = Maintenance(SETTINGS, self.files, lambda: self.clock_ms + self.now_ms, self.log.append)

    def run(self, now_ms: int, error: Exception | None = None) -> int:
        """How many works there were; the first of them fails with `error`."""
        self.now_ms = now_ms
        count = 0
        while (work := self.maintenance.next_work(now_ms)) is not None:
            count += 1
            if error is not None and work.failed is not None:
                work.failed(error, now_ms)
                error = None
            else:
                work.done((self.store.read if work.reads_only else self.store.transact)(work.run), now_ms)
        return count

    def add_node(self, name: str, entries: int) -> None:
        def add(tx: Any) -> None:
            tx.create("nodes", "", name, {"metadata": {"name": name}})
            for _ in range(entries):
                tx.feed_append(name, KIND_WORKLOAD, "default/p/1", None)

        self.store.transact(add)

    def kept(self, node: str) -> list[int]:
        return [n for n in range(1, 10) if self.store.read(partial(_has_entry, node, n))]


def _has_entry(node: str, revision: int, transaction: Transaction) -> bool:
    return transaction.feed_entry(node, revision) is not None


def sample(time_ms: int) -> Sample:
    return Sample("n1", "default/d", "power", time_ms, 1, 1)


def sampled(hub: Hub, *times_ms: int) -> None:
    hub.store.transact(lambda tx: tx.add_samples([sample(time_ms) for time_ms in times_ms]))


def times(hub: Hub) -> list[int]:
    return [one.time_ms for one in hub.store.read(lambda tx: tx.samples("default/d", None, None, None, 9))]


def test_what_has_a_bound_is_trimmed_each_time() -> None:
    hub = Hub()
    hub.add_node("n1", 9)
    sampled(hub, NOW_UNIX_MS, NOW_UNIX_MS - 8 * DAY_MS)
    hub.store.transact(lambda tx: note_pushed(tx, "app", "v1", "cd" * 32, 5, NOW_UNIX_MS, bytes))
    hub.run(0)
    assert hub.kept("n1") == [8, 9]
    assert hub.log == []
    hub.run(DAY_MS)
    assert times(hub) == [NOW_UNIX_MS]
    assert hub.files.wanted == [{"cd" * 32}]
    assert hub.log == ["maintenance: 1 samples and 1 artifact files let go"]
    assert hub.maintenance.deadline_ms() == DAY_MS + SETTINGS.maintenance_ms
    assert hub.run(DAY_MS + SETTINGS.maintenance_ms - 1) == 0
    assert hub.run(DAY_MS + SETTINGS.maintenance_ms) > 0


def test_a_clock_that_was_set_is_not_believed_for_a_day() -> None:
    hub = Hub()
    hub.run(0)
    hub.run(DAY_MS)
    sampled(hub, NOW_UNIX_MS)
    hub.clock_ms += 365 * DAY_MS
    hub.run(2 * DAY_MS)
    assert "the clock was set" in hub.log[-1]
    hub.run(3 * DAY_MS - 1)
    assert times(hub) == [NOW_UNIX_MS]
    hub.clock_ms -= 365 * DAY_MS
    hub.run(3 * DAY_MS + SETTINGS.maintenance_ms)
    hub.run(7 * DAY_MS)
    assert times(hub) == [NOW_UNIX_MS]
    hub.run(7 * DAY_MS + SETTINGS.maintenance_ms)
    assert times(hub) == []


def test_a_restart_neither_hides_a_step_nor_begins_the_day_anew() -> None:
    hub = Hub()
    for hours in range(0, 28, 7):
        hub.begin()
        hub.run(hours * 3_600_000)
    sampled(hub, NOW_UNIX_MS - 8 * DAY_MS)
    hub.begin()
    hub.run(28 * 3_600_000)
    assert times(hub) == []
    sampled(hub, NOW_UNIX_MS)
    hub.clock_ms += 365 * DAY_MS
    hub.begin()
    hub.run(29 * 3_600_000)
    assert times(hub) == [NOW_UNIX_MS]
    assert "the clock was set" in hub.log[-1]


def test_a_clock_that_drifts_and_is_corrected_is_believed() -> None:
    hub = Hub()
    for day in range(5):
        hub.run(day * DAY_MS)
        hub.clock_ms += 60_000
    assert hub.log and not any("clock" in line for line in hub.log)


def test_many_feeds_are_compacted_in_parts() -> None:
    hub = Hub()
    few = hub.run(0)
    for number in range(2 * FEEDS_AT_ONCE + 1):
        hub.add_node(f"n{number}", 5)
    assert hub.run(SETTINGS.maintenance_ms) == few + 3
    for number in (0, FEEDS_AT_ONCE, 2 * FEEDS_AT_ONCE):
        assert hub.kept(f"n{number}") == [4, 5]


def test_what_fails_is_said_and_tried_at_the_next_time() -> None:
    hub = Hub()
    assert hub.run(0, PlatformError("the disk is full")) == 1
    assert hub.log == ["maintenance: the disk is full"]
    hub.run(SETTINGS.maintenance_ms)
    hub.run(DAY_MS + SETTINGS.maintenance_ms)
    assert hub.files.wanted == [set()]
