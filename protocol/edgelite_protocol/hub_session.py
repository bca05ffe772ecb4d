"""The hub's end of a session (SPEC.md, "Session"): its state table, its handlers, its actions."""

from edgelite_protocol import messages as m
from edgelite_protocol.body_tables import REPORT_TABLES
from edgelite_protocol.errors import MisuseError, ProtocolError
from edgelite_protocol.events import (
    Applied,
    ArtifactRequest,
    Diverged,
    Hello,
    JoinCaRequest,
    JoinRequest,
    LogData,
    RenewRequest,
    Reports,
)
from edgelite_protocol.limits import KEEPALIVE_BUSY_MS, KEEPALIVE_REST_MS, WINDOW_FRAMES, Limits
from edgelite_protocol.message import encode_entry, encode_message, encode_snapshot_entry
from edgelite_protocol.session import COMMON, ENDED, Session, table_row
from edgelite_protocol.streams import CLOSING, Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WAITING = 1  # for HELLO, or for a node that joins or renews
CA_GIVEN = 2  # the CA was asked for; the same connection may go on to JOIN
JOINING = 3  # JOIN came; the caller answers
RENEWING = 4  # RENEW came in place of HELLO; the caller answers
LEAVING = 5  # answered; only the goodbye is left
HELD = 6  # HELLO came; the caller answers
FOLLOWING = 7
AWAITING = 8  # a snapshot must be sent before any entry
SNAPSHOT = 9
FOREIGN = 10  # told so; the offer must be sent
OFFERED = 11  # DIVERGED must come
DIVERGED = 12  # it came; `adopt` leads on

_READY = table_row(COMMON, (m.REPORTS, "_on_reports"), (m.RENEW, "_on_renew"))
_READY_CELLS = tuple(_READY.items())
_FEEDING = table_row(_READY_CELLS, (m.APPLIED, "_on_applied"))
_GOODBYE = (m.GOODBYE, "_on_goodbye")

# state: {message type: handler}. What is not here is "unexpected_message".
HUB_TABLE = {
    WAITING: table_row(
        (),
        (m.HELLO, "_on_hello"),
        (m.RENEW, "_on_renew_only"),
        (m.JOIN_CA_REQUEST, "_on_join_ca_request"),
        (m.JOIN, "_on_join"),
        _GOODBYE,
    ),
    CA_GIVEN: table_row((), (m.JOIN, "_on_join"), _GOODBYE),
    JOINING: table_row((), _GOODBYE),
    RENEWING: table_row((), _GOODBYE),
    LEAVING: table_row((), _GOODBYE),
    HELD: table_row((), _GOODBYE),
    FOLLOWING: _FEEDING,
    AWAITING: _READY,
    SNAPSHOT: _FEEDING,
    FOREIGN: _READY,
    OFFERED: table_row(_READY_CELLS, (m.DIVERGED, "_on_diverged")),
    DIVERGED: _READY,
}

# In which states the caller may act, and the state after it (None: unchanged).
ACTION_TABLE: "dict[str, dict[int, int | None]]" = {
    "welcome": {HELD: None},
    "send_entry": {FOLLOWING: FOLLOWING},
    "snapshot_begin": {FOLLOWING: SNAPSHOT, AWAITING: SNAPSHOT},
    "snapshot_entry": {SNAPSHOT: SNAPSHOT},
    "snapshot_end": {SNAPSHOT: FOLLOWING},
    "snapshot_offer": {FOREIGN: OFFERED},
    "adopt": {DIVERGED: AWAITING},
    "join_ca": {CA_GIVEN: CA_GIVEN},
    "joined": {JOINING: LEAVING},
}

BATCHES_MAX = 64  # kept apart until they are acknowledged; further ones of the same journal are added to the last

_MODE_STATES = {m.MODE_DELTA: FOLLOWING, m.MODE_SNAPSHOT: AWAITING, m.MODE_DIVERGED: FOREIGN}


class HubSession(Session):
    """One connection of a node, or of one that wants to join."""

    table = HUB_TABLE
    handshake_states = (WAITING, CA_GIVEN, JOINING, RENEWING, LEAVING, HELD)
    parity = 0
    purposes = (m.PURPOSE_ARTIFACT,)

    def __init__(self, limits: Limits, now_ms: int) -> None:
        if limits.frame_bytes_max < m.FRAME_BYTES_MAX_DEFAULT:
            raise MisuseError("a hub takes frames of %d bytes at least" % m.FRAME_BYTES_MAX_DEFAULT)
        Session.__init__(self, WAITING, limits, m.FRAME_BYTES_MAX_DEFAULT, now_ms)
        self._hello: dict[int, Any] = {}
        self._epoch = b""
        self._revision = 0  # the last entry that was sent, or that the node held
        self._applied = 0
        self._snapshot_left = 0
        self._renewals = 0  # requests that wait for `renewed`
        # By lane: the last position that came, and the batches that wait for `acknowledge` with their bytes of
        # credit.
        self._position: list[tuple[bytes, int, int] | None] = [None, None]
        self._batches: list[list[tuple[tuple[bytes, int, int], int]]] = [[], []]

    # ---- actions: the welcome

    def welcome(self, welcome: "dict[int, Any]") -> None:
        """Answer HELLO. `welcome` has the keys WELCOME_*; version, frame bound and keepalive are filled in where
        they are absent."""
        if not self._act("welcome"):
            return
        message = dict(welcome)
        message[m.TYPE] = m.WELCOME
        message[m.WELCOME_MAJOR] = m.VERSION_MAJOR
        message[m.WELCOME_MINOR] = m.VERSION_MINOR
        message[m.WELCOME_FRAME_BYTES_MAX] = self.limits.frame_bytes_max
        message.setdefault(m.WELCOME_KEEPALIVE_REST_MS, KEEPALIVE_REST_MS)
        message.setdefault(m.WELCOME_KEEPALIVE_BUSY_MS, KEEPALIVE_BUSY_MS)
        message.setdefault(m.WELCOME_STORED, [])
        if message.get(m.WELCOME_NEW_JOURNAL):
            message[m.WELCOME_STORED] = []  # it tells of the original's reports; the copy would drop its own for them
        self._put_control(message)
        self._epoch = message[m.WELCOME_EPOCH]
        self._keepalive.rest_ms = message[m.WELCOME_KEEPALIVE_REST_MS]
        self._keepalive.busy_ms = message[m.WELCOME_KEEPALIVE_BUSY_MS]
        self._reader.frame_bytes_max = self.limits.frame_bytes_max
        self._outgoing.grant(m.STREAM_STATE, WINDOW_FRAMES * self._peer_frame_bytes_max)
        for stream in (m.STREAM_STATE, m.STREAM_TELEMETRY):
            self._open_lane_window(stream)
        self.state = _MODE_STATES[message[m.WELCOME_MODE]]

    # ---- actions: desired state

    def entry_room(self) -> int:
        """The largest message that the node takes; `edgelite_protocol.message.encode_entry` tells an entry's."""
        return self._peer_frame_bytes_max

    def send_entry(self, revision: int, kind: int, key: str, value: "Any") -> None:
        """The next entry of the feed. `value` is a map, or bytes that are its CBOR; None where it was deleted."""
        if not self._act("send_entry"):
            return
        if revision != self._revision + 1:
            raise MisuseError("entry %d after %d" % (revision, self._revision))
        self._put(m.STREAM_STATE, encode_entry(revision, kind, key, value))
        self._revision = revision

    def snapshot_begin(self, epoch: bytes, revision: int, digest: bytes, count: int) -> None:
        if not self._act("snapshot_begin"):
            return
        if epoch != self._epoch:
            raise MisuseError("a snapshot of another epoch than the welcome's")
        message: dict[int, object] = {m.TYPE: m.SNAPSHOT_BEGIN, 1: epoch, 2: revision, 3: digest, 4: count}
        self._put(m.STREAM_STATE, encode_message(message))
        self._revision = revision
        self._applied = min(self._applied, revision)
        self._snapshot_left = count

    def snapshot_entry(self, kind: int, key: str, value: "Any") -> None:
        """`value` is a map, or bytes that are its CBOR."""
        if not self._act("snapshot_entry"):
            return
        if not self._snapshot_left:
            raise MisuseError("more entries than announced")
        self._put(m.STREAM_STATE, encode_snapshot_entry(kind, key, value))
        self._snapshot_left -= 1

    def snapshot_end(self, revision: int) -> None:
        if not self._act("snapshot_end"):
            return
        if self._snapshot_left or revision != self._revision:
            raise MisuseError("the snapshot is not whole")
        self._put(m.STREAM_STATE, encode_message({m.TYPE: m.SNAPSHOT_END, 1: revision}))

    def snapshot_offer(self, epoch: bytes, revision: int) -> None:
        """Tell a node of another history what there is; `Diverged` answers."""
        if not self._act("snapshot_offer"):
            return
        self._put_control({m.TYPE: m.SNAPSHOT_OFFER, 1: epoch, 2: revision})

    def adopt(self, epoch: bytes) -> None:
        """A person decided; the snapshot follows."""
        if not self._act("adopt"):
            return
        self._put_control({m.TYPE: m.ADOPT, 1: epoch})

    # ---- actions: the rest

    def acknowledge(self, lane: int, generation: int, sequence: int, journal: "bytes | None" = None) -> None:
        """All reports of the lane up to here are durable. `journal` is that of the Reports event. The credit of
        what it covers goes back to the node, so the store's pace is the node's."""
        if self.state == ENDED:
            return
        own = self._hello[m.HELLO_JOURNAL_ID]
        position = (own if journal is None else journal, generation, sequence)
        batches = self._batches[lane]
        covered = 0
        for index in range(len(batches)):
            if batches[index][0][0] == position[0] and batches[index][0] <= position:
                covered = index + 1
        for _, size_bytes in batches[:covered]:
            self._windows[m.STREAM_STATE + lane].consumed(size_bytes)
        self._batches[lane] = batches[covered:]
        message: dict[int, object] = {m.TYPE: m.ACKNOWLEDGE, 1: lane, 2: generation, 3: sequence}
        if position[0] != own:
            message[4] = position[0]
        self._put_control(message)

    def artifact_data(self, stream: int, data: bytes) -> None:
        """Send at most `can_send_bulk(stream)` bytes of what ArtifactRequest asked for."""
        self._send_bulk(stream, data)

    def open_log(self, uid: str, container: str, tail_lines: int, follow: bool, previous: bool, since_ms: int) -> int:
        """Ask for a container's output; the stream's number. Ask `can_open_stream` first."""
        if not self.can_open_stream():
            raise MisuseError("no stream may be opened now")
        parameters: dict[int, object] = {1: uid, 2: container, 3: tail_lines, 4: follow, 5: previous, 6: since_ms}
        return self._open_stream(m.PURPOSE_LOG, parameters).number

    def renewed(self, certificate: bytes) -> None:
        if self.state == ENDED:
            return
        if not self._renewals:
            raise MisuseError("nobody asked for a certificate")
        self._renewals -= 1
        self._put_control({m.TYPE: m.RENEWED, 1: certificate})
        if self.state == RENEWING:
            self.state = LEAVING

    def join_ca(self, ca: bytes) -> None:
        """The CA's certificate (DER), over a connection whose certificate nobody has checked yet."""
        if not self._act("join_ca"):
            return
        self._put_control({m.TYPE: m.JOIN_CA, 1: ca})

    def joined(self, certificate: bytes, ca: bytes, node: str) -> None:
        if not self._act("joined"):
            return
        self._put_control({m.TYPE: m.JOINED, 1: certificate, 2: ca, 3: node})

    def _act(self, action: str) -> bool:
        """Whether the action counts: not on an ended session; MisuseError in a state that does not allow it."""
        if self.state == ENDED:
            return False
        states = ACTION_TABLE[action]
        if self.state not in states:
            raise MisuseError("%s in state %d" % (action, self.state))
        following = states[self.state]
        if following is not None:
            self.state = following
        return True

    def _answer_owed(self) -> bool:
        if self.state == OFFERED or (self._applied < self._revision and self.state == FOLLOWING):
            return True
        return any(stream.state == CLOSING for stream in self._streams.all())

    # ---- handlers

    def _on_hello(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> object:
        if message[m.HELLO_MAJOR] != m.VERSION_MAJOR:
            raise ProtocolError("unsupported_version", "major %d; this hub serves 1" % message[m.HELLO_MAJOR])
        self.state = HELD
        self._hello = message
        self._peer_frame_bytes_max = message[m.HELLO_FRAME_BYTES_MAX]
        self._revision = self._applied = message[m.HELLO_REVISION]
        return Hello(message)

    def _on_renew_only(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> object:
        self.state = RENEWING
        self._renewals = 1
        return RenewRequest()

    def _on_renew(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> object:
        if self._renewals:
            raise ProtocolError("unexpected_message", "renew before the answer to the one before")
        self._renewals = 1
        return RenewRequest()

    def _on_join_ca_request(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> object:
        self.state = CA_GIVEN
        return JoinCaRequest()

    def _on_join(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> object:
        self.state = JOINING
        return JoinRequest(message[1], message[2], message[3])

    def _on_applied(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> object:
        if message[1] != self._epoch:
            raise ProtocolError("foreign_epoch", "applied under another epoch")
        if not self._applied <= message[2] <= self._revision:
            raise ProtocolError(
                "out_of_order", "applied %d, not within %d to %d" % (message[2], self._applied, self._revision)
            )
        self._applied = message[2]
        return Applied(message[1], message[2], message[3])

    def _on_reports(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> object:
        lane, generation = message[1], message[2]
        own = self._hello[m.HELLO_JOURNAL_ID]
        journal = message.get(4, own)
        if journal == own and generation > self._hello[m.HELLO_GENERATION]:
            raise ProtocolError("out_of_order", "generation %d is after the hello's" % generation)
        first = (journal, generation, message[3][0][0])
        last = (journal, generation, message[3][-1][0])
        before = self._position[lane]
        if before is not None and before[0] == journal and first <= before:
            raise ProtocolError("out_of_order", "lane %d: report %d comes again" % (lane, first[2]))
        self._position[lane] = last
        self._note_batch(lane, last, len(payload))
        items = [(item[0], item[1]) for item in message[3] if item[1][m.REPORT] in REPORT_TABLES]
        return Reports(lane, generation, items, journal, last[2])

    def _note_batch(self, lane: int, last: "tuple[bytes, int, int]", size_bytes: int) -> None:
        batches = self._batches[lane]
        if len(batches) >= BATCHES_MAX and batches[-1][0][0] == last[0]:
            size_bytes += batches.pop()[1]
        batches.append((last, size_bytes))

    def _on_diverged(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> object:
        if message[3] != self._epoch:
            raise ProtocolError("foreign_epoch", "another epoch than the one offered")
        self.state = DIVERGED
        return Diverged(message[1], message[2], message[3])

    def _opened(self, bulk: Stream, parameters: "dict[Any, Any]") -> object:
        bulk.digest = parameters[1]
        bulk.offset = parameters[2]
        return ArtifactRequest(bulk.number, bulk.digest, bulk.offset)

    def _data(self, bulk: Stream, data: bytes) -> object:
        return LogData(bulk.number, data)
