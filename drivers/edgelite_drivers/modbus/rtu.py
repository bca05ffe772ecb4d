"""RTU framing, on serial lines and through TCP (Modbus over Serial Line V1.02, section 2.5.1).

    unit 1 | PDU | CRC 2, low byte first

Where a frame ends is not left to silence, which USB adapters and networks make and swallow at will: the length of the
answer follows from our own request, or from the answer's own first bytes, and the CRC must hold. So a pause within a
frame does not cut it, and bytes before and behind it do no harm: the answer is searched for by unit, function and CRC.

A begun frame that may still go on is waited for, and nothing behind it is looked at. It cannot hold up the real answer:
that is at least as long, so either the begun one gets its bytes and fails its CRC, or the timeout comes and `expire`
looks once more.
"""

from edgelite_drivers.modbus import pdu
from edgelite_drivers.modbus.echo import Echo
from edgelite_drivers.modbus.framing import Framing

FRAME_BYTES_MAX = 256  # section 2.5.1
BUFFER_BYTES_MAX = 2 * FRAME_BYTES_MAX  # an echo and an answer; a line that only babbles must not fill the memory
BITS_PER_CHARACTER = 11  # section 2.5.1: with parity, or two stop bits
FAST_BAUD = 19200  # above it the silences have fixed lengths, section 2.5.1.1
# By number: diagnosis.py is loaded by who asks for it.
READ_EXCEPTION_STATUS, DIAGNOSTICS, REPORT_SERVER_ID, ENCAPSULATED = 7, 8, 17, 43
_ANSWER_BYTES = {
    pdu.WRITE_SINGLE_COIL: 5,
    pdu.WRITE_SINGLE_REGISTER: 5,
    pdu.WRITE_MULTIPLE_COILS: 5,
    pdu.WRITE_MULTIPLE_REGISTERS: 5,
    pdu.MASK_WRITE_REGISTER: 7,
    READ_EXCEPTION_STATUS: 2,
}


def _crc_tables() -> "tuple[bytes, bytes]":
    low = bytearray(256)
    high = bytearray(256)
    for index in range(256):
        crc = index
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
        low[index] = crc & 255
        high[index] = crc >> 8
    return bytes(low), bytes(high)


_LOW, _HIGH = _crc_tables()


def crc16(data: "bytes | memoryview") -> bytes:
    """The two bytes as they stand in a frame (section 6.2.2); b"\\0\\0" over a frame that has its own at its end."""
    low = high = 0xFF
    for byte in data:
        index = low ^ byte
        low = high ^ _LOW[index]
        high = _HIGH[index]
    return bytes([low, high])


def seal(unit: int, pdu: bytes) -> bytes:
    """The frame, of a request or an answer."""
    frame = bytes([unit]) + pdu
    return frame + crc16(frame)


def idle_ms_of(baud: int) -> int:
    """The 3.5 characters of silence before a request, in whole milliseconds of a clock that shows no parts of one."""
    silence_us = 1750 if baud > FAST_BAUD else 3_500_000 * BITS_PER_CHARACTER // baud
    return silence_us // 1000 + 2


class RtuFraming(Framing):
    """`baud` 0: not on a line of our own (RTU over TCP), so there are no silences to keep."""

    can_broadcast = True

    def __init__(self, baud: int = 0, echo: str = "auto", idle_ms: "int | None" = None) -> None:
        self.idle_ms = (idle_ms_of(baud) if baud else 0) if idle_ms is None else idle_ms
        self.is_line = baud > 0
        self._baud = baud
        self._echo = Echo(echo)
        self._buffer = b""
        self._frame = b""  # of the request, b"" while nothing is awaited
        self._request = b""

    def encode(self, unit: int, pdu: bytes) -> bytes:
        self._frame = seal(unit, pdu)
        self._request = pdu
        self._buffer = b""
        self._echo.asked(pdu)
        return self._frame

    def feed(self, data: "bytes | memoryview") -> None:
        self._buffer += bytes(data)
        if len(self._buffer) > BUFFER_BYTES_MAX:
            self._buffer = self._buffer[-BUFFER_BYTES_MAX:]

    def next_answer(self) -> "bytes | None":
        return self._take(False)

    def expire(self) -> "bytes | None":
        answer = self._take(True)
        self._frame = b""
        return answer

    def has_noise(self) -> bool:
        return self._buffer != b""

    def wire_ms(self, request: bytes) -> int:
        if not self._baud:
            return 0
        count = 3 + len(request) + 3 + due_size(request)
        return count * BITS_PER_CHARACTER * 1000 // self._baud + 1

    def reset(self) -> None:
        self._buffer = b""
        self._frame = b""

    def _take(self, is_last: bool) -> "bytes | None":
        if not self._frame:
            return None
        if self._echo.is_due():
            place = self._buffer.find(self._frame)
            if place >= 0:
                self._echo.came()
                self._buffer = self._buffer[place + len(self._frame) :]
        answer = self._search(is_last)
        if answer is not None:
            self._echo.answered()
            self._buffer = b""
            self._frame = b""
        return answer

    def _search(self, is_last: bool) -> "bytes | None":
        buffer = self._buffer
        unit = self._frame[:1]
        place = buffer.find(unit)
        while place >= 0:
            size = answer_size(self._request, buffer[place + 1 :])
            end = place + size + 3
            if size == 0 or (end > len(buffer) and self._may_be_due(size)):
                if not is_last:
                    return None
            elif size > 0 and end <= len(buffer) and crc16(buffer[place:end]) == b"\0\0":
                return buffer[place + 1 : end - 2]
            place = buffer.find(unit, place + 1)
        return None

    def _may_be_due(self, size: int) -> bool:
        """A frame of another size than is due is taken where it is whole, as what it is; but not waited for."""
        return size in (2, due_size(self._request)) or self._request[0] in (REPORT_SERVER_ID, ENCAPSULATED)


def answer_size(request: bytes, answer: bytes) -> int:
    """The size of the PDU that `answer` begins with, as one that answers `request`: 0 while it cannot be told, -1 where
    it is none."""
    if not answer:
        return 0
    function = request[0]
    if answer[0] == function | 0x80:
        return 2
    if answer[0] != function:
        return -1
    if function == ENCAPSULATED:
        from edgelite_drivers.modbus.diagnosis import identification_size

        size = identification_size(answer)
        return size if size <= pdu.PDU_BYTES_MAX else -1
    if function <= pdu.READ_INPUT_REGISTERS or function in (pdu.READ_WRITE_REGISTERS, REPORT_SERVER_ID):
        return 2 + answer[1] if len(answer) > 1 else 0
    return due_size(request)


def due_size(request: bytes) -> int:
    """The size of the right answer's PDU, 0 where only the answer tells."""
    function = request[0]
    if function in _ANSWER_BYTES:
        return _ANSWER_BYTES[function]
    if function == DIAGNOSTICS:
        return len(request)
    if function in (REPORT_SERVER_ID, ENCAPSULATED):
        return 0
    count = request[3] << 8 | request[4]
    return 2 + ((count + 7) // 8 if function <= pdu.READ_DISCRETE_INPUTS else 2 * count)
