"""Modbus TCP framing: the MBAP header (Modbus Messaging on TCP/IP Implementation Guide V1.0b, section 3.1.3).

    transaction id 2 | protocol id 2, always 0 | length 2, of what follows | unit id 1 | PDU

A framing is what a `ModbusBus` is built on: `encode`, `feed`, `next_answer`, `reset`, `identifies_answers`.
"""

from edgelite_drivers.modbus.pdu import PDU_BYTES_MAX
from edgelite_protocol.errors import ProtocolError

HEADER_BYTES = 7
LENGTH_MIN = 2  # unit id and function code
LENGTH_MAX = 1 + PDU_BYTES_MAX


class TcpFraming:
    # The transaction id tells a late answer from the one that is due, so a timeout needs no quiet time after it.
    identifies_answers = True

    def __init__(self, transaction: int = 0) -> None:
        self._transaction = transaction & 0xFFFF
        self._buffer = b""

    def reset(self) -> None:
        """A new connection: what was left of the old one is void. Transaction ids go on, so that an answer that a
        gateway gives on the wrong connection is still foreign."""
        self._buffer = b""

    def encode(self, unit: int, pdu: bytes) -> "tuple[int, bytes]":
        """The tag that the answer will carry, and the frame."""
        self._transaction = (self._transaction + 1) & 0xFFFF
        tag = self._transaction
        length = 1 + len(pdu)
        return tag, bytes([tag >> 8, tag & 255, 0, 0, length >> 8, length & 255, unit]) + pdu

    def feed(self, data: "bytes | memoryview") -> None:
        self._buffer += bytes(data)

    def next_answer(self) -> "tuple[int, int, bytes] | None":
        """(tag, unit, pdu) of the next whole frame, None when there is none.

        ProtocolError "modbus_header" where the stream is not Modbus TCP: nothing after it can be trusted, so the
        connection must end.
        """
        buffer = self._buffer
        if len(buffer) < 6:
            return None
        if buffer[2] or buffer[3]:
            raise ProtocolError("modbus_header", "protocol id %d, not 0" % (buffer[2] << 8 | buffer[3]))
        length = buffer[4] << 8 | buffer[5]
        if not LENGTH_MIN <= length <= LENGTH_MAX:
            raise ProtocolError("modbus_header", "length %d is outside %d to %d" % (length, LENGTH_MIN, LENGTH_MAX))
        if len(buffer) < 6 + length:
            return None
        self._buffer = buffer[6 + length :]
        return buffer[0] << 8 | buffer[1], buffer[6], buffer[HEADER_BYTES : 6 + length]
