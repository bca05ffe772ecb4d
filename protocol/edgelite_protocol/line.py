"""One end of a connection on a serial line (SPEC.md, section 17): messages in order and once, over a line that loses,
changes and invents bytes.

Stop and wait: one DATA packet is under way in each direction, sent again until it is acknowledged. Every packet
carries an acknowledgement, so an answer costs no packet of its own. No I/O and no clock: feed packets with `receive`,
call `step` at its deadline and after every call, send the packets that `next_packet` gives.

How a connection ends, each with its words in `ended`:

1. the peer closes it: the peer's words
2. a packet was sent TRIES_MAX times and not acknowledged: "nothing answers on the line"
3. `close`: CLOSE is sent once behind what waits, "closed"
"""

from edgelite_protocol.cobs import encode_packet
from edgelite_protocol.errors import MisuseError

# Kinds of packets
OPEN = 1
OPENED = 2
DATA = 3
ACKNOWLEDGE = 4
CLOSE = 5
BUSY = 0x80  # set in the kind: send no message until a packet comes without it

HEADER_BYTES = 6
MESSAGE_BYTES_MAX = 240
PACKET_BYTES_MAX = HEADER_BYTES + MESSAGE_BYTES_MAX
LINE_BYTES_MAX = PACKET_BYTES_MAX + 4 + 1 + 2  # CRC, COBS (one block: under 254), the zeros
REASON_BYTES_MAX = 80
VERSION = 1

# States
OPENING = 0  # OPEN is sent, OPENED awaited: the node's end alone
ESTABLISHED = 1
FINISHING = 2  # `close` was called: what waits still goes, at most FINISH_MS
ENDED = 3

# What a packet does: rows are states, columns kinds.
# fmt: off
#             OPEN       OPENED         DATA      ACK            CLOSE
TABLE = (
    ("ignore",  "established", "ignore", "ignore",      "end"),     # OPENING
    ("opened",  "ignore",      "data",   "acknowledge", "end"),     # ESTABLISHED
    ("ignore",  "ignore",      "data",   "acknowledge", "end"),     # FINISHING
    ("ignore",  "ignore",      "ignore", "ignore",      "ignore"),  # ENDED
)
# fmt: on

TRIES_MAX = 8  # with one of five packets lost each way, one of 300,000 connections' packets ends it
BACKOFF_MAX = 4  # times the first timeout
TURNAROUND_MS = 100  # for the other end's loop, and the flash of a microcontroller
KEEPALIVE_MS = 10_000
PROBE_MS = 1_000  # while the peer is busy: the packet that says otherwise may have been lost
FINISH_MS = 2_000
QUEUE_MAX = 2  # messages that wait to be sent, and that wait to be taken before the peer is told to wait
PACKETS_MAX = 3  # encoded and not yet taken by the port
_BITS = 10  # of a byte on the line: start, eight, stop


def timeout_ms(baud: int) -> int:
    """Until a packet counts as lost: it, and the packet that the peer may just have begun, and the answer."""
    return TURNAROUND_MS + 3 * LINE_BYTES_MAX * _BITS * 1000 // baud


def encode_close(address: int, incarnation: int, reason: str) -> bytes:
    """The answer to a packet of a connection that is not there: its end must not wait for its own timeouts."""
    head = bytes([address, CLOSE, incarnation >> 8, incarnation & 0xFF, 0, 0])
    return encode_packet(head + reason.encode()[:REASON_BYTES_MAX])


def decode(packet: bytes) -> "tuple[int, int, int, int, int, bytes] | None":
    """(address, kind with BUSY, incarnation, sequence, acknowledged, data); None for what is none of ours."""
    if len(packet) < HEADER_BYTES or not OPEN <= packet[1] & ~BUSY <= CLOSE or packet[0] == 0:
        return None
    return packet[0], packet[1], packet[2] << 8 | packet[3], packet[4], packet[5], packet[HEADER_BYTES:]


class LineEnd:
    """`opens` is True at the node. `incarnation` (16 bits) tells connections of one address apart; a node never takes
    the one that it took before."""

    def __init__(self, opens: bool, address: int, incarnation: int, baud: int, now_ms: int) -> None:
        self.address = address
        self.incarnation = incarnation
        self.state = OPENING if opens else ESTABLISHED
        self.ended = ""  # why, for a person
        self.resent_count = 0
        self._timeout_ms = timeout_ms(baud)
        self._sequence = 0  # of the DATA packet last sent
        self._unacknowledged: bytes | None = b"" if opens else None  # data of the packet under way; of OPEN none
        self._tries = 0
        self._due_ms = now_ms
        self._waiting: list[bytes] = []
        self._arrived: list[bytes] = []
        self._received = 0  # the peer's last sequence number
        self._answer: int | None = None if opens else OPENED  # OPENED or ACKNOWLEDGE: what is owed
        self._heard_ms = now_ms
        self._peer_busy = False
        self._told_busy = False
        self._finish_ms = 0
        self._reason = ""  # of `close`, for the peer
        self._packets: list[bytes] = []

    # ---- messages

    def can_send(self) -> bool:
        return self.state == ESTABLISHED and len(self._waiting) < QUEUE_MAX

    def send(self, message: bytes) -> None:
        if not self.can_send() or not 0 < len(message) <= MESSAGE_BYTES_MAX:
            raise MisuseError("ask before sending; a message has 1 to 240 bytes")
        self._waiting.append(message)

    def next_message(self) -> "bytes | None":
        """In order, each once."""
        return self._arrived.pop(0) if self._arrived else None

    def close(self, reason: str, now_ms: int) -> None:
        """End it behind what waits; `reason` is told to the peer."""
        if self.state in (OPENING, ESTABLISHED):
            self._reason = reason
            self._finish_ms = now_ms + (FINISH_MS if self.state == ESTABLISHED else 0)
            self.state = FINISHING

    @property
    def is_idle(self) -> bool:
        """All that was sent has been acknowledged."""
        return self._unacknowledged is None and not self._waiting

    # ---- packets

    def receive(self, kind: int, incarnation: int, sequence: int, acknowledged: int, data: bytes, now_ms: int) -> None:
        """A packet for this address. One of another incarnation is none of this connection's."""
        if incarnation != self.incarnation:
            return
        self._heard_ms = now_ms
        self._peer_busy = bool(kind & BUSY)
        getattr(self, "_on_" + TABLE[self.state][(kind & ~BUSY) - OPEN])(sequence, acknowledged, data, now_ms)

    def next_packet(self) -> "bytes | None":
        """The next packet for the line, encoded."""
        return self._packets.pop(0) if self._packets else None

    def step(self, now_ms: int) -> "int | None":
        """Let time pass and make the packets that are due; the next deadline, None once ended."""
        if self.state == ENDED:
            return None
        if self._answer == OPENED:
            self._emit(OPENED, b"")  # first: before it, the peer takes nothing else
        if self.state == FINISHING and (self.is_idle or now_ms >= self._finish_ms):
            self._emit(CLOSE, self._reason.encode()[:REASON_BYTES_MAX])
            self._end("closed")
        elif self._unacknowledged is None:
            self._send_next(now_ms)
        elif now_ms >= self._due_ms:
            self._send_again(now_ms)
        if self.state == ENDED:
            return None
        if self._answer is not None or self._told_busy != self._is_busy():
            self._emit(ACKNOWLEDGE, b"")
        return self._deadline_ms(now_ms)

    # ---- inside

    def _is_busy(self) -> bool:
        return len(self._arrived) >= QUEUE_MAX

    def _deadline_ms(self, now_ms: int) -> int:
        deadline_ms = self._due_ms if self._unacknowledged is not None else self._heard_ms + self._quiet_ms()
        return min(deadline_ms, self._finish_ms) if self.state == FINISHING else deadline_ms

    def _quiet_ms(self) -> int:
        return PROBE_MS if self._peer_busy and self._waiting else KEEPALIVE_MS

    def _send_again(self, now_ms: int) -> None:
        self._tries += 1
        if self._tries > TRIES_MAX:
            self._end("nothing answers on the line")
            return
        if self._tries > 1:
            self.resent_count += 1
        self._due_ms = now_ms + self._timeout_ms * min(1 << self._tries - 1, BACKOFF_MAX)
        if not self._packets:  # else the port has not even taken the last one
            opening = self.state == OPENING
            self._emit(OPEN if opening else DATA, bytes([VERSION]) if opening else self._unacknowledged or b"")

    def _send_next(self, now_ms: int) -> None:
        """The next message; with none, a sign of life where the line has been silent."""
        if self._waiting and not self._peer_busy:
            self._begin(self._waiting.pop(0), now_ms)
        elif now_ms >= self._heard_ms + self._quiet_ms():
            self._begin(b"", now_ms)

    def _begin(self, data: bytes, now_ms: int) -> None:
        self._sequence = (self._sequence + 1) & 0xFF
        self._unacknowledged = data
        self._tries = 0
        self._send_again(now_ms)

    def _emit(self, kind: int, data: bytes) -> None:
        self._answer = None
        self._told_busy = self._is_busy()
        if len(self._packets) >= PACKETS_MAX:
            return  # the port takes nothing: what counts is sent again
        head = bytearray(HEADER_BYTES)
        head[0] = self.address
        head[1] = kind | (BUSY if self._told_busy else 0)
        head[2] = self.incarnation >> 8
        head[3] = self.incarnation & 0xFF
        head[4] = self._sequence
        head[5] = self._received
        self._packets.append(encode_packet(bytes(head) + data))

    def _end(self, reason: str) -> None:
        self.state = ENDED
        self.ended = reason
        self._waiting = []

    # ---- what a packet does

    def _on_ignore(self, sequence: int, acknowledged: int, data: bytes, now_ms: int) -> None:
        pass

    def _on_opened(self, sequence: int, acknowledged: int, data: bytes, now_ms: int) -> None:
        """OPEN came again: our answer was lost."""
        self._answer = OPENED

    def _on_established(self, sequence: int, acknowledged: int, data: bytes, now_ms: int) -> None:
        self.state = ESTABLISHED
        self._unacknowledged = None

    def _on_data(self, sequence: int, acknowledged: int, data: bytes, now_ms: int) -> None:
        self._on_acknowledge(sequence, acknowledged, data, now_ms)
        if sequence == (self._received + 1) & 0xFF:
            if len(self._arrived) > QUEUE_MAX:
                return  # it was told to wait: let it send this one again
            self._received = sequence
            if data:
                self._arrived.append(data)
        self._answer = ACKNOWLEDGE

    def _on_acknowledge(self, sequence: int, acknowledged: int, data: bytes, now_ms: int) -> None:
        if acknowledged == self._sequence:
            self._unacknowledged = None

    def _on_end(self, sequence: int, acknowledged: int, data: bytes, now_ms: int) -> None:
        try:
            text = data.decode()
        except UnicodeError:
            text = "closed by the other end"
        self._end(text or "closed by the other end")
