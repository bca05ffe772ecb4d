"""The store contract: a revision log of objects, with node feeds, report positions and telemetry beside them in
the same transaction.

One writer at a time runs `transact(function)`: the function sees its own writes, and either all of them are
durable when `transact` returns or none ever shows. Every object that a transaction touches takes the
transaction's one new revision as its resourceVersion; revisions never go back. Nothing here awaits: the asyncio
side (`store/writer.py`) runs transactions on one thread and groups them into commits; the simulator calls them
directly.

Every implementation passes tests/hub/store_contract.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

Object = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change:
    """One object at one revision. `new` is None where it was deleted, `old` where it was created."""

    revision: int
    resource: str  # the registry's name: "pods", "devices.devices.kubeedge.io"
    namespace: str  # "" for cluster-scoped kinds
    name: str
    old: Object | None
    new: Object | None


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One entry of a node's feed of desired state; `value` is CBOR, None where the key was deleted."""

    revision: int  # counts within the node's feed from 1, no gaps
    kind: int
    key: str
    value: bytes | None
    digest: bytes  # edgelite_protocol.digest.entry_digest of the four


@dataclass(frozen=True, slots=True)
class Position:
    """How far a journal's lane is stored; compares as (generation, sequence)."""

    generation: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one property. `time_ms` is Unix time; `dated_by` 1 the node's synced clock, 0 the hub, from
    the boot's monotonic clock."""

    node: str
    device: str  # "namespace/name"
    property: str
    time_ms: int
    value: int | float | str | bool | bytes
    dated_by: int


class Compacted(Exception):
    """The revision asked for is no longer in the log; list again."""


class Conflict(Exception):
    """The object's resourceVersion is not the one expected. `found` is None where the object is absent."""

    def __init__(self, found: int | None) -> None:
        super().__init__(found)
        self.found = found


class AlreadyExists(Exception):
    """`create` of an object that is there."""


class Transaction(Protocol):
    revision: int  # what the objects written here take as resourceVersion

    # objects
    def get(self, resource: str, namespace: str, name: str) -> Object | None: ...
    def list(self, resource: str, namespace: str | None = None) -> Iterator[Object]:
        """Ordered by namespace and name; None lists every namespace."""
        ...

    def create(self, resource: str, namespace: str, name: str, value: Object) -> Object:
        """Sets metadata.resourceVersion, returns the object as stored; AlreadyExists."""
        ...

    def update(self, resource: str, namespace: str, name: str, value: Object, expected: int | None = None) -> Object:
        """Conflict where `expected` is given and is not the stored resourceVersion, or the object is absent."""
        ...

    def delete(self, resource: str, namespace: str, name: str, expected: int | None = None) -> Object: ...

    # node feeds
    def feed_append(self, node: str, kind: int, key: str, value: bytes | None) -> FeedEntry: ...
    def feed_last(self, node: str) -> FeedEntry | None: ...
    def feed_entry(self, node: str, revision: int) -> FeedEntry | None: ...
    def feed_since(self, node: str, revision: int, limit: int) -> list[FeedEntry]:
        """Entries after `revision`; Compacted where some of them are gone."""
        ...

    def feed_snapshot(self, node: str) -> list[FeedEntry]:
        """The newest entry of each key that is not deleted, by revision."""
        ...

    def feed_compact(self, node: str, keep: int) -> None:
        """Forget superseded entries but the newest `keep`; the snapshot stays whole."""
        ...

    def feed_remove(self, node: str) -> None: ...

    # what a node has reported
    def position(self, node: str, journal: bytes, lane: int) -> Position | None: ...
    def set_position(self, node: str, journal: bytes, lane: int, position: Position) -> None: ...

    # telemetry
    def add_samples(self, samples: list[Sample]) -> None: ...
    def trim_samples(self, before_ms: int, rows_max: int) -> int:
        """Delete samples older than that, then the oldest above `rows_max`; how many."""
        ...

    def samples(
        self, device: str, property: str | None, since_ms: int | None, until_ms: int | None, limit: int
    ) -> list[Sample]:
        """Oldest first, at most the newest `limit`."""
        ...

    # small facts of the hub itself: its epoch, key material, token hashes
    def get_meta(self, key: str) -> bytes | None: ...
    def set_meta(self, key: str, value: bytes | None) -> None: ...


class Store(Protocol):
    def transact(self, function: Callable[[Transaction], T]) -> T:
        """Run, commit durably, return. An exception from `function` rolls everything back and passes through."""
        ...

    def read(self, function: Callable[[Transaction], T]) -> T:
        """The same on a consistent snapshot, for reading alone; may run beside a writer."""
        ...

    def revision(self) -> int:
        """The newest committed revision."""
        ...

    def changes(self, after_revision: int, limit: int) -> list[Change]:
        """Committed changes of objects after that revision, ascending; Compacted."""
        ...

    def compact(self, before_revision: int) -> None:
        """Forget changes up to that revision."""
        ...

    def subscribe(self, notify: Callable[[int], None]) -> Callable[[], None]:
        """`notify(revision)` after each commit that changed objects, from the writer's thread; returns the
        function that ends it."""
        ...

    def close(self) -> None: ...
