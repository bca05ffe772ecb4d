"""Desired state: what the hub's feed says, journaled first, then told to the supervisor and the devices.

The cursor (epoch, revision, digest of the last entry) is written in the same atomic group as the entry, so the
journal never holds one without the other; it is acknowledged to the hub only when that group is durable. A
snapshot is staged entry by entry and takes effect in one group. What is the same as before is not touched.

The epoch rule: a hub with another epoch than the one that is followed (restored, reset, replaced) changes nothing
here until a person has adopted it at the hub. Until then the node goes on with what it has.
"""

from edgelite.journal import SPACE_DESIRED, SPACE_META, SPACE_STAGED
from edgelite.storage import StorageFullError
from edgelite_protocol import cbor
from edgelite_protocol.digest import ENTRY_DIGEST_BYTES
from edgelite_protocol.errors import CorruptionError, PlatformError
from edgelite_protocol.messages import KIND_DEVICE, KIND_WORKLOAD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edgelite.journal import Journal
    from edgelite_protocol.events import Entry, SnapshotBegin, SnapshotEntry
    from edgelite_protocol.node_session import NodeSession

    Apply = Callable[[int, str, "dict[int, object] | None", int], None]

CURSOR_KEY = "cursor"
ENTRIES_MAX = 4096  # of one node: each costs an index entry in memory (some 200 bytes)
KINDS = (KIND_WORKLOAD, KIND_DEVICE)


class Cursor:
    """How far the feed has been applied. `epoch` is empty before the first snapshot or entry."""

    def __init__(self, epoch: bytes, revision: int, digest: bytes) -> None:
        self.epoch = epoch
        self.revision = revision
        self.digest = digest

    def encode(self) -> bytes:
        return cbor.encode([self.epoch, self.revision, self.digest])


def decode_cursor(data: "bytes | None") -> Cursor:
    if data is None:
        return Cursor(b"", 0, b"")
    fields = cbor.decode(data)
    if not isinstance(fields, list) or len(fields) != 3:
        raise CorruptionError("journal, " + CURSOR_KEY, "is not [epoch, revision, digest]")
    return Cursor(fields[0], fields[1], fields[2])


def entry_key(kind: int, key: str) -> str:
    return str(kind) + "/" + key


def split_key(text: str) -> "tuple[int, str]":
    kind, _, key = text.partition("/")
    return int(kind), key


class Desired:
    """`apply(kind, key, value or None, now_ms)` tells what runs; it is called after the journal was written."""

    def __init__(self, journal: "Journal", apply: "Apply") -> None:
        self._journal = journal
        self._apply = apply
        self._epoch_offered = b""  # of this session's hub
        self._adopted = b""
        self._staged: Cursor | None = None
        self._owed: Cursor | None = None  # to be acknowledged when the journal has synced up to _owed_position
        self._owed_position = 0
        self.cursor = Cursor(b"", 0, b"")
        self.durable = self.cursor  # what hello says: never more than a power cut leaves here
        self.untold: list[str] = []  # keys that what runs is still to be told of, as the journal could not be read

    def restore(self, damaged: bool, now_ms: int) -> "list[str]":
        """After the journal was opened: what runs is told all that was desired, without any link. Gives a line for
        each entry that cannot be read. After damage the hub is asked for the whole feed again: what is the same
        changes nothing, what was lost comes back."""
        lost: list[str] = []
        try:
            self.cursor = decode_cursor(self._journal.get(SPACE_META, CURSOR_KEY))
        except CorruptionError as error:
            lost.append(str(error))  # as if no hub had been met: the next one sends a snapshot
        for key in sorted(self._journal.keys(SPACE_DESIRED)):
            try:
                self._tell(key, self._journal.get(SPACE_DESIRED, key), now_ms)
            except CorruptionError as error:
                lost.append("desired " + key + ": " + str(error))
        if self.cursor.epoch and (damaged or lost):
            self.cursor = Cursor(self.cursor.epoch, 0, bytes(ENTRY_DIGEST_BYTES))
            self._keep_asking()
        self.durable = self.cursor
        return lost

    @property
    def is_incomplete(self) -> bool:
        """Whether what is held may lack something: damage was met, or nothing ever came, and no snapshot since."""
        return self.cursor.revision == 0

    def _keep_asking(self) -> None:
        """An agent that starts again before it has met the hub finds the damage cleaned away, and asks all the same."""
        try:
            self._journal.write([("put", SPACE_META, CURSOR_KEY, self.cursor.encode())])
        except StorageFullError:
            return  # this start asks; the next one finds the damage still there, since nothing could be cleaned

    # ---- one session

    def begin(self, epoch: bytes) -> None:
        """The hub was met: its epoch is what its entries belong to."""
        self._epoch_offered = epoch
        self._adopted = b""
        self._staged = None
        self._owed = None  # of an earlier session: its hello said less, so it comes again

    def entry(self, event: "Entry", now_ms: int) -> None:
        """Journal one entry and its place in the feed, then apply it."""
        cursor = Cursor(self._epoch_offered, event.revision, event.digest)
        changes = self._entry_changes(event)
        self._write(changes + [("put", SPACE_META, CURSOR_KEY, cursor.encode())], cursor)  # noqa: RUF005 - portable
        if changes:
            self._apply_or_wait(entry_key(event.kind, event.key), event.value, now_ms)

    def _entry_changes(self, event: "Entry") -> "list[tuple[object, ...]]":
        """What the entry changes in the journal: nothing where it says what is there already, or is of a kind
        that this version doesn't know."""
        if event.kind not in KINDS:
            return []
        key = entry_key(event.kind, event.key)
        held = self._held(SPACE_DESIRED, key, b"")
        encoded = None if event.value is None else cbor.encode(event.value)
        if encoded == held:
            return []
        if held is None and len(self._journal.keys(SPACE_DESIRED)) >= ENTRIES_MAX:
            raise StorageFullError("this node takes %d desired entries at most" % ENTRIES_MAX)
        return [("delete", SPACE_DESIRED, key) if encoded is None else ("put", SPACE_DESIRED, key, encoded)]

    def offered(self, session: "NodeSession", epoch: bytes) -> None:
        """A foreign epoch: say what is held, and go on with it."""
        session.diverged(self.cursor.epoch, self.cursor.revision, epoch)

    def adopt(self, epoch: bytes) -> None:
        self._adopted = epoch

    def snapshot_begin(self, session: "NodeSession", event: "SnapshotBegin", now_ms: int) -> None:
        if self.cursor.epoch and event.epoch not in (self.cursor.epoch, self._adopted):
            session.end("foreign_epoch", "a snapshot of another epoch than the one followed, not adopted", now_ms)
        elif event.count > ENTRIES_MAX:
            session.end("snapshot_too_large", "at most %d entries" % ENTRIES_MAX, now_ms)
        else:
            self._staged = Cursor(event.epoch, event.revision, event.digest)
            self._clear_staged()

    def snapshot_entry(self, event: "SnapshotEntry") -> None:
        if self._staged is not None and event.kind in KINDS:
            key = entry_key(event.kind, event.key)
            self._journal.write([("put", SPACE_STAGED, key, cbor.encode(event.value))])

    @property
    def is_adopting(self) -> bool:
        """Whether the snapshot that comes is of another history than the one that was followed."""
        return self._staged is not None and self._staged.epoch != self.cursor.epoch

    def snapshot_end(self, now_ms: int) -> None:
        """All of it was staged: it becomes what is desired in one group, then the differences are applied."""
        if self._staged is None:
            return
        changed, removed = self._differences()
        cursor = self._staged
        self._staged = None
        self._write(
            [("promote", SPACE_STAGED, SPACE_DESIRED), ("put", SPACE_META, CURSOR_KEY, cursor.encode())], cursor
        )
        self.untold = removed + changed
        try:
            self.step(now_ms)
        except PlatformError:
            return  # the node's next step goes on with it

    def step(self, now_ms: int) -> None:
        """Tell what runs of what could not be read before. PlatformError where it still cannot."""
        while self.untold:
            key = self.untold[0]
            self._tell(key, self._journal.get(SPACE_DESIRED, key), now_ms)
            self.untold.pop(0)

    def acknowledge(self, session: "NodeSession") -> None:
        """Tell the hub how far the feed is durable here, once for all that one sync covered."""
        if self._owed is not None and self._journal.durable_position >= self._owed_position:
            owed, self._owed = self._owed, None
            self.durable = owed
            session.applied(owed.epoch, owed.revision, owed.digest)

    # ---- inside

    def _held(self, space: int, key: str, otherwise: bytes) -> "bytes | None":
        """The entry as it is kept; one that cannot be read differs from whatever comes."""
        try:
            return self._journal.get(space, key)
        except (CorruptionError, PlatformError):
            return otherwise

    def _apply_or_wait(self, key: str, value: "dict[int, object] | None", now_ms: int) -> None:
        kind, name = split_key(key)
        try:
            self._apply(kind, name, value, now_ms)
        except PlatformError:  # what else the journal keeps of it
            self.untold.append(key)

    def _write(self, changes: "list[tuple[object, ...]]", cursor: Cursor) -> None:
        self._owed_position = self._journal.write(changes)
        self._journal.urgent()
        self.cursor = cursor
        self._owed = cursor

    def _differences(self) -> "tuple[list[str], list[str]]":
        """(keys whose value the staged snapshot changes or adds, keys that it lacks)."""
        staged = sorted(self._journal.keys(SPACE_STAGED))
        changed = [key for key in staged if self._held(SPACE_STAGED, key, b"\0") != self._held(SPACE_DESIRED, key, b"")]
        kept = set(staged)
        return changed, [key for key in sorted(self._journal.keys(SPACE_DESIRED)) if key not in kept]

    def _clear_staged(self) -> None:
        """What an earlier, interrupted snapshot left behind."""
        left = self._journal.keys(SPACE_STAGED)
        if left:
            self._journal.write([("delete", SPACE_STAGED, key) for key in left])

    def _tell(self, key: str, encoded: "bytes | None", now_ms: int) -> None:
        kind, name = split_key(key)
        value: Any = None if encoded is None else cbor.decode(encoded)
        self._apply(kind, name, value, now_ms)
