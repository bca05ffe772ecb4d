"""The outbox: reports into the journal, and out of it to the hub.

A report is named by journal id, generation and sequence when it is appended, goes out only once it is synced, and
is dropped only when the hub has acknowledged it. A session starts sending behind what the hub says it has stored.
"""

from edgelite.storage import StorageFullError
from edgelite_protocol import cbor
from edgelite_protocol.errors import MisuseError
from edgelite_protocol.limits import REPORT_BYTES_MAX
from edgelite_protocol.messages import LANE_STATE, LANE_TELEMETRY, REPORT, REPORT_DAMAGE, REPORT_DROPPED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.journal import Journal
    from edgelite_protocol.node_session import NodeSession

LANES = (LANE_STATE, LANE_TELEMETRY)
BATCH_COUNT = 16  # reports of one message: some 16 * 60 bytes of telemetry fill a quarter of a frame
BATCH_BYTES = 3000  # of one message, unless a single report is larger: a control message waits for one of these
ITEM_OVERHEAD_BYTES = 10  # of a report in a message: its list's head and its sequence number
WAITING_MAX = 64  # reports of state that found no room on the medium; the oldest of more are forgotten
DAMAGE_TEXTS_MAX = 8  # of one recovery; the rest is counted
ROUNDS_MAX = 8  # messages of a lane in one step; the session's window is smaller


class Outbox:
    def __init__(self, journal: "Journal") -> None:
        self._journal = journal
        self._sent: dict[int, tuple[int, int] | None] = {}
        self._waiting: list[tuple[str | None, bytes]] = []  # (coalesce key, report) that found no room
        self._hello_journal_id = b""
        self._hold_position = 0  # nothing goes out before the journal is durable up to here

    def report(self, lane: int, body: "dict[int, object]", coalesce_key: "str | None") -> None:
        """Append one report. State is synced at the next step, telemetry with its group."""
        encoded = cbor.encode(body)
        if len(encoded) > REPORT_BYTES_MAX - ITEM_OVERHEAD_BYTES:
            raise MisuseError("a report of %d bytes" % len(encoded))
        if lane == LANE_STATE:
            self._waiting = [row for row in self._waiting if coalesce_key is None or row[0] != coalesce_key]
            self._waiting.append((coalesce_key, encoded))
            self._append_waiting()
        else:
            self._journal.append_report(lane, encoded, coalesce_key)

    def _append_waiting(self) -> None:
        """What of the state finds room in the journal. While the medium is full the newest of it waits in memory:
        nothing stops for want of room, and telemetry, which gives way by policy, never waits."""
        while self._waiting:
            key, encoded = self._waiting[0]
            try:
                self._journal.append_report(LANE_STATE, encoded, key)
            except StorageFullError:
                self._waiting = self._waiting[-WAITING_MAX:]
                return
            self._waiting.pop(0)
            self._journal.urgent()

    def report_damage(self, texts: "list[str]") -> None:
        """What recovery found, for the hub to show."""
        for text in texts[:DAMAGE_TEXTS_MAX]:
            self.report(LANE_STATE, {REPORT: REPORT_DAMAGE, 1: text}, None)
        if len(texts) > DAMAGE_TEXTS_MAX:
            more = "%d more places" % (len(texts) - DAMAGE_TEXTS_MAX)
            self.report(LANE_STATE, {REPORT: REPORT_DAMAGE, 1: more}, None)

    def step(self) -> None:
        """Try again what found no room; report, since the last call, what the quota made the journal drop and what
        damage was met in reading."""
        if self._waiting:
            self._append_waiting()
        for lane, count, first, last in self._journal.take_dropped():
            body: dict[int, object] = {REPORT: REPORT_DROPPED, 1: lane, 2: count, 3: packed(first), 4: packed(last)}
            self.report(LANE_STATE, body, None)
        damage = self._journal.take_damage()
        if damage:
            self.report_damage(damage)

    # ---- one session

    def begin(self, hello_journal_id: bytes) -> None:
        """A hub answered hello: send from the first row that it has not acknowledged."""
        self._sent = {}
        self._hello_journal_id = hello_journal_id
        self._hold_position = 0

    def rename(self) -> None:
        """The hub says that this journal is an older copy: see Journal.rename_generation."""
        self._hold_position = self._journal.rename_generation()

    def stored(self, positions: "list[list[int]]") -> None:
        """What the welcome says the hub has: as good as an acknowledgement."""
        for lane, generation, sequence in positions:
            self._journal.acknowledge(lane, generation, sequence)

    def send(self, session: "NodeSession") -> None:
        """As much as the session's window and queue take, state before telemetry."""
        if self._journal.durable_position < self._hold_position:
            return
        for lane in LANES:
            if not self._journal.has_reports(lane, self._sent.get(lane)):
                continue  # nearly always
            for _ in range(ROUNDS_MAX):
                if not (session.can_report(lane) and self._send_batch(session, lane)):
                    break

    def _send_batch(self, session: "NodeSession", lane: int) -> bool:
        """One message; False where nothing is left. Its rows are of one generation, hence of one journal id: rows
        of an older id come first, and those of the next one when the hub has acknowledged them."""
        rows = self._journal.reports(lane, self._sent.get(lane), BATCH_COUNT)
        if not rows:
            return False
        generation = rows[0][0][0]
        room_bytes = min(session.report_room(lane), BATCH_BYTES)
        items: list[tuple[int, bytes]] = []
        for (row_generation, sequence), body in rows:
            room_bytes -= len(body) + ITEM_OVERHEAD_BYTES
            if row_generation != generation or (items and room_bytes < 0):
                break
            items.append((sequence, body))
        journal_id = self._journal.reports_journal(lane)
        session.send_reports(lane, generation, items, None if journal_id == self._hello_journal_id else journal_id)
        self._sent[lane] = (generation, items[-1][0])
        return True


def packed(name: "tuple[int, int]") -> int:
    """A report's name as one number that keeps the order."""
    return (name[0] << 32) | name[1]
