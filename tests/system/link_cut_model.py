"""A node and a hub with nothing around them but a journal, a store and a link: what test_link_cut.py drives.

The node is a real journal on a storage that can be cut, and the node's end of the session; the hub a real store and
the hub's end. Each does only what the protocol asks of it, so that what is tested is the protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgelite.effects import Sync
from edgelite.journal import SPACE_DESIRED, SPACE_META, SPACE_STAGED, Journal, JournalLimits
from edgelite_hub.store.contract import Compacted, Position, Store, Transaction
from edgelite_ports.testing import MemoryStorage
from edgelite_protocol import cbor, events
from edgelite_protocol import messages as m
from edgelite_protocol.feed_rules import FeedHistory, choose_feed_mode
from edgelite_protocol.hub_session import FOLLOWING, HubSession
from edgelite_protocol.limits import Limits
from edgelite_protocol.node_session import NodeSession

NODE = "node-a"
EPOCH = b"epoch-01"
NO_DIGEST = bytes(8)
LIMITS = JournalLimits(segment_bytes=4096, size_bytes_max=256 * 4096, telemetry_bytes_max=64 * 4096)
BATCH = 4


def make_report(lane: int, number: int) -> bytes:
    if lane == m.LANE_STATE:
        return cbor.encode({m.REPORT: m.REPORT_WORKLOAD_GONE, 1: f"uid-{number}"})
    return cbor.encode({m.REPORT: m.REPORT_TELEMETRY, 1: "d/meter", 2: [number, 1], 3: {"v": number}})


def number_of(lane: int, body: dict[int, Any]) -> int:
    return int(body[1][4:]) if lane == m.LANE_STATE else int(body[2][0])


def make_device(number: int) -> bytes:
    return cbor.encode({1: f"u{number}", 2: "d", 3: "meter", 4: "modbus", 5: {}, 6: [], 7: number})


class Node:
    """`promised` is what producers were told is safe; `claimed` the highest revision told to the hub as applied."""

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self.random_bytes = random_bytes
        self.promised: list[tuple[int, int]] = []  # (lane, number)
        self.claimed = 0
        self.made = 0
        self.session: NodeSession | None = None
        self._start(MemoryStorage())
        while self.syncs:  # joining is over only when the journal is there
            self.complete_sync(0)
            self.journal.step(0)

    # ---- starting, dying

    def _start(self, storage: MemoryStorage) -> None:
        self.storage = storage
        self.syncs: list[Sync] = []
        self.session = None
        self._sent: dict[int, tuple[int, int] | None] = {}
        self._unsynced_reports: list[tuple[int, int, int]] = []  # (position, lane, number)
        self._unsynced_cursor: tuple[int, bytes, int, bytes] | None = None  # (position, epoch, revision, digest)
        self._snapshot: tuple[bytes, int, bytes] | None = None
        self.journal = Journal(storage, LIMITS, self.random_bytes, self._emit)
        facts = self.journal.open(0)
        assert not facts.damaged, facts.damaged
        assert self.cursor()[1] >= self.claimed, "what was told as applied is gone"
        self._durable_cursor: tuple[bytes | None, int, bytes] | None = None  # None: not known yet
        self.journal.step(0)

    def cut_power(self, fates: list[int | tuple[int, int]]) -> None:
        self._start(self.storage.cut(fates))

    def kill_agent(self) -> None:
        self._start(self.storage.reopen())

    def _emit(self, effect: object) -> None:
        assert isinstance(effect, Sync)
        self.syncs.append(effect)

    # ---- what it keeps

    def cursor(self) -> tuple[bytes | None, int, bytes]:
        kept = self.journal.get(SPACE_META, "cursor")
        if kept is None:
            return None, 0, NO_DIGEST
        fields: Any = cbor.decode(kept)
        return fields[0], fields[1], fields[2]

    def desired(self) -> dict[str, bytes]:
        values = {key: self.journal.get(SPACE_DESIRED, key) for key in self.journal.keys(SPACE_DESIRED)}
        return {key: value for key, value in values.items() if value is not None}

    def produce(self, lane: int) -> None:
        """A producer hands in a report, and is told once it is durable."""
        self.made += 1
        self.journal.append_report(lane, make_report(lane, self.made))
        self.journal.urgent()
        self._appended(lane, self.made)

    def _appended(self, lane: int, number: int) -> None:
        self._unsynced_reports.append((self.journal.position, lane, number))

    def step(self, now_ms: int) -> None:
        self.journal.step(now_ms)
        if self.session is not None:
            self.session.step(now_ms)

    def complete_sync(self, now_ms: int) -> None:
        if not self.syncs:
            return
        self.storage.sync()
        self.journal.synced(self.syncs.pop(0).token, now_ms)
        if self._unsynced_cursor is None or self._unsynced_cursor[0] <= self.journal.durable_position:
            self._durable_cursor = self.cursor()
        self._tell_producers()
        self._tell_hub()
        self.send_reports()

    def _tell_producers(self) -> None:
        durable = self.journal.durable_position
        self.promised += [row[1:] for row in self._unsynced_reports if row[0] <= durable]
        self._unsynced_reports = [row for row in self._unsynced_reports if row[0] > durable]

    def _tell_hub(self) -> None:
        cursor = self._unsynced_cursor
        if cursor is not None and cursor[0] <= self.journal.durable_position:
            self._unsynced_cursor = None
            self._claim(*cursor[1:])

    def _claim(self, epoch: bytes, revision: int, digest: bytes) -> None:
        if self.session is not None:
            self.session.applied(epoch, revision, digest)
            self.claimed = max(self.claimed, revision)

    # ---- the session

    def connect(self, now_ms: int) -> None:
        """HELLO counts as APPLIED, so what it says must be durable: after a start, that takes a sync."""
        while self._durable_cursor is None:
            self.journal.step(now_ms)
            self.complete_sync(now_ms)
        epoch, revision, digest = self._durable_cursor
        self.claimed = max(self.claimed, revision)
        hello: dict[int, Any] = {
            m.HELLO_NODE: NODE,
            m.HELLO_BOOT_ID: bytes(16),
            m.HELLO_JOURNAL_ID: self.journal.journal_id,
            m.HELLO_GENERATION: self.journal.generation,
            m.HELLO_INSTANCE: self.journal.instance,
            m.HELLO_MONOTONIC_MS: now_ms,
            m.HELLO_REVISION: revision,
            m.HELLO_CAPABILITIES: {},
            m.HELLO_ACKNOWLEDGED: self.journal.acknowledged(),
        }
        if epoch is not None:
            hello[m.HELLO_EPOCH] = epoch
            hello[m.HELLO_DIGEST] = digest
        self._sent = {}
        self._snapshot = None
        self.session = NodeSession(hello, Limits(frame_bytes_max=1024), now_ms)

    def receive(self, data: bytes, now_ms: int) -> None:
        if self.session is None:
            return
        self.session.receive(data, now_ms)
        event = self.session.next_event()
        while event is not None:
            self._take(event)
            event = self.session.next_event()
        self.send_reports()

    def _take(self, event: object) -> None:
        if isinstance(event, events.Entry):
            value = None if event.value is None else cbor.encode(event.value)
            self._write_entry(SPACE_DESIRED, event.key, value, (EPOCH, event.revision, event.digest))
        elif isinstance(event, events.SnapshotBegin):
            self._snapshot = (event.epoch, event.revision, event.digest)
            self.journal.write([("delete", SPACE_STAGED, key) for key in self.journal.keys(SPACE_STAGED)])
        elif isinstance(event, events.SnapshotEntry):
            self.journal.write([("put", SPACE_STAGED, event.key, cbor.encode(event.value))])
        elif isinstance(event, events.SnapshotEnd):
            assert self._snapshot is not None
            self._write([("promote", SPACE_STAGED, SPACE_DESIRED)], self._snapshot)
        elif isinstance(event, events.Acknowledged):
            self.journal.acknowledge(event.lane, event.generation, event.sequence)
        elif isinstance(event, events.Welcomed):
            for lane, generation, sequence in event.welcome[m.WELCOME_STORED]:  # type: ignore[attr-defined]
                self.journal.acknowledge(lane, generation, sequence)
        elif isinstance(event, events.Ended):
            assert event.code in ("link_lost", "silent", "handshake_timeout"), (event.code, event.text)

    def _write_entry(self, space: int, key: str, value: bytes | None, cursor: tuple[bytes, int, bytes]) -> None:
        change = ("delete", space, key) if value is None else ("put", space, key, value)
        self._write([change], cursor)

    def _write(self, changes: list[Any], cursor: tuple[bytes, int, bytes]) -> None:
        """The entry and the cursor in one atomic group; the hub is told once it is durable."""
        position = self.journal.write([*changes, ("put", SPACE_META, "cursor", cbor.encode(list(cursor)))])
        self.journal.urgent()
        self._unsynced_cursor = (position, *cursor)

    def send_reports(self) -> None:
        session = self.session
        if session is None:
            return
        for lane in (m.LANE_STATE, m.LANE_TELEMETRY):
            if not session.can_report(lane):
                continue
            rows = self.journal.reports(lane, self._sent.get(lane), BATCH)
            rows = [row for row in rows if row[0][0] == rows[0][0][0]]
            if rows:
                items: list[tuple[int, Any]] = [(name[1], body) for name, body in rows]
                session.send_reports(lane, rows[0][0][0], items)
                self._sent[lane] = rows[-1][0]


class Hub:
    """`tail` is what has arrived and is not committed: a crash forgets it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.applied = 0
        self.session: HubSession | None = None
        self.tail: list[tuple[HubSession, events.Reports]] = []
        self._revision = 0  # of the feed, sent in this session
        self._snapshot: list[Any] | None = None

    def crash(self) -> None:
        self.session = None
        self.tail = []

    # ---- what people do

    def change(self, key: str, value: bytes | None) -> None:
        self.store.transact(lambda transaction: transaction.feed_append(NODE, m.KIND_DEVICE, key, value))

    def compact(self, keep: int) -> None:
        self.store.transact(lambda transaction: transaction.feed_compact(NODE, keep))

    def desired(self) -> dict[str, bytes]:
        rows = self.store.read(lambda transaction: transaction.feed_snapshot(NODE))
        return {row.key: row.value for row in rows if row.value is not None}

    def stored(self, lane: int) -> list[int]:
        """The numbers of the reports stored, in the order of storing."""
        return self.store.read(lambda transaction: stored_of(transaction, lane))

    def last_revision(self) -> int:
        last = self.store.read(lambda transaction: transaction.feed_last(NODE))
        return last.revision if last is not None else 0

    # ---- the session

    def connect(self, now_ms: int) -> None:
        self.session = HubSession(Limits(), now_ms)
        self._snapshot = None

    def receive(self, data: bytes, now_ms: int) -> None:
        if self.session is None:
            return
        self.session.receive(data, now_ms)
        event = self.session.next_event()
        while event is not None:
            self._take(event, now_ms)
            if self.session is None:
                return
            event = self.session.next_event()
        self.send_feed()

    def _take(self, event: object, now_ms: int) -> None:
        if isinstance(event, events.Hello):
            self._welcome(event.hello, now_ms)
        elif isinstance(event, events.Applied):
            self.applied = max(self.applied, event.revision)
        elif isinstance(event, events.Reports):
            self._reports(event)
        elif isinstance(event, events.Ended):
            assert event.code in ("link_lost", "silent", "handshake_timeout"), (event.code, event.text)

    def _reports(self, event: events.Reports) -> None:
        assert self.session is not None
        self.tail.append((self.session, event))

    def _welcome(self, hello: dict[int, Any], now_ms: int) -> None:
        assert self.session is not None
        journal = hello[m.HELLO_JOURNAL_ID]
        mode, stored = self.store.read(
            lambda transaction: (self._mode(transaction, hello), positions(transaction, journal))
        )
        assert mode != m.MODE_DIVERGED
        welcome = {m.WELCOME_EPOCH: EPOCH, m.WELCOME_TIME_MS: now_ms, m.WELCOME_MODE: mode, m.WELCOME_STORED: stored}
        self.session.welcome(welcome)
        self._revision = hello[m.HELLO_REVISION]
        self.applied = max(self.applied, self._revision)

    def _mode(self, transaction: Transaction, hello: dict[int, Any]) -> int:
        last = transaction.feed_last(NODE)
        revision = hello[m.HELLO_REVISION]
        held = transaction.feed_entry(NODE, revision) if revision else None
        history = FeedHistory(
            EPOCH,
            last.revision if last else 0,
            held.digest if held else None,
            not lacks_entries(transaction, revision),
        )
        return choose_feed_mode(hello, history)

    def send_feed(self) -> None:
        """As much as little queueing allows: entries, or the pieces of a snapshot."""
        session = self.session
        if session is None:
            return
        while session.can_send(m.PRIORITY_STATE):
            if self._snapshot is not None:
                self._send_piece(session, self._snapshot)
            elif session.state == FOLLOWING:
                if not self._send_entry(session):
                    return
            else:
                self._begin_snapshot(session)

    def _send_entry(self, session: HubSession) -> bool:
        try:
            rows = self.store.read(lambda transaction: transaction.feed_since(NODE, self._revision, 1))
        except Compacted:
            self._begin_snapshot(session)
            return True
        for row in rows:
            session.send_entry(row.revision, row.kind, row.key, row.value)
            self._revision = row.revision
        return bool(rows)

    def _begin_snapshot(self, session: HubSession) -> None:
        last, rows = self.store.read(
            lambda transaction: (transaction.feed_last(NODE), list(transaction.feed_snapshot(NODE)))
        )
        self._revision = last.revision if last else 0
        session.snapshot_begin(EPOCH, self._revision, last.digest if last else NO_DIGEST, len(rows))
        self._snapshot = rows

    def _send_piece(self, session: HubSession, rows: list[Any]) -> None:
        if rows:
            row = rows.pop(0)
            session.snapshot_entry(row.kind, row.key, row.value)
        else:
            session.snapshot_end(self._revision)
            self._snapshot = None

    # ---- the store

    def commit(self) -> None:
        """What has arrived becomes durable, in one transaction for all of it, then it is acknowledged."""
        tail = self.tail
        self.tail = []
        if not tail:
            return

        def run(transaction: Transaction) -> None:
            for _, event in tail:
                self.store_reports(transaction, event)

        self.store.transact(run)
        for session, event in tail:
            self._acknowledge(session, event)

    def _acknowledge(self, session: HubSession, event: events.Reports) -> None:
        """In the session that brought them: the next one is told by its welcome."""
        session.acknowledge(event.lane, event.generation, event.sequence_last, event.journal)

    def store_reports(self, transaction: Transaction, event: events.Reports) -> None:
        position = transaction.position(NODE, event.journal, event.lane)
        numbers = stored_of(transaction, event.lane)
        for sequence, body in event.items:
            if position is None or (event.generation, sequence) > (position.generation, position.sequence):
                numbers.append(number_of(event.lane, body))
        transaction.set_meta(f"stored/{event.lane}", cbor.encode(numbers))
        if position is None or (event.generation, event.sequence_last) > (position.generation, position.sequence):
            transaction.set_position(NODE, event.journal, event.lane, Position(event.generation, event.sequence_last))


def stored_of(transaction: Transaction, lane: int) -> list[int]:
    kept = transaction.get_meta(f"stored/{lane}")
    return [] if kept is None else cbor.decode(kept)  # type: ignore[return-value]


def positions(transaction: Transaction, journal: bytes) -> list[list[int]]:
    rows = []
    for lane in (m.LANE_STATE, m.LANE_TELEMETRY):
        position = transaction.position(NODE, journal, lane)
        if position is not None:
            rows.append([lane, position.generation, position.sequence])
    return rows


def lacks_entries(transaction: Transaction, revision: int) -> bool:
    try:
        transaction.feed_since(NODE, revision, 1)
    except Compacted:
        return True
    return False
