"""A node's feed of desired state, as one session sends it.

The epoch belongs to one node's feed: a hub that finds itself behind one node (it was restored from a backup) begins
a new history for that node alone, and the nodes whose history agrees go on undisturbed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from edgelite_hub.nodes.former_devices import withdraw
from edgelite_hub.store.contract import Compacted, FeedEntry, Transaction
from edgelite_protocol import feed_rules
from edgelite_protocol import messages as m
from edgelite_protocol.hub_session import HubSession
from edgelite_protocol.message import encode_entry

BATCH_ENTRIES = 32  # read at once: some hundred kilobytes at most, and a node takes them in a few round trips
EPOCH_BYTES = 8

FOLLOWING = "following"
SNAPSHOT_DUE = "snapshot due"
SNAPSHOT = "snapshot"
DIVERGED = "diverged"


def epoch_of(transaction: Transaction, node: str, random_bytes: Callable[[int], bytes]) -> bytes:
    """The epoch of a node's feed: the hub's own, made with its store, unless this feed began a new history."""
    own = transaction.get_meta("epochs/" + node) or transaction.get_meta("epoch")
    if own is None:
        own = random_bytes(EPOCH_BYTES)
        transaction.set_meta("epoch", own)
    return own


def choose_mode(
    transaction: Transaction, node: str, hello: dict[int, Any], random_bytes: Callable[[int], bytes]
) -> tuple[bytes, int]:
    """(epoch, MODE_*) for a hello. Where the node holds another history of our own epoch, a new epoch begins."""
    epoch = epoch_of(transaction, node, random_bytes)
    mode = feed_rules.choose_feed_mode(hello, _history(transaction, node, epoch, hello))
    if mode == m.MODE_DIVERGED and hello[m.HELLO_EPOCH] == epoch:
        epoch = random_bytes(EPOCH_BYTES)
        transaction.set_meta("epochs/" + node, epoch)
    return epoch, mode


def drop_oversized(transaction: Transaction, node: str, frame_bytes_max: int) -> None:
    """Entries that were made before the node said how little it takes cannot be sent, so they must not stay; the
    controllers say so at their Pods and Devices."""
    for entry in transaction.feed_snapshot(node):
        if _size_bytes(entry) > frame_bytes_max:
            withdraw(transaction, node, entry.kind, entry.key)


def _size_bytes(entry: FeedEntry) -> int:
    return len(encode_entry(entry.revision, entry.kind, entry.key, entry.value))


def _history(transaction: Transaction, node: str, epoch: bytes, hello: dict[int, Any]) -> feed_rules.FeedHistory:
    last = transaction.feed_last(node)
    revision = hello[m.HELLO_REVISION]
    held = transaction.feed_entry(node, revision) if 0 < revision < 1 << 62 else None
    return feed_rules.FeedHistory(
        epoch, last.revision if last else 0, held.digest if held else None, _is_complete(transaction, node, revision)
    )


def _is_complete(transaction: Transaction, node: str, revision: int) -> bool:
    last = transaction.feed_last(node)
    if last is None or revision >= last.revision:
        return True
    try:
        transaction.feed_since(node, revision, 1)
    except Compacted:
        return False
    return True


class FeedSender:
    """Brings one session up to date and keeps it there. `read` and `take` alternate: the one runs in a transaction,
    the other has its result; `push` sends as the session has room."""

    def __init__(self, session: HubSession, node: str, epoch: bytes, mode: int, revision: int) -> None:
        self._session = session
        self._node = node
        self._epoch = epoch
        self._state = {m.MODE_DELTA: FOLLOWING, m.MODE_SNAPSHOT: SNAPSHOT_DUE, m.MODE_DIVERGED: DIVERGED}[mode]
        self._revision = revision  # of the last entry that was read
        self._waiting: deque[FeedEntry] = deque()
        self._snapshot_revision = 0
        self._behind = True  # the store may hold more than was read
        # A node that asks from the beginning (its journal was damaged) may run what the whole feed comes to. Entry by
        # entry it would start again, for a moment, what has long been deleted.
        self._from_beginning = revision == 0

    @property
    def is_diverged(self) -> bool:
        return self._state == DIVERGED

    def grown(self) -> None:
        self._behind = True

    def adopt(self) -> None:
        """The node was told to take our history: begin with a snapshot."""
        self._state, self._behind = SNAPSHOT_DUE, True

    def wants_read(self) -> bool:
        if not self._behind or self._waiting or self._state not in (FOLLOWING, SNAPSHOT_DUE):
            return False
        return self._session.can_send(m.PRIORITY_STATE)

    def reader(self) -> Callable[[Transaction], tuple[bool, list[FeedEntry], FeedEntry | None]]:
        """For one reading transaction: (is it a snapshot, entries, the feed's last entry)."""
        node, revision, wants_snapshot = self._node, self._revision, self._state == SNAPSHOT_DUE
        wants_whole, self._from_beginning = self._from_beginning, False

        def read(transaction: Transaction) -> tuple[bool, list[FeedEntry], FeedEntry | None]:
            if not wants_snapshot and not (wants_whole and transaction.feed_last(node) is not None):
                try:
                    return False, transaction.feed_since(node, revision, BATCH_ENTRIES), None
                except Compacted:
                    pass  # it was compacted since the hello: the whole state instead
            return True, transaction.feed_snapshot(node), transaction.feed_last(node)

        self._behind = False
        return read

    def take(self, result: tuple[bool, list[FeedEntry], FeedEntry | None]) -> None:
        is_snapshot, entries, last = result
        if is_snapshot:
            self._begin_snapshot(entries, last)
        elif any(_size_bytes(entry) > self._session.entry_room() for entry in entries):
            self._state, self._behind = SNAPSHOT_DUE, True  # an old entry that this node cannot take is superseded
        elif entries:
            self._waiting.extend(entries)
            self._revision = entries[-1].revision
            self._behind = len(entries) == BATCH_ENTRIES

    def push(self) -> None:
        """Send what the session has room for."""
        while self._session.can_send(m.PRIORITY_STATE):
            if self._waiting:
                self._send(self._waiting.popleft())
            elif self._state == SNAPSHOT:
                self._session.snapshot_end(self._snapshot_revision)
                self._state, self._behind = FOLLOWING, True
            else:
                return

    def _send(self, entry: FeedEntry) -> None:
        if self._state == SNAPSHOT:
            self._session.snapshot_entry(entry.kind, entry.key, entry.value)
        else:
            self._session.send_entry(entry.revision, entry.kind, entry.key, entry.value)

    def _begin_snapshot(self, entries: list[FeedEntry], last: FeedEntry | None) -> None:
        self._snapshot_revision = last.revision if last else 0
        digest = last.digest if last else bytes(EPOCH_BYTES)
        self._session.snapshot_begin(self._epoch, self._snapshot_revision, digest, len(entries))
        self._waiting.extend(entries)
        self._revision = self._snapshot_revision
        self._state = SNAPSHOT
