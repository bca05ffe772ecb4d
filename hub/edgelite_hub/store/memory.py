"""A store in memory, for tests and the simulator: the same contract, nothing durable.

Every write notes how to undo itself, so a function that fails is rolled back alone.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any, TypeVar

from edgelite_hub.store.base import Key, ObjectTransaction, Texts, decode_object
from edgelite_hub.store.contract import (
    CHANGES_MAX_DEFAULT,
    Change,
    Compacted,
    FeedEntries,
    FeedEntry,
    Object,
    Outcome,
    Position,
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
    objects: dict[str, dict[Key, str]] = field(default_factory=dict)  # by resource
    feeds: dict[str, Feed] = field(default_factory=dict)
    positions: dict[tuple[str, bytes, int], Position] = field(default_factory=dict)
    samples: dict[str, Samples] = field(default_factory=dict)  # by device, oldest first
    meta: dict[str, bytes] = field(default_factory=dict)

    def copy(self) -> Tables:
        """What is in them never changes, so the tables alone are copied."""
        objects = {resource: dict(table) for resource, table in self.objects.items()}
        feeds = {node: feed.copy() for node, feed in self.feeds.items()}
        samples = {device: list(rows) for device, rows in self.samples.items()}
        return Tables(objects, feeds, dict(self.positions), samples, dict(self.meta))


class MemoryTransaction(ObjectTransaction):
    def __init__(self, tables: Tables, revision: int, writable: bool) -> None:
        super().__init__(revision, writable)
        self._tables = tables
        self._undo: list[Callable[[], object]] = []

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
        return self._tables.objects.get(key[0], {}).get(key)

    def _store(self, key: Key, text: str) -> None:
        self._set(self._tables.objects.setdefault(key[0], {}), key, text)

    def _erase(self, key: Key) -> None:
        self._set(self._tables.objects[key[0]], key, None)

    def _texts(self, resource: str, namespace: str | None, part: str) -> Texts:
        table = self._tables.objects.get(resource, {})
        rows = sorted((key, text) for key, text in table.items() if part in text and namespace in (None, key[1]))
        return [text for _, text in rows]

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
        for sample in samples:
            rows = self._tables.samples.setdefault(sample.device, [])
            place = len(rows)
            if rows and rows[-1].time_ms > sample.time_ms:
                place = bisect_right(rows, sample.time_ms, key=_time_ms)
            rows.insert(place, sample)
            self._undo.append(partial(rows.pop, place))

    def trim_samples(self, before_ms: int, rows_max: int) -> int:
        self.require_writable()
        tables = self._tables.samples
        counts = {device: bisect_left(rows, before_ms, key=_time_ms) for device, rows in tables.items()}
        surplus = sum(map(len, tables.values())) - sum(counts.values()) - rows_max
        if surplus > 0:
            young = ((one.time_ms, device) for device, rows in tables.items() for one in rows[counts[device] :])
            for _, device in sorted(young)[:surplus]:
                counts[device] += 1
        for device, count in counts.items():
            if count:
                self._set(tables, device, tables[device][count:] or None)
        return sum(counts.values())

    def samples(
        self, device: str, property: str | None, since_ms: int | None, until_ms: int | None, limit: int
    ) -> Samples:
        rows = self._tables.samples.get(device, [])
        first = 0 if since_ms is None else bisect_left(rows, since_ms, key=_time_ms)
        end = len(rows) if until_ms is None else bisect_right(rows, until_ms, key=_time_ms)
        found = [sample for sample in rows[first:end] if property in (None, sample.property)]
        return found[max(len(found) - limit, 0) :]

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


_time_ms = attrgetter("time_ms")
_revision = itemgetter(0)


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
            rows = self._changes[bisect_right(self._changes, after_revision, key=_revision) :]
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
