"""Receive windows, and the bulk streams that come and go (SPEC.md, "Streams").

A bulk stream is opened by the end that wants the data. Both ends close it: its state is a table.

              DATA       CREDIT     CLOSE
    OPEN      deliver    grant      answer with CLOSE, tell the caller, forget
    CLOSING   discard    ignore     forget

CLOSING: this end has sent CLOSE and waits for the peer's, so that the id is free at both ends when it is used
again.
"""

from edgelite_protocol.errors import MisuseError, ProtocolError
from edgelite_protocol.limits import STREAMS_MAX
from edgelite_protocol.messages import STREAM_FIRST_DYNAMIC

OPEN = 0
CLOSING = 1

DELIVER = 0
GRANT = 1
ANSWER = 2
IGNORE = 3
FORGET = 4

# state: (on DATA, on CREDIT, on CLOSE)
STREAM_TABLE = {OPEN: (DELIVER, GRANT, ANSWER), CLOSING: (IGNORE, IGNORE, FORGET)}
ON_DATA = 0
ON_CREDIT = 1
ON_CLOSE = 2


class Window:
    """What the peer may still send on a stream, in bytes of payload."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.left_bytes = size_bytes
        self.owed_bytes = 0  # consumed, not yet granted again
        self.is_due = False  # half of the window is owed, so that credit costs few messages
        self.paused = False

    def spend(self, size_bytes: int, stream: int) -> None:
        """The peer sent so much; ProtocolError "flow_control" where it may not."""
        if size_bytes > self.left_bytes:
            raise ProtocolError(
                "flow_control", "stream %d: %d bytes, %d granted" % (stream, size_bytes, self.left_bytes)
            )
        self.left_bytes -= size_bytes

    def consumed(self, size_bytes: int) -> None:
        self.owed_bytes += size_bytes
        self.is_due = self.owed_bytes * 2 >= self.size_bytes

    def take_credit(self) -> int:
        """Bytes to grant now; 0 where that is not due yet."""
        if self.paused or not self.is_due:
            return 0
        granted = self.owed_bytes
        self.left_bytes += granted
        self.owed_bytes = 0
        self.is_due = False
        return granted


class Stream:
    """A bulk stream. `window` is there where this end receives the data (it opened the stream)."""

    def __init__(self, number: int, purpose: int, window: "Window | None") -> None:
        self.number = number
        self.purpose = purpose
        self.window = window
        self.state = OPEN
        self.digest = b""  # of the artifact it carries
        self.offset = 0  # of the next byte of that artifact

    def on(self, column: int) -> int:
        """What the table says for ON_DATA, ON_CREDIT or ON_CLOSE in this state."""
        return STREAM_TABLE[self.state][column]


class Streams:
    """The bulk streams of one session. This end opens `parity` (1 odd: the node; 0 even: the hub) ids."""

    def __init__(self, parity: int) -> None:
        self._streams: dict[int, Stream] = {}
        self._parity = parity
        self._next = STREAM_FIRST_DYNAMIC + parity

    def open_own(self, purpose: int, window: Window) -> Stream:
        if self._count(self._parity) >= STREAMS_MAX:
            raise MisuseError("%d bulk streams are open already" % STREAMS_MAX)
        while self._next in self._streams:
            self._advance()
        stream = Stream(self._next, purpose, window)
        self._streams[stream.number] = stream
        self._advance()
        return stream

    def can_open(self) -> bool:
        return self._count(self._parity) < STREAMS_MAX

    def accept(self, number: int, purpose: int) -> Stream:
        """The peer opens one; ProtocolError "invalid_stream" or "too_many_streams"."""
        if number % 2 == self._parity or number in self._streams:
            raise ProtocolError("invalid_stream", "OPEN of stream %d" % number)
        if self._count(1 - self._parity) >= STREAMS_MAX:
            raise ProtocolError("too_many_streams", "more than %d" % STREAMS_MAX)
        stream = Stream(number, purpose, None)
        self._streams[number] = stream
        return stream

    def find(self, number: int) -> "Stream | None":
        return self._streams.get(number)

    def get(self, number: int) -> Stream:
        """ProtocolError "unknown_stream" where the peer means one that is not there."""
        stream = self._streams.get(number)
        if stream is None:
            raise ProtocolError("unknown_stream", "stream %d" % number)
        return stream

    def forget(self, number: int) -> None:
        self._streams.pop(number, None)

    def is_any(self) -> bool:
        return bool(self._streams)

    def all(self) -> "list[Stream]":
        return list(self._streams.values())

    def _count(self, parity: int) -> int:
        return sum(1 for number in self._streams if number % 2 == parity)

    def _advance(self) -> None:
        self._next += 2
        if self._next > 255:
            self._next = STREAM_FIRST_DYNAMIC + self._parity
