"""Framings, seen from the server: bytes in, requests out.

Each has `feed(data, now_ms)`, `next_request() -> (tag, unit, pdu) | None`, and `frame(tag, unit, pdu)`, which makes the
answer to the request that had this tag. `errors` counts what was no frame.

    TCP     the MBAP header; a stream that is not Modbus cannot be found into again: ProtocolError, close it
    RTU     address, PDU, CRC. The end of a request follows from its function; a line that is shared carries the
            answers of others too, so both forms are known. Bytes that make no frame are skipped, a few at a time; what
            is still unclear is dropped when the line has been quiet, as it is before a client asks again.
    ASCII   ":", hexadecimal, LRC, CR LF; a ":" always begins anew
"""

from edgelite_drivers.modbus.ascii import seal as seal_line
from edgelite_drivers.modbus.ascii import unseal
from edgelite_drivers.modbus.rtu import crc16, seal
from edgelite_drivers.modbus.tcp import HEADER_BYTES, size_of
from edgelite_drivers.modbus.tcp import seal as seal_tcp

RTU_BYTES_MAX = 256
ASCII_BYTES_MAX = 513
# Adapters hand bytes over in batches 16 ms apart, so a short pause may lie inside a frame; no client asks again sooner.
QUIET_MS = 50
SKIPS_MAX = 32  # bytes after which a line counts as lost until it is quiet: bounds what noise can cost

# function: bytes of a request and of its answer, without address and CRC; None: a count byte lies at this offset
_REQUEST_BYTES = {1: 5, 2: 5, 3: 5, 4: 5, 5: 5, 6: 5, 7: 1, 8: 5, 11: 1, 12: 1, 17: 1, 22: 7, 43: 4}
_REQUEST_COUNT_AT = {15: 6, 16: 6, 23: 10}  # in the frame
_ANSWER_BYTES = {5: 5, 6: 5, 7: 2, 8: 5, 15: 5, 16: 5, 22: 7}
_ANSWER_COUNT_AT = {1: 2, 2: 2, 3: 2, 4: 2, 17: 2, 23: 2}


class TcpRequests:
    def __init__(self) -> None:
        self.errors = 0
        self._buffer = b""

    def feed(self, data: "bytes | memoryview", now_ms: int) -> None:
        self._buffer += bytes(data)

    def next_request(self) -> "tuple[int, int, bytes] | None":
        buffer = self._buffer
        size_bytes = size_of(buffer)
        if not 0 < size_bytes <= len(buffer):
            return None
        self._buffer = buffer[size_bytes:]
        return buffer[0] << 8 | buffer[1], buffer[6], buffer[HEADER_BYTES:size_bytes]

    def frame(self, tag: int, unit: int, pdu: bytes) -> bytes:
        return seal_tcp(tag, unit, pdu)


class RtuRequests:
    """`mine` are the units that answer here: of theirs and of broadcasts (0) only requests are looked for."""

    def __init__(self, mine: "dict[int, object]", quiet_ms: int = QUIET_MS) -> None:
        self.errors = 0
        self._mine = mine
        self._quiet_ms = quiet_ms
        self._buffer = b""
        self._heard_ms = 0
        self._skips = 0
        self._is_lost = False

    def feed(self, data: "bytes | memoryview", now_ms: int) -> None:
        if now_ms - self._heard_ms >= self._quiet_ms:
            if self._buffer:
                self.errors += 1
            self._buffer = b""
            self._is_lost = False
            self._skips = 0
        self._heard_ms = now_ms
        if not self._is_lost:
            self._buffer += bytes(data)

    def next_request(self) -> "tuple[int, int, bytes] | None":
        while len(self._buffer) >= 4:
            size_bytes = self._frame_bytes()
            if size_bytes is None:
                return None
            buffer = self._buffer
            if size_bytes:
                self._buffer = buffer[size_bytes:]
                self._skips = 0
                return 0, buffer[0], buffer[1 : size_bytes - 2]
            self._skip()
        return None

    def frame(self, _tag: int, unit: int, pdu: bytes) -> bytes:
        return seal(unit, pdu)

    def _frame_bytes(self) -> "int | None":
        """How long the frame at the beginning is; 0 where there is none, None where it may not be whole yet."""
        buffer = self._buffer
        sizes = [_size(buffer, _REQUEST_BYTES, _REQUEST_COUNT_AT)]
        if buffer[0] and buffer[0] not in self._mine:
            sizes.append(5 if buffer[1] & 0x80 else _size(buffer, _ANSWER_BYTES, _ANSWER_COUNT_AT))
        for size_bytes in sizes:
            if 0 < size_bytes <= len(buffer) and _is_whole(buffer, size_bytes):
                return size_bytes
        if not self._skips and len(buffer) <= RTU_BYTES_MAX and _is_whole(buffer, len(buffer)):
            return len(buffer)  # a function that is not known here
        longest = max(sizes)
        may_grow = not longest and not self._skips and len(sizes) == 1 and len(buffer) < RTU_BYTES_MAX
        return None if may_grow or len(buffer) < longest <= RTU_BYTES_MAX else 0

    def _skip(self) -> None:
        self.errors += not self._skips
        self._skips += 1
        self._buffer = self._buffer[1:]
        if self._skips > SKIPS_MAX:
            self._is_lost = True
            self._buffer = b""


class AsciiRequests:
    def __init__(self) -> None:
        self.errors = 0
        self._buffer = b""

    def feed(self, data: "bytes | memoryview", now_ms: int) -> None:
        self._buffer += bytes(data)

    def next_request(self) -> "tuple[int, int, bytes] | None":
        while True:
            start = self._buffer.find(b":")
            if start < 0:
                self._buffer = b""
                return None
            end = self._buffer.find(b"\n", start)
            again = self._buffer.find(b":", start + 1)
            if again >= 0 and (again < end or end < 0):
                self.errors += 1
                self._buffer = self._buffer[again:]
            elif end < 0:
                self._buffer = self._buffer[start:] if len(self._buffer) - start <= ASCII_BYTES_MAX else b""
                return None
            else:
                line, self._buffer = self._buffer[start + 1 : end], self._buffer[end + 1 :]
                data = _from_ascii(line)
                if data:
                    return 0, data[0], data[1:]
                self.errors += 1

    def frame(self, _tag: int, unit: int, pdu: bytes) -> bytes:
        return seal_line(unit, pdu)


def _from_ascii(line: bytes) -> bytes:
    """Unit and PDU of what stands between ":" and the line's end; b"" where it is no frame."""
    line = line[:-1] if line.endswith(b"\r") else line
    return unseal(line) if len(line) <= ASCII_BYTES_MAX else b""


def _size(buffer: bytes, fixed: "dict[int, int]", count_at: "dict[int, int]") -> int:
    """Of the frame, as its function says; 0 where the function is not known, as much as is needed to know where more
    must come."""
    function = buffer[1]
    if function in fixed:
        return fixed[function] + 3
    offset = count_at.get(function, 0)
    if offset == 0:
        return 0
    if offset >= len(buffer):
        return offset + 3
    return offset + 1 + buffer[offset] + 2


def _is_whole(buffer: bytes, size_bytes: int) -> bool:
    return crc16(buffer[:size_bytes]) == b"\0\0"
