"""Modbus TCP framing: the MBAP header (Modbus Messaging on TCP/IP Implementation Guide V1.0b, section 3.1.3).

transaction id 2 | protocol id 2, always 0 | length 2, of what follows | unit id 1 | PDU
"""

import struct

from edgelite_drivers.modbus.framing import Framing
from edgelite_drivers.modbus.pdu import PDU_BYTES_MAX
from edgelite_protocol.errors import ProtocolError

HEADER_BYTES = 7
LENGTH_MIN = 2  # unit id and function code
LENGTH_MAX = 1 + PDU_BYTES_MAX


def seal(transaction: int, unit: int, pdu: bytes) -> bytes:
    """The frame, of a request or an answer."""
    return struct.pack(">HHHB", transaction, 0, 1 + len(pdu), unit) + pdu


def size_of(buffer: bytes) -> int:
    """The size of the frame that `buffer` begins with, 0 while it cannot be told.

    ProtocolError "modbus_header" where the stream is not Modbus TCP: nothing after it can be trusted.
    """
    if len(buffer) < 6:
        return 0
    _, protocol, length = struct.unpack(">HHH", buffer[:6])
    if protocol:
        raise ProtocolError("modbus_header", "protocol id %d, not 0" % protocol)
    if not LENGTH_MIN <= length <= LENGTH_MAX:
        raise ProtocolError("modbus_header", "length %d is outside %d to %d" % (length, LENGTH_MIN, LENGTH_MAX))
    return 6 + int(length)


class TcpFraming(Framing):
    """`is_strict` False is for gateways that answer with another transaction id than they were asked with: unit and
    function must then match, and a timeout needs quiet after it."""

    def __init__(self, transaction: int = 0, is_strict: bool = True) -> None:
        # With strict ids a late answer is told from the one that is due, so a timeout needs no quiet time after it.
        self.identifies_answers = is_strict
        self._transaction = transaction & 0xFFFF
        self._unit = -1  # of the request, -1 while nothing is awaited
        self._function = 0
        self._buffer = b""
        self._stale_bytes = 0  # of the buffer: frames that had begun before the request are no answers to it

    def encode(self, unit: int, pdu: bytes) -> bytes:
        # What came before stays: it may be half of a late answer, and the stream must keep its place.
        self._stale_bytes = len(self._buffer)
        self._transaction = (self._transaction + 1) & 0xFFFF
        self._unit = unit
        self._function = pdu[0]
        return seal(self._transaction, unit, pdu)

    def feed(self, data: "bytes | memoryview") -> None:
        self._buffer += bytes(data)

    def next_answer(self) -> "bytes | None":
        buffer = self._buffer
        size = size_of(buffer)
        while 0 < size <= len(buffer):
            self._buffer = buffer[size:]
            is_stale = self._stale_bytes > 0
            self._stale_bytes -= size
            if not is_stale and self._is_due(buffer):
                self._unit = -1
                return buffer[HEADER_BYTES:size]
            self.foreign_answers += 1
            buffer = self._buffer
            size = size_of(buffer)
        return None

    def expire(self) -> "bytes | None":
        self._unit = -1
        return None

    def reset(self) -> None:
        """Transaction ids go on, so that an answer that a gateway gives on the wrong connection is still foreign."""
        self._buffer = b""
        self._stale_bytes = 0
        self._unit = -1

    def _is_due(self, frame: bytes) -> bool:
        if frame[6] != self._unit:
            return False
        if self.identifies_answers:
            return frame[0] << 8 | frame[1] == self._transaction
        return frame[7] & 0x7F == self._function
