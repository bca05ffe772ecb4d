"""Lists: selected, in pages that belong to one revision however much changes between them."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from edgelite_hub.api.requests import ListOptions
from edgelite_hub.model.objects import Object
from edgelite_hub.model.registry import Kind
from edgelite_hub.model.selectors import Selector
from edgelite_hub.model.status import bad_request, expired, future_revision
from edgelite_hub.store.contract import Change, Compacted
from edgelite_hub.store.writer import Writer

Key = tuple[str, str]
REVERTED_MAX = 1_000  # changes that one page undoes at most: each is two objects in memory


@dataclass(frozen=True, slots=True)
class Page:
    items: list[Object]
    revision: int
    continuation: str = ""


async def list_page(
    writer: Writer, kind: Kind, namespace: str | None, selector: Selector, options: ListOptions
) -> Page:
    """StatusError 410 where the revision that is asked for is forgotten, 504 where it is not there yet."""
    wanted, after = _parse_token(options.continuation) if options.continuation else (None, None)
    if wanted is None:
        wanted = options.revision if options.exact else None
        current = writer.store.revision()
        if (options.revision or 0) > current:
            raise future_revision(options.revision or 0, current)
    items, revision = await _read(writer, kind, namespace)
    if wanted is not None and wanted != revision:
        items, revision = await _reverted(writer, kind, namespace, items, wanted), wanted
    items = [item for item in items if selector.matches(item) and (after is None or _key(item) > after)]
    if options.limit is None or len(items) <= options.limit:
        return Page(items, revision)
    items = items[: options.limit]
    return Page(items, revision, _token(revision, _key(items[-1])))


async def _read(writer: Writer, kind: Kind, namespace: str | None) -> tuple[list[Object], int]:
    return await writer.read(lambda tx: (list(tx.list(kind.resource, namespace)), tx.revision))


async def _reverted(
    writer: Writer, kind: Kind, namespace: str | None, items: list[Object], revision: int
) -> list[Object]:
    """The list as it was: each object that has changed since, as its first change after `revision` found it."""
    too_old = "The provided continue parameter is too old to display a consistent list result."
    try:
        changes = await writer.call(lambda: writer.store.changes(revision, REVERTED_MAX, [kind.resource]))
    except Compacted as error:
        raise expired(too_old) from error
    if len(changes) >= REVERTED_MAX:  # there may be more
        raise expired(too_old)
    state = {_key(item): item for item in items}
    for change in reversed(changes):
        _undo(state, change, namespace)
    return [state[key] for key in sorted(state)]


def _undo(state: dict[Key, Object], change: Change, namespace: str | None) -> None:
    if namespace not in (None, change.namespace):
        return
    if change.old is None:
        state.pop((change.namespace, change.name), None)
    else:
        state[change.namespace, change.name] = change.old


def _key(value: Object) -> Key:
    return value["metadata"].get("namespace", ""), value["metadata"]["name"]


def _token(revision: int, key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps([revision, *key]).encode()).decode().rstrip("=")


def _parse_token(text: str) -> tuple[int, Key]:
    try:
        revision, namespace, name = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return int(revision), (str(namespace), str(name))
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise bad_request("continue key is not valid") from error
