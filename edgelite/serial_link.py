"""The link over a serial line: what lies between a port's UART and `Link`.

    Link's session bytes <-> OSCORE (edgelite_protocol.oscore.ends) <-> line (edgelite_protocol.line) <-> the port

`Link` opens and closes it as it would have the port do with a TLS connection, and hears `opened`, `received` and
`closed` as from one.
"""

from edgelite.effects import Channel, Close, Open
from edgelite_protocol import line
from edgelite_protocol.cobs import PacketReader
from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.oscore.ends import PIECE_BYTES_MAX, RANDOM_BYTES, NodeEnd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edgelite.config import SerialSettings
    from edgelite.counters import Counters
    from edgelite_protocol.oscore.context import Keys

# States
CLOSED = 0
RESERVING = 1  # until the session's number is durable
OPENING = 2  # the port opens the UART
CONNECTING = 3  # on the line, then with the hub
CARRYING = 4  # the session's bytes go to and fro
FINISHING = 5  # Link wants it closed: what it has said still goes
CLOSING = 6  # the port closes the UART
ABANDONED = 7  # closed before the port heard of it

_FRAME_BYTES_LEAST = 2048
_FRAME_PARTS = (16, 100)  # of the baud rate: the bytes of two seconds, less what the layers below add
_RETRY_MS = 1_000  # while no number can be reserved
_RESERVE_MS = 20_000  # a card that stalls takes seconds; longer, and it fails
NO_NUMBER = "no session may begin while the journal cannot be written: a number of it might come twice"


def frame_bytes_max(baud: int, size_bytes_max: int) -> int:
    """The largest frame to take over a line: one in two seconds, since nothing overtakes a frame that has begun, and a
    peer that owes an answer is waited for 15 s."""
    over, parts = _FRAME_PARTS
    return min(size_bytes_max, max(_FRAME_BYTES_LEAST, baud * over // parts))


class SerialLink(Channel):
    """`upper` is the channel that hears of it. One connection at a time."""

    def __init__(
        self,
        settings: "SerialSettings",
        keys: "Keys",
        counters: "Counters",
        emit: "Callable[[object], None]",
        random_bytes: "Callable[[int], bytes]",
    ) -> None:
        self.upper: Channel | None = None
        self.state = CLOSED
        self._settings = settings
        self._keys = keys
        self._counters = counters
        self._emit = emit
        self._random_bytes = random_bytes
        self._counter = 0
        self._give_up_ms = 0  # reserving it
        self._reason = ""
        self._reader = PacketReader(line.PACKET_BYTES_MAX)
        self._line: line.LineEnd | None = None
        self._end: NodeEnd | None = None
        self._has_begun = False
        self._unsent = b""

    # ---- what Link calls

    def open(self, now_ms: int) -> None:
        self._reason = ""
        self.state = RESERVING
        self._give_up_ms = now_ms + _RESERVE_MS
        self._reserve()

    def close(self, now_ms: int) -> None:
        """`upper.closed` follows, when what it has to say has been said or nobody took it in time."""
        if self.state == RESERVING:
            self.state = ABANDONED
        elif self.state == CARRYING:
            self.state = FINISHING
        elif self.state in (OPENING, CONNECTING):
            self._fail("closed")

    def step(self, now_ms: int) -> "int | None":
        """After Link's own step; the next deadline."""
        if self.state == RESERVING:
            self._reserve()
            if self.state == RESERVING and now_ms >= self._give_up_ms:
                self.closed(NO_NUMBER, now_ms)
            return now_ms + _RETRY_MS if self.state == RESERVING else None
        if self.state == ABANDONED:
            self.closed("closed", now_ms)
        end = self._line
        if end is None or self.state not in (CONNECTING, CARRYING, FINISHING):
            return None
        self._fill(end, now_ms)
        deadline_ms = end.step(now_ms)
        if end.state == line.ENDED:
            self._fail(end.ended)
        return deadline_ms

    # ---- Channel: the port's side

    def opened(self, now_ms: int) -> None:
        self.state = CONNECTING
        self._has_begun = False
        self._unsent = b""
        self._reader = PacketReader(line.PACKET_BYTES_MAX)
        self._end = NodeEnd(self._keys, self._counter, self._random_bytes(RANDOM_BYTES))
        self._line = line.LineEnd(True, self._settings.address, self._counter & 0xFFFF, self._settings.baud, now_ms)

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        self._reader.feed(data)
        packet = self._reader.next_packet()
        while packet is not None:
            self._take_packet(packet, now_ms)
            packet = self._reader.next_packet()

    def data_to_send(self, size_bytes_max: int) -> bytes:
        if not self._unsent and self._line is not None:
            self._unsent = self._line.next_packet() or b""
        piece = self._unsent[:size_bytes_max]
        self._unsent = self._unsent[size_bytes_max:]
        return piece

    def closed(self, reason: str, now_ms: int) -> None:
        self.state = CLOSED
        self._line = None
        self._end = None
        self._unsent = b""
        if self.upper is not None:
            self.upper.closed(self._reason or reason, now_ms)

    # ---- inside

    def _reserve(self) -> None:
        counter = self._counters.take()
        if counter is not None:
            self._counter = counter
            self.state = OPENING
            self._emit(Open(self, ("serial", self._settings.path, {"baud": self._settings.baud})))

    def _fail(self, reason: str) -> None:
        if self.state != CLOSING:
            self.state = CLOSING
            self._reason = reason
            self._emit(Close(self))

    def _take_packet(self, packet: bytes, now_ms: int) -> None:
        parts = line.decode(packet)
        if self._line is None or parts is None or parts[0] != self._settings.address:
            return
        self._line.receive(parts[1], parts[2], parts[3], parts[4], parts[5], now_ms)
        message = self._line.next_message()
        if message is None or self._end is None or self.upper is None or self.state in (FINISHING, CLOSING):
            return
        try:
            piece = self._end.receive(message)
        except ProtocolError as error:
            self._fail(error.code + ": " + error.text)
            return
        if self.state == CONNECTING:
            self.state = CARRYING
            self.upper.opened(now_ms)
        elif piece:
            self.upper.received(piece, now_ms)

    def _fill(self, end: line.LineEnd, now_ms: int) -> None:
        """Give the line what there is to say, as far as it takes more."""
        if self._end is None or self.upper is None:
            return
        if self.state == CONNECTING and not self._has_begun and end.can_send():
            self._has_begun = True
            end.send(self._end.begin)
        while self.state in (CARRYING, FINISHING) and end.can_send():
            piece = self.upper.data_to_send(PIECE_BYTES_MAX)
            if not piece:
                break
            end.send(self._end.protect(piece))
        if self.state == FINISHING and end.can_send():
            end.close("closed", now_ms)
