"""The store contract: a revision log of objects, with node feeds, report positions and telemetry beside them in
the same transaction.

One writer at a time runs `transact(function)`: the function sees its own writes, and either all of them are
durable when `transact` returns or none ever shows. Every object that a transaction touches takes the
transaction's one new revision as its resourceVersion; revisions never go back. Nothing here awaits: the asyncio
side (`store/writer.py`) runs transactions on one thread and groups them into commits; the simulator calls them
directly.

Objects are plain JSON values. What a transaction hands out is the caller's own copy, and what it was given may be
changed afterwards without harm.

A revision counts the transactions that changed objects. The counter is stored, so it survives a restart. A
database restored from a backup has an old counter; whoever restores calls `lift_revision(now_ms *
REVISIONS_PER_MILLISECOND)` before the hub serves: no hub commits that often, so what any client has seen stays
below, and every watch from before gets Compacted and lists again. That leaves 63 bits for about 280,000 years.

Errors: CorruptionError where what is stored does not validate, PlatformError where the medium fails (full,
unwritable, written by a newer program), MisuseError where a reading transaction writes.

Every implementation passes tests/hub/store_contract.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

Object = dict[str, Any]
T = TypeVar("T")

# A watch that was away for fewer changes than this goes on where it was; others list again. About 40 MB of Pods.
CHANGES_MAX_DEFAULT = 10_000
REVISIONS_PER_MILLISECOND = 1024


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
class Outcome(Generic[T]):
    """What became of one function of a group: its value, or the error that undid it."""

    value: T | None
    error: Exception | None

    def result(self) -> T:
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # None only where T admits it


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


# Names for lists, because `list` inside a transaction is the method.
FeedEntries = list[FeedEntry]
Samples = list[Sample]


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
    def list(self, resource: str, namespace: str | None = None, node: str | None = None) -> Iterator[Object]:
        """Ordered by namespace and name; None lists every namespace. With `node`, those bound to it (spec.nodeName):
        far cheaper than to look through all."""
        ...

    def create(self, resource: str, namespace: str, name: str, value: Object) -> Object:
        """Sets metadata.resourceVersion, returns the object as stored; AlreadyExists."""
        ...

    def update(self, resource: str, namespace: str, name: str, value: Object, expected: int | None = None) -> Object:
        """Conflict where `expected` is given and is not the stored resourceVersion, or the object is absent. An
        update that changes nothing keeps the resourceVersion and is no change."""
        ...

    def delete(self, resource: str, namespace: str, name: str, expected: int | None = None) -> Object:
        """The object as it was, with the deletion's revision; Conflict as in update."""
        ...

    # node feeds
    def feed_append(self, node: str, kind: int, key: str, value: bytes | None) -> FeedEntry: ...
    def feed_last(self, node: str) -> FeedEntry | None: ...
    def feed_entry(self, node: str, revision: int) -> FeedEntry | None: ...
    def feed_since(self, node: str, revision: int, limit: int) -> FeedEntries:
        """Entries after `revision`, ascending, none where it is the last or lies in the future; Compacted where
        some of them are gone."""
        ...

    def feed_snapshot(self, node: str) -> FeedEntries:
        """The newest entry of each key that is not deleted, by revision."""
        ...

    def feed_compact(self, node: str, keep: int) -> None:
        """Forget superseded and deleted entries but the newest `keep` (at least 1: the last entry always stays);
        the snapshot stays whole."""
        ...

    def feed_remove(self, node: str) -> None: ...

    # what a node has reported
    def position(self, node: str, journal: bytes, lane: int) -> Position | None: ...
    def set_position(self, node: str, journal: bytes, lane: int, position: Position) -> None: ...

    # telemetry
    def add_samples(self, samples: Samples) -> None: ...
    def trim_samples(self, before_ms: int, rows_max: int) -> int:
        """Delete samples older than that, then the oldest above `rows_max`; how many."""
        ...

    def samples(
        self, device: str, property: str | None, since_ms: int | None, until_ms: int | None, limit: int
    ) -> Samples:
        """Oldest first, at most the newest `limit`."""
        ...

    # small facts of the hub itself: its epoch, key material, token hashes
    def get_meta(self, key: str) -> bytes | None: ...
    def set_meta(self, key: str, value: bytes | None) -> None: ...


class Store(Protocol):
    def transact(self, function: Callable[[Transaction], T]) -> T:
        """Run, commit durably, return. An exception from `function` rolls everything back and passes through."""
        ...

    def transact_group(self, functions: Sequence[Callable[[Transaction], Any]]) -> list[Outcome[Any]]:
        """One durable commit for all; a function that fails undoes itself alone. An error of the commit raises and
        undoes all."""
        ...

    def read(self, function: Callable[[Transaction], T]) -> T:
        """The same on a consistent snapshot, for reading alone; may run beside a writer."""
        ...

    def revision(self) -> int:
        """The newest committed revision."""
        ...

    def changes(self, after_revision: int, limit: int, resources: Collection[str] | None = None) -> list[Change]:
        """Committed changes after that revision, ascending, of those resources only where given; Compacted. About
        `limit`: a revision is never split, so that its number is a place to go on from."""
        ...

    def compact(self, before_revision: int) -> None:
        """Forget changes up to that revision. A store forgets by itself what exceeds its `changes_max`."""
        ...

    def compacted(self) -> int:
        """The newest revision whose changes are forgotten; 0 at first."""
        ...

    def lift_revision(self, minimum: int) -> None:
        """Go on from at least that revision, after a restore (see above); forgets all changes."""
        ...

    def subscribe(self, notify: Callable[[int], None]) -> Callable[[], None]:
        """`notify(revision)` after each commit that changed objects, from the writer's thread; returns the
        function that ends it."""
        ...

    def close(self) -> None: ...
