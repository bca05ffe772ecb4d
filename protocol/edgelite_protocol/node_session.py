"""The node's end of a session (SPEC.md, "Session"): its state table, its handlers, its actions."""

from edgelite_protocol import messages as m
from edgelite_protocol.digest import entry_digest
from edgelite_protocol.errors import MisuseError, ProtocolError
from edgelite_protocol.events import (
    Acknowledged,
    Adopt,
    ArtifactData,
    Entry,
    LogRequest,
    Renewed,
    SnapshotBegin,
    SnapshotEnd,
    SnapshotEntry,
    SnapshotOffer,
    Welcomed,
)
from edgelite_protocol.limits import REPORT_BYTES_MAX, WINDOW_FRAMES, Limits
from edgelite_protocol.message import encode_item, encode_reports, entry_value
from edgelite_protocol.session import COMMON, ENDED, Session, table_row
from edgelite_protocol.streams import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OPENING = 1  # HELLO is sent
FOLLOWING = 2  # the feed goes on, entry by entry
AWAITING = 3  # a snapshot must come before any entry
SNAPSHOT = 4  # inside one
FOREIGN = 5  # the hub said that its history is not ours; its offer comes
DIVERGED = 6  # offered; only ADOPT leads on

_READY = table_row(COMMON, (m.ACKNOWLEDGE, "_on_acknowledge"), (m.RENEWED, "_on_renewed"))
_READY_CELLS = tuple(_READY.items())

# state: {message type: handler}. What is not here is "unexpected_message".
NODE_TABLE = {
    OPENING: table_row((), (m.WELCOME, "_on_welcome"), (m.GOODBYE, "_on_goodbye")),
    FOLLOWING: table_row(_READY_CELLS, (m.ENTRY, "_on_entry"), (m.SNAPSHOT_BEGIN, "_on_snapshot_begin")),
    AWAITING: table_row(_READY_CELLS, (m.SNAPSHOT_BEGIN, "_on_snapshot_begin")),
    SNAPSHOT: table_row(_READY_CELLS, (m.SNAPSHOT_ENTRY, "_on_snapshot_entry"), (m.SNAPSHOT_END, "_on_snapshot_end")),
    FOREIGN: table_row(_READY_CELLS, (m.SNAPSHOT_OFFER, "_on_snapshot_offer")),
    DIVERGED: table_row(_READY_CELLS, (m.ADOPT, "_on_adopt")),
}

REPORTS_OVERHEAD_BYTES = 40  # of a REPORTS message around its items, at most: 3 + 1 + 2 + 10 + 4 + 10, and spare

# What follows the welcome, by mode.
_MODE_STATES = {m.MODE_DELTA: FOLLOWING, m.MODE_SNAPSHOT: AWAITING, m.MODE_DIVERGED: FOREIGN}


class NodeSession(Session):
    """`hello` has the keys HELLO_*; HELLO_MAJOR, HELLO_MINOR and HELLO_FRAME_BYTES_MAX are filled in here."""

    table = NODE_TABLE
    handshake_states = (OPENING,)
    parity = 1
    purposes = (m.PURPOSE_LOG,)

    def __init__(self, hello: "dict[int, Any]", limits: Limits, now_ms: int) -> None:
        Session.__init__(self, OPENING, limits, limits.frame_bytes_max, now_ms)
        hello = dict(hello)
        hello[m.TYPE] = m.HELLO
        hello[m.HELLO_MAJOR] = m.VERSION_MAJOR
        hello[m.HELLO_MINOR] = m.VERSION_MINOR
        hello[m.HELLO_FRAME_BYTES_MAX] = limits.frame_bytes_max
        self._journal = hello[m.HELLO_JOURNAL_ID]
        self._epoch = hello.get(m.HELLO_EPOCH)  # held by the node, if any
        self._revision = hello[m.HELLO_REVISION]  # of the last entry that came, or was applied before
        self._hub_epoch = b""
        self._snapshot_left = 0
        self._renewing = False
        # By lane, what was sent and not yet acknowledged: the last position of each journal, in sending order.
        self._sent: list[list[tuple[bytes | None, int, int]]] = [[], []]
        self._acknowledged: list[tuple[bytes | None, int, int] | None] = [None, None]
        self._put_control(hello)

    # ---- actions

    def applied(self, epoch: bytes, revision: int, digest: bytes) -> None:
        """Everything up to `revision` is journaled and synced. What this session has not carried (it was received
        by the one before) is left out: the hub sends it again."""
        if self.state in (FOLLOWING, SNAPSHOT) and epoch == self._hub_epoch and revision <= self._revision:
            self._put_control({m.TYPE: m.APPLIED, 1: epoch, 2: revision, 3: digest})

    def can_report(self, lane: int) -> bool:
        """True while the lane's queue is empty and there is credit for a report of any legal size: at least half
        of the hub's window is there once everything sent was acknowledged, and that is two frames."""
        return self.report_room(lane) >= REPORT_BYTES_MAX

    def report_room(self, lane: int) -> int:
        """How many bytes of items (`encode_item`) one `send_reports` takes now. A report of at most
        REPORT_BYTES_MAX finds room once what was sent before is acknowledged."""
        stream = m.STREAM_STATE + lane
        if self.state in (ENDED, OPENING) or self._outgoing.waiting_on(stream)[0]:
            return 0
        return min(self._peer_frame_bytes_max, self._outgoing.credit(stream)) - REPORTS_OVERHEAD_BYTES

    def send_reports(
        self, lane: int, generation: int, items: "list[tuple[int, Any]]", journal: "bytes | None" = None
    ) -> None:
        """Send reports that are synced: (sequence, body) ascending, all of one generation; a body is a map, or
        bytes that are its CBOR. `journal` names another journal id than HELLO's."""
        if journal == self._journal:
            journal = None
        encoded = [encode_item(sequence, body) for sequence, body in items]
        size_bytes = sum(len(item) for item in encoded)
        if not encoded or size_bytes > self.report_room(lane):
            raise MisuseError("%d bytes of reports, room for %d" % (size_bytes, self.report_room(lane)))
        self._note_sent(lane, (journal, generation, items[-1][0]))
        self._put(m.STREAM_STATE + lane, encode_reports(lane, generation, encoded, journal))

    def renew(self) -> None:
        """Ask for a new certificate for the key of this session; `Renewed` brings it."""
        if not self._renewing and self.state not in (ENDED, OPENING):
            self._renewing = True
            self._put_control({m.TYPE: m.RENEW})

    def diverged(self, epoch_held: bytes, revision_held: int, epoch_offered: bytes) -> None:
        """Answer to SnapshotOffer: what runs goes on until `Adopt`."""
        if self.state not in (ENDED, DIVERGED):
            raise MisuseError("no snapshot was offered")
        self._put_control({m.TYPE: m.DIVERGED, 1: epoch_held, 2: revision_held, 3: epoch_offered})

    def open_artifact(self, digest: bytes, offset: int) -> int:
        """Ask for the artifact's bytes from `offset` on; the stream's number. Ask `can_open_stream` first."""
        if not self.can_open_stream():
            raise MisuseError("no stream may be opened now")
        bulk = self._open_stream(m.PURPOSE_ARTIFACT, {1: digest, 2: offset})
        bulk.digest = digest
        bulk.offset = offset
        return bulk.number

    def log_data(self, stream: int, data: bytes) -> None:
        """Send at most `can_send_bulk(stream)` bytes of what LogRequest asked for."""
        self._send_bulk(stream, data)

    def _note_sent(self, lane: int, position: "tuple[bytes | None, int, int]") -> None:
        sent = self._sent[lane]
        if sent and sent[-1][0] == position[0]:
            sent.pop()
        sent.append(position)

    def _answer_owed(self) -> bool:
        if self._renewing or self._sent[0] or self._sent[1]:
            return True
        return self._streams.is_any() and Session._answer_owed(self)

    # ---- handlers

    def _on_welcome(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> object:
        if message[m.WELCOME_MAJOR] != m.VERSION_MAJOR:
            raise ProtocolError("unsupported_version", "major %d" % message[m.WELCOME_MAJOR])
        mode = message[m.WELCOME_MODE]
        self._hub_epoch = message[m.WELCOME_EPOCH]
        if not _mode_fits(mode, self._epoch, self._hub_epoch):
            raise ProtocolError("foreign_epoch", "mode %d does not fit the epoch held" % mode)
        self.state = _MODE_STATES[mode]
        self._peer_frame_bytes_max = message[m.WELCOME_FRAME_BYTES_MAX]
        self._keepalive.rest_ms = message[m.WELCOME_KEEPALIVE_REST_MS]
        self._keepalive.busy_ms = message[m.WELCOME_KEEPALIVE_BUSY_MS]
        self._open_lane_window(m.STREAM_STATE)
        for lane_stream in (m.STREAM_STATE, m.STREAM_TELEMETRY):
            self._outgoing.grant(lane_stream, WINDOW_FRAMES * self._peer_frame_bytes_max)
        return Welcomed(message)

    def _on_entry(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> object:
        revision = message[1]
        if revision != self._revision + 1:
            raise ProtocolError("out_of_order", "entry %d after %d" % (revision, self._revision))
        self._windows[stream].consumed(len(payload))
        self._revision = revision
        digest = entry_digest(revision, message[2], message[3], entry_value(message, payload))
        return Entry(revision, message[2], message[3], message.get(4), digest)

    def _on_snapshot_begin(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> object:
        if message[1] != self._hub_epoch:
            raise ProtocolError("foreign_epoch", "a snapshot of another epoch than the welcome's")
        if self.state == FOLLOWING and message[2] < self._revision:
            raise ProtocolError("out_of_order", "snapshot %d after entry %d" % (message[2], self._revision))
        self._windows[stream].consumed(len(payload))
        self.state = SNAPSHOT
        self._revision = message[2]
        self._snapshot_left = message[4]
        return SnapshotBegin(message[1], message[2], message[3], message[4])

    def _on_snapshot_entry(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> object:
        if not self._snapshot_left:
            raise ProtocolError("snapshot_count", "more entries than announced")
        self._windows[stream].consumed(len(payload))
        self._snapshot_left -= 1
        return SnapshotEntry(message[1], message[2], message[3])

    def _on_snapshot_end(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> object:
        if self._snapshot_left or message[1] != self._revision:
            raise ProtocolError("snapshot_count", "%d entries are missing" % self._snapshot_left)
        self._windows[stream].consumed(len(payload))
        self.state = FOLLOWING
        return SnapshotEnd(message[1])

    def _on_snapshot_offer(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> object:
        self.state = DIVERGED
        return SnapshotOffer(message[1], message[2])

    def _on_adopt(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> object:
        if message[1] != self._hub_epoch:
            raise ProtocolError("foreign_epoch", "another epoch than the welcome's")
        self.state = AWAITING
        return Adopt(message[1])

    def _on_acknowledge(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> object:
        lane = message[1]
        position = (message.get(4), message[2], message[3])
        self._check_acknowledged(lane, position)
        self._acknowledged[lane] = position
        return Acknowledged(lane, message[2], message[3], message.get(4))

    def _check_acknowledged(self, lane: int, position: "tuple[bytes | None, int, int]") -> None:
        """An acknowledgement lies at or before what was sent and behind the one before it; it drops from `_sent`
        what it covers."""
        before = self._acknowledged[lane]
        if before is not None and before[0] == position[0] and position[1:] < before[1:]:
            raise ProtocolError("out_of_order", "lane %d: an older acknowledgement" % lane)
        sent = self._sent[lane]
        for index in range(len(sent)):
            if sent[index][0] == position[0] and position[1:] <= sent[index][1:]:
                covered = index + 1 if position == sent[index] else index
                self._sent[lane] = sent[covered:]
                return
        if before != position:
            raise ProtocolError("out_of_order", "lane %d: acknowledges what was never sent" % lane)

    def _on_renewed(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> object:
        if not self._renewing:
            raise ProtocolError("unexpected_message", "renewed without a request")
        self._renewing = False
        return Renewed(message[1])

    def _opened(self, bulk: Stream, parameters: "dict[Any, Any]") -> object:
        return LogRequest(
            bulk.number, parameters[1], parameters[2], parameters[3], parameters[4], parameters[5], parameters[6]
        )

    def _data(self, bulk: Stream, data: bytes) -> object:
        offset = bulk.offset
        bulk.offset += len(data)
        return ArtifactData(bulk.number, bulk.digest, offset, data)


def _mode_fits(mode: int, epoch_held: "bytes | None", epoch_hub: bytes) -> bool:
    """A delta continues the epoch held, a snapshot may also be the first of all, and only a node that holds an
    epoch can be told that it diverged: a hub that got this wrong would remove what runs."""
    if mode == m.MODE_DELTA:
        return epoch_held == epoch_hub
    if mode == m.MODE_SNAPSHOT:
        return epoch_held is None or epoch_held == epoch_hub
    return epoch_held is not None
