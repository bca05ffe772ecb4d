"""Watches: what is there, then every change, as one JSON object a line.

A watch keeps nothing but the revision that it has sent; it reads the store's change log each time it is woken, so a
slow client costs no memory here, and one that falls behind the log is told to list again.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from edgelite_hub.api.errors import unexpected
from edgelite_hub.api.requests import ListOptions
from edgelite_hub.model.objects import Object
from edgelite_hub.model.registry import Kind
from edgelite_hub.model.selectors import Selector
from edgelite_hub.model.status import StatusError, expired, future_revision, too_many
from edgelite_hub.store.base import with_revision
from edgelite_hub.store.contract import Change, Compacted
from edgelite_hub.store.writer import Writer

WATCHES_MAX = 256  # open at once: each is a connection and a task
CHANGES_A_READ = 200
BOOKMARK_INTERVAL_S = 60.0  # also how soon a client that vanished is noticed
TIMEOUT_DEFAULT_S = (1800, 3600)  # at random between, so that many clients do not come back at once
INITIAL_EVENTS_END = "k8s.io/initial-events-end"

ADDED, MODIFIED, DELETED, BOOKMARK, ERROR = "ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"
Event = tuple[str, Object]
Render = Callable[[Object], Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a watch is of."""

    kind: Kind
    namespace: str | None
    selector: Selector
    options: ListOptions
    render: Render  # an object as the client wants it: itself, or a table of one row


class Watches:
    """All open watches of one API. Use from one event loop."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._open = 0
        self._closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed: asyncio.Event | None = None
        self._unsubscribe: Callable[[], None] | None = None

    def close(self) -> None:
        """End every watch, so that a server that stops does not wait for them. From any thread."""
        self._closing = True
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._notify(0)

    def stream(self, scope: Scope) -> AsyncIterator[bytes]:
        """StatusError 429 or 504 before the first byte; later ones come as an ERROR event."""
        if self._open >= WATCHES_MAX:
            raise too_many(f"{WATCHES_MAX} watches are open already", 1)
        current = self._writer.store.revision()
        if (scope.options.revision or 0) > current:
            raise future_revision(scope.options.revision or 0, current)
        return self._lines(scope)

    async def _lines(self, scope: Scope) -> AsyncIterator[bytes]:
        self._open += 1
        try:
            async for kind, value in self._events(scope):
                rendered = value if kind in (BOOKMARK, ERROR) else scope.render(value)
                yield json.dumps({"type": kind, "object": rendered}, separators=(",", ":")).encode() + b"\n"
        finally:
            self._open -= 1

    async def _events(self, scope: Scope) -> AsyncIterator[Event]:
        try:
            revision, initial = await self._begin(scope)
            for event in initial:
                yield event
            async for event in self._follow(scope, revision):
                yield event
        except StatusError as error:
            yield ERROR, error.body()
        except Compacted:
            yield ERROR, expired("too old resource version; list again").body()
        except Exception as error:  # noqa: BLE001  named to the client and logged
            yield ERROR, unexpected(error).body()

    async def _begin(self, scope: Scope) -> tuple[int, list[Event]]:
        """Where to go on from, and what comes before that: nothing after a given revision, else what is there."""
        options = scope.options
        given = options.revision
        if options.send_initial is False:
            return given or self._writer.store.revision(), []
        if given and not options.send_initial:
            return given, []
        items, revision = await self._writer.read(
            lambda tx: (list(tx.list(scope.kind.resource, scope.namespace)), tx.revision)
        )
        events = [(ADDED, item) for item in items if scope.selector.matches(item)]
        if options.send_initial:
            events.append((BOOKMARK, bookmark(scope.kind, revision, initial_end=True)))
        return revision, events

    async def _follow(self, scope: Scope, revision: int) -> AsyncIterator[Event]:
        loop = asyncio.get_running_loop()
        seconds = scope.options.timeout_seconds or random.uniform(*TIMEOUT_DEFAULT_S)
        deadline = loop.time() + seconds
        while True:
            changed = self._signal()  # taken before reading, so that no commit falls between
            changes, revision = await self._read(scope.kind, revision)
            for event in events_of(changes, scope.namespace, scope.selector):
                yield event
            if changes:
                continue
            woken = not self._closing and await self._wait(changed, min(deadline - loop.time(), BOOKMARK_INTERVAL_S))
            ending = self._closing or loop.time() >= deadline
            if scope.options.bookmarks and (ending or not woken):
                yield BOOKMARK, bookmark(scope.kind, revision)
            if ending:
                return

    async def _read(self, kind: Kind, revision: int) -> tuple[list[Change], int]:
        """Changes of the kind, and the revision up to which there are no others."""
        store = self._writer.store
        newest = store.revision()
        if newest <= revision and revision >= store.compacted():
            return [], revision
        changes = await self._writer.call(lambda: store.changes(revision, CHANGES_A_READ, [kind.resource]))
        return changes, changes[-1].revision if changes else newest

    def _signal(self) -> asyncio.Event:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._unsubscribe = self._writer.store.subscribe(self._notify)
        if self._changed is None:
            self._changed = asyncio.Event()
        return self._changed

    def _notify(self, revision: int) -> None:
        """From the writer's thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    async def _wait(self, changed: asyncio.Event, seconds: float) -> bool:
        try:
            await asyncio.wait_for(changed.wait(), max(seconds, 0))
        except TimeoutError:
            return False
        return True


def bookmark(kind: Kind, revision: int, initial_end: bool = False) -> Object:
    metadata: dict[str, Any] = {"resourceVersion": str(revision), "creationTimestamp": None}
    if initial_end:
        metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
    return {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}


def events_of(changes: Iterable[Change], namespace: str | None, selector: Selector) -> Iterable[Event]:
    """An object that comes to match is ADDED, one that ceases to is DELETED; one that was replaced by another of its
    name is both."""
    for change in changes:
        if namespace not in (None, change.namespace):
            continue
        before, after = _if_matching(change.old, selector), _if_matching(change.new, selector)
        if before and after and before["metadata"]["uid"] == after["metadata"]["uid"]:
            yield MODIFIED, after
            continue
        if before:
            yield DELETED, with_revision(before, change.revision)
        if after:
            yield ADDED, after


def _if_matching(value: Object | None, selector: Selector) -> Object | None:
    return value if value is not None and selector.matches(value) else None
