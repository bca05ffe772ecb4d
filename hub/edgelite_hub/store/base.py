"""What both stores' transactions have in common: objects as canonical JSON text, one change per object and revision.

A store supplies the raw operations (`_load`, `_store`, `_erase`); everything that a caller can observe of objects is
decided here, so that the implementations cannot differ in it.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator

from edgelite_hub.model.objects import node_of
from edgelite_hub.store.contract import AlreadyExists, Compacted, Conflict, FeedEntries, FeedEntry, Object
from edgelite_protocol.digest import entry_digest
from edgelite_protocol.errors import MisuseError

Key = tuple[str, str, str]  # resource, namespace, name
Texts = list[str]
NetChanges = list[tuple[Key, str | None, str | None]]


def encode_object(value: Object) -> str:
    """Canonical, so that equal objects are equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def decode_object(text: str) -> Object:
    value: Object = json.loads(text)
    return value


def with_revision(value: Object, revision: int) -> Object:
    """A shallow copy whose metadata carries the revision; the given object stays as it is."""
    return {**value, "metadata": {**value.get("metadata", {}), "resourceVersion": str(revision)}}


def revision_of(value: Object) -> int:
    return int(value["metadata"]["resourceVersion"])


class ObjectTransaction(ABC):
    """The objects and the feed of a transaction, over a store's raw operations."""

    def __init__(self, revision: int, writable: bool) -> None:
        self.revision = revision
        self._writable = writable
        self._changes: dict[Key, tuple[str | None, str | None]] = {}

    @abstractmethod
    def _load(self, key: Key) -> str | None: ...
    @abstractmethod
    def _store(self, key: Key, text: str) -> None: ...
    @abstractmethod
    def _erase(self, key: Key) -> None: ...
    @abstractmethod
    def _texts(self, resource: str, namespace: str | None, part: str) -> Texts:
        """By namespace and name, those that have `part` in them; fetched at once, so that writing while somebody
        iterates is safe."""
        ...

    @abstractmethod
    def _feed_put(self, node: str, entry: FeedEntry) -> None: ...
    @abstractmethod
    def _feed_range(self, node: str, after: int, limit: int) -> FeedEntries: ...
    @abstractmethod
    def _feed_floor(self, node: str) -> int: ...
    @abstractmethod
    def feed_last(self, node: str) -> FeedEntry | None: ...

    def require_writable(self) -> None:
        if not self._writable:
            raise MisuseError("a reading transaction cannot write")

    def net_changes(self) -> NetChanges:
        """One row per object that ends otherwise than it began, as (key, old text, new text)."""
        return [(key, old, new) for key, (old, new) in self._changes.items() if old != new]

    # objects
    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        text = self._load((resource, namespace, name))
        return None if text is None else decode_object(text)

    def list(self, resource: str, namespace: str | None = None, node: str | None = None) -> Iterator[Object]:
        part = "" if node is None else '"nodeName":' + json.dumps(node)  # decoding costs more than looking for it
        found = map(decode_object, self._texts(resource, namespace, part))
        return found if node is None else (value for value in found if node_of(value) == node)

    def create(self, resource: str, namespace: str, name: str, value: Object) -> Object:
        self.require_writable()
        key = (resource, namespace, name)
        if self._load(key) is not None:
            raise AlreadyExists(resource, namespace, name)
        return self._put(key, None, value)

    def update(self, resource: str, namespace: str, name: str, value: Object, expected: int | None = None) -> Object:
        self.require_writable()
        key = (resource, namespace, name)
        old_text, old = self._load_expected(key, expected)
        if encode_object(with_revision(value, revision_of(old))) == old_text:
            return old
        return self._put(key, old_text, value)

    def delete(self, resource: str, namespace: str, name: str, expected: int | None = None) -> Object:
        self.require_writable()
        key = (resource, namespace, name)
        old_text, old = self._load_expected(key, expected)
        self._erase(key)
        self._note(key, old_text, None)
        return with_revision(old, self.revision)

    def _load_expected(self, key: Key, expected: int | None) -> tuple[str, Object]:
        text = self._load(key)
        if text is None:
            raise Conflict(None)
        value = decode_object(text)
        if expected is not None and expected != revision_of(value):
            raise Conflict(revision_of(value))
        return text, value

    def _put(self, key: Key, old_text: str | None, value: Object) -> Object:
        text = encode_object(with_revision(value, self.revision))
        self._store(key, text)
        self._note(key, old_text, text)
        return decode_object(text)

    def _note(self, key: Key, old_text: str | None, new_text: str | None) -> None:
        if key in self._changes:
            old_text = self._changes[key][0]
        self._changes[key] = (old_text, new_text)

    # node feeds
    def feed_append(self, node: str, kind: int, key: str, value: bytes | None) -> FeedEntry:
        self.require_writable()
        last = self.feed_last(node)
        revision = 1 if last is None else last.revision + 1
        entry = FeedEntry(revision, kind, key, value, entry_digest(revision, kind, key, value))
        self._feed_put(node, entry)
        return entry

    def feed_since(self, node: str, revision: int, limit: int) -> FeedEntries:
        if revision < self._feed_floor(node):
            raise Compacted(revision)
        return self._feed_range(node, revision, limit)
