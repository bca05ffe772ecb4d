"""A store in memory, for tests and the simulator: the same contract, nothing durable.

Every write notes how to undo itself, so a function that fails is rolled back alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from edgelite_hub.store.base import Key, ObjectTransaction, decode_object
from edgelite_hub.store.contract import (
    CHANGES_MAX_DEFAULT,
    Change,
    Compacted,
    FeedEntries,
    FeedEntry,
    Object,
    Outcome,
    Position,
    Sample,
    Samples,
    Transaction,
)
from edgelite_hub.store.subscribers import Subscribers

T = TypeVar("T")
Table = dict[Any, Any]


@dataclass(slots=True)
class Feed:
    floor: int = 0  # entries above it are all there
    entries: dict[int, FeedEntry] = field(default_factory=dict)  # by revision, ascending as they were appended

    def copy(self) -> Feed:
        return Feed(self.floor, dict(self.entries))


@dataclass(slots=True)
class Tables:
    objects: dict[Key, str] = field(default_factory=dict)
    feeds: dict[str, Feed] = field(default_factory=dict)
    positions: dict[tuple[str, bytes, int], Position] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    meta: dict[str, bytes] = field(default_factory=dict)

    def copy(self) -> Tables:
        """What is in them never changes, so the tables alone are copied."""
        feeds = {node: feed.copy() for node, feed in self.feeds.items()}
        return Tables(dict(self.objects), feeds, dict(self.positions), list(self.samples), dict(self.meta))


class MemoryTransaction(ObjectTransaction):
    def __init__(self, tables: Tables, revision: int, writable: bool) -> None:
        super().__init__(revision, writable)
        self._tables = tables
        self._undo: list[Callable[[], None]] = []

    def roll_back(self) -> None:
        while self._undo:
            self._undo.pop()()

    def _set(self, table: Table, key: Any, value: Any) -> None:
        """`value` None removes."""
        self.require_writable()
        before = table.get(key)
        self._undo.append(lambda: _assign(table, key, before))
        _assign(table, key, value)

    # objects
    def _load(self, key: Key) -> str | None:
        return self._tables.objects.get(key)

    def _store(self, key: Key, text: str) -> None:
        self._set(self._tables.objects, key, text)

    def _erase(self, key: Key) -> None:
        self._set(self._tables.objects, key, None)

    def list(self, resource: str, namespace: str | None = None) -> Iterator[Object]:
        keys = [key for key in self._tables.objects if key[0] == resource and namespace in (None, key[1])]
        texts = [self._tables.objects[key] for key in sorted(keys)]
        return map(decode_object, texts)

    # node feeds
    def _feed_put(self, node: str, entry: FeedEntry) -> None:
        if node not in self._tables.feeds:
            self._set(self._tables.feeds, node, Feed())
        self._set(self._tables.feeds[node].entries, entry.revision, entry)

    def _entries(self, node: str) -> FeedEntries:
        feed = self._tables.feeds.get(node)
        return [] if feed is None else list(feed.entries.values())

    def _feed_range(self, node: str, after: int, limit: int) -> FeedEntries:
        return [entry for entry in self._entries(node) if entry.revision > after][:limit]

    def _feed_floor(self, node: str) -> int:
        feed = self._tables.feeds.get(node)
        return 0 if feed is None else feed.floor

    def feed_last(self, node: str) -> FeedEntry | None:
        feed = self._tables.feeds.get(node)
        return None if feed is None else next(reversed(feed.entries.values()), None)

    def feed_entry(self, node: str, revision: int) -> FeedEntry | None:
        feed = self._tables.feeds.get(node)
        return None if feed is None else feed.entries.get(revision)

    def feed_snapshot(self, node: str) -> FeedEntries:
        newest = {(entry.kind, entry.key): entry for entry in self._entries(node)}
        return sorted((e for e in newest.values() if e.value is not None), key=lambda entry: entry.revision)

    def feed_compact(self, node: str, keep: int) -> None:
        self.require_writable()
        entries = self._entries(node)
        if not entries:
            return
        floor = max(entries[-1].revision - max(keep, 1), self._feed_floor(node))
        live = {entry.revision for entry in self.feed_snapshot(node)}
        kept = {e.revision: e for e in entries if e.revision > floor or e.revision in live}
        self._set(self._tables.feeds, node, Feed(floor, kept))

    def feed_remove(self, node: str) -> None:
        self._set(self._tables.feeds, node, None)

    # what a node has reported
    def position(self, node: str, journal: bytes, lane: int) -> Position | None:
        return self._tables.positions.get((node, bytes(journal), lane))

    def set_position(self, node: str, journal: bytes, lane: int, position: Position) -> None:
        self._set(self._tables.positions, (node, bytes(journal), lane), position)

    # telemetry
    def add_samples(self, samples: Samples) -> None:
        self.require_writable()
        rows = self._tables.samples
        length = len(rows)
        self._undo.append(lambda: rows.__delitem__(slice(length, None)))
        rows.extend(samples)

    def trim_samples(self, before_ms: int, rows_max: int) -> int:
        kept = sorted((s for s in self._tables.samples if s.time_ms >= before_ms), key=lambda s: s.time_ms)
        kept = kept[max(len(kept) - rows_max, 0) :]
        removed = len(self._tables.samples) - len(kept)
        self._replace_samples(kept)
        return removed

    def _replace_samples(self, samples: Samples) -> None:
        self.require_writable()
        before = self._tables.samples
        self._undo.append(lambda: setattr(self._tables, "samples", before))
        self._tables.samples = samples

    def samples(
        self, device: str, property: str | None, since_ms: int | None, until_ms: int | None, limit: int
    ) -> Samples:
        found = [s for s in self._tables.samples if s.device == device and property in (None, s.property)]
        found = [s for s in found if since_ms is None or s.time_ms >= since_ms]
        found = [s for s in found if until_ms is None or s.time_ms <= until_ms]
        return sorted(found, key=lambda sample: sample.time_ms)[max(len(found) - limit, 0) :]

    # small facts
    def get_meta(self, key: str) -> bytes | None:
        return self._tables.meta.get(key)

    def set_meta(self, key: str, value: bytes | None) -> None:
        self._set(self._tables.meta, key, None if value is None else bytes(value))


def _assign(table: Table, key: Any, value: Any) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value


class MemoryStore:
    def __init__(self, changes_max: int = CHANGES_MAX_DEFAULT) -> None:
        self._tables = Tables()
        self._revision = 0
        self._compacted = 0
        self._changes: list[tuple[int, Key, str | None, str | None]] = []
        self._changes_max = changes_max
        self._lock = threading.RLock()
        self._subscribers = Subscribers()

    def transact(self, function: Callable[[Transaction], T]) -> T:
        outcome: Outcome[T] = self.transact_group([function])[0]
        return outcome.result()

    def transact_group(self, functions: Sequence[Callable[[Transaction], Any]]) -> list[Outcome[Any]]:
        with self._lock:
            before = self._revision
            outcomes = self._run_group(functions)
            self._forget_surplus()
            after = self._revision
        if after != before:
            self._subscribers.notify(after)
        return outcomes

    def _run_group(self, functions: Sequence[Callable[[Transaction], Any]]) -> list[Outcome[Any]]:
        """What is no Exception is the end of the process: nothing of the whole commit stays."""
        revision, changes = self._revision, len(self._changes)
        begun: list[MemoryTransaction] = []
        try:
            return [self._run(function, begun) for function in functions]
        except BaseException:
            for transaction in reversed(begun):
                transaction.roll_back()
            self._revision = revision
            del self._changes[changes:]
            raise

    def _run(self, function: Callable[[Transaction], Any], begun: list[MemoryTransaction]) -> Outcome[Any]:
        transaction = MemoryTransaction(self._tables, self._revision + 1, writable=True)
        begun.append(transaction)
        try:
            value = function(transaction)
        except Exception as error:  # noqa: BLE001  the function's own error, handed to its caller
            transaction.roll_back()
            return Outcome(None, error)
        changes = transaction.net_changes()
        if changes:
            self._revision = transaction.revision
            self._changes += [(self._revision, key, old, new) for key, old, new in sorted(changes)]
        return Outcome(value, None)

    def read(self, function: Callable[[Transaction], T]) -> T:
        with self._lock:
            return function(MemoryTransaction(self._tables, self._revision, writable=False))

    def revision(self) -> int:
        return self._revision

    def compacted(self) -> int:
        return self._compacted

    def changes(self, after_revision: int, limit: int, resources: Collection[str] | None = None) -> list[Change]:
        with self._lock:
            if after_revision < self._compacted:
                raise Compacted(after_revision)
            rows = [row for row in self._changes if row[0] > after_revision]
        rows = [row for row in rows if resources is None or row[1][0] in resources]
        if len(rows) > limit:
            rows = [row for row in rows if row[0] <= rows[limit - 1][0]]
        return [Change(revision, *key, _decoded(old), _decoded(new)) for revision, key, old, new in rows]

    def compact(self, before_revision: int) -> None:
        with self._lock:
            self._compacted = max(self._compacted, min(before_revision, self._revision))
            self._changes = [row for row in self._changes if row[0] > self._compacted]

    def _forget_surplus(self) -> None:
        surplus = len(self._changes) - self._changes_max
        if surplus > self._changes_max // 10:
            self.compact(self._changes[surplus - 1][0])

    def lift_revision(self, minimum: int) -> None:
        with self._lock:
            self._revision = max(self._revision, minimum)
            self.compact(self._revision)

    def copy(self) -> MemoryStore:
        """As it is now, without its subscribers: a backup."""
        with self._lock:
            made = MemoryStore(self._changes_max)
            made._tables = self._tables.copy()
            made._revision, made._compacted = self._revision, self._compacted
            made._changes = list(self._changes)
        return made

    def subscribe(self, notify: Callable[[int], None]) -> Callable[[], None]:
        return self._subscribers.add(notify)

    def close(self) -> None:
        self._subscribers.clear()


def _decoded(text: str | None) -> Object | None:
    return None if text is None else decode_object(text)
