"""ASCII framing (Modbus over Serial Line V1.02, section 2.5.2).

":" | hexadecimal of unit 1, PDU, LRC 1 | CR LF
"""

from binascii import hexlify, unhexlify

from edgelite_drivers.modbus.echo import Echo
from edgelite_drivers.modbus.framing import Framing

LINE_BYTES_MAX = 513  # section 2.5.2.1
BUFFER_BYTES_MAX = 2 * LINE_BYTES_MAX
BITS_PER_CHARACTER = 10  # section 2.5.2
_END = b"\r\n"


def seal(unit: int, pdu: bytes) -> bytes:
    """The line, of a request or an answer."""
    frame = bytes([unit]) + pdu
    return b":" + hexlify(frame + bytes([-sum(frame) & 0xFF])).upper() + _END


def unseal(line: bytes) -> bytes:
    """Unit and PDU of a line without its ":" and its end; b"" where it is none, or its LRC does not hold."""
    try:
        frame = unhexlify(line)
    except ValueError:
        return b""
    return frame[:-1] if len(frame) >= 3 and sum(frame) & 0xFF == 0 else b""


class AsciiFraming(Framing):
    """`baud` 0: not on a line of our own."""

    can_broadcast = True

    def __init__(self, baud: int = 0, echo: str = "auto", idle_ms: "int | None" = None) -> None:
        self.idle_ms = idle_ms or 0  # lines have a begin and an end: no silence is needed
        self.is_line = baud > 0
        self._baud = baud
        self._echo = Echo(echo)
        self._buffer = b""
        self._frame = b""  # unit and PDU of the request, b"" while nothing is awaited
        self._has_noise = False

    def encode(self, unit: int, pdu: bytes) -> bytes:
        self._frame = bytes([unit]) + pdu
        self._buffer = b""
        self._has_noise = False
        self._echo.asked(pdu)
        return seal(unit, pdu)

    def feed(self, data: "bytes | memoryview") -> None:
        self._buffer += bytes(data)
        if len(self._buffer) > BUFFER_BYTES_MAX:
            self._buffer = self._buffer[-BUFFER_BYTES_MAX:]

    def next_answer(self) -> "bytes | None":
        if not self._frame:
            return None
        end = self._buffer.find(_END)
        while end >= 0:
            begin = self._buffer.rfind(b":", 0, end)
            line = self._buffer[begin + 1 : end] if begin >= 0 else b""
            self._buffer = self._buffer[end + 2 :]
            frame = unseal(line)
            if frame == self._frame and self._echo.is_due():
                self._echo.came()
            elif self._is_due(frame):
                self._echo.answered()
                self._frame = b""
                return frame[1:]
            else:
                self._has_noise = True
                self.foreign_answers += 1
            end = self._buffer.find(_END)
        return None

    def expire(self) -> "bytes | None":
        self._frame = b""
        return None

    def has_noise(self) -> bool:
        return self._has_noise or self._buffer != b""

    def wire_ms(self, request: bytes) -> int:
        """With the longest answer that a read can have: here only the line's own speed is known to be slow."""
        if not self._baud:
            return 0
        return (2 * len(request) + 7 + LINE_BYTES_MAX) * BITS_PER_CHARACTER * 1000 // self._baud + 1

    def reset(self) -> None:
        self._buffer = b""
        self._frame = b""

    def _is_due(self, frame: bytes) -> bool:
        return len(frame) >= 2 and frame[0] == self._frame[0] and frame[1] & 0x7F == self._frame[1]
