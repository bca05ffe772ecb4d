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
        self.maintenance = Maintenance(SETTINGS, self.files, lambda: NOW_UNIX_MS, self.log.append)

    def run(self, now_ms: int, error: Exception | None = None) -> int:
        """How many works there were; the first of them fails with `error`."""
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


def test_what_has_a_bound_is_trimmed_at_once_and_then_in_its_time() -> None:
    hub = Hub()
    old_ms = NOW_UNIX_MS - SETTINGS.telemetry_retention_ms - 1
    hub.add_node("n1", 9)
    hub.store.transact(lambda tx: tx.add_samples([sample(old_ms), sample(NOW_UNIX_MS - DAY_MS)]))
    hub.store.transact(lambda tx: note_pushed(tx, "app", "v1", "cd" * 32, 5, NOW_UNIX_MS, bytes))
    hub.run(1_000)
    assert len(hub.store.read(lambda tx: tx.samples("default/d", None, None, None, 9))) == 1
    assert hub.kept("n1") == [8, 9]
    assert hub.files.wanted == [{"cd" * 32}]
    assert hub.log == ["maintenance: 1 samples and 1 artifact files let go"]
    assert hub.maintenance.deadline_ms() == 1_000 + SETTINGS.maintenance_ms
    assert hub.run(999 + SETTINGS.maintenance_ms) == 0
    assert hub.run(1_000 + SETTINGS.maintenance_ms) > 0


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
    assert hub.files.wanted == []
    hub.run(SETTINGS.maintenance_ms)
    assert hub.files.wanted == [set()]
