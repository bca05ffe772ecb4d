"""Packets on serial and other lossy lines (SPEC.md section 3.2): COBS with a CRC-32.

    00 | COBS(payload, CRC-32 of the payload: u32) | 00

COBS (Cheshire and Baker, 1999) keeps zeros out of the packet, so that after any noise the next zero is a border
again. A damaged packet is dropped and counted; getting it sent again is the session's matter.
"""

import binascii

from .errors import MisuseError

CRC_BYTES = 4
PAYLOAD_BYTES_MAX = 65535  # as large as a stream's frame: its stream id and payload


def _stuff(data: "bytes | bytearray") -> bytearray:
    """COBS-encode: each zero becomes the distance to the next one, 255 means 254 bytes without a zero."""
    out = bytearray(1)
    code_at = 0  # where the distance of the open block goes
    for byte in data:
        if byte:
            out.append(byte)
            if len(out) - code_at < 255:
                continue
        out[code_at] = len(out) - code_at
        code_at = len(out)
        out.append(0)
    out[code_at] = len(out) - code_at
    return out


def _unstuff(packet: "bytes | bytearray | memoryview") -> "bytearray | None":
    """The inverse of `_stuff`; None where a distance points behind the end. `packet` holds no zero."""
    out = bytearray()
    position = 0
    end = len(packet)
    while position < end:
        code = packet[position]
        if position + code > end:
            return None
        out += packet[position + 1 : position + code]
        position += code
        if code < 255 and position < end:
            out.append(0)
    return out


def _stuffed_bytes_max(size_bytes: int) -> int:
    return size_bytes + size_bytes // 254 + 1


def encode_packet(payload: "bytes | bytearray | memoryview") -> bytes:
    """One packet with a zero on both sides: the first ends whatever noise the line brought at rest. MisuseError
    where the payload is empty or longer than 65,535 bytes."""
    if not 0 < len(payload) <= PAYLOAD_BYTES_MAX:
        raise MisuseError("a payload of %d bytes fits no packet" % len(payload))
    data = bytearray(payload)
    data += binascii.crc32(payload).to_bytes(CRC_BYTES, "big")
    packet = _stuff(data)
    return b"\x00" + packet + b"\x00"


class PacketReader:
    """Finds packets in what a lossy line brings. Feed it, then take packets until there is none.

    No input is an error: what is no packet is skipped up to the next zero and counted in `dropped_count`. Holds at
    most one packet of `packet_bytes_max` (bound of the payload) and what was fed last.
    """

    def __init__(self, packet_bytes_max: int) -> None:
        self.packet_bytes_max = packet_bytes_max
        self.dropped_count = 0
        self._buffer = bytearray()
        self._start = 0  # of the next packet in the buffer
        self._skipping = False  # until the next zero: what came before it was too long

    @property
    def held_bytes(self) -> int:
        """What was fed and not yet taken or skipped."""
        return len(self._buffer) - self._start

    def feed(self, data: "bytes | bytearray | memoryview") -> None:
        """Takes what arrived, whatever its cut. MisuseError where more than a packet already waits to be taken:
        feeding on would grow the buffer without a bound."""
        if self.held_bytes > _stuffed_bytes_max(self.packet_bytes_max + CRC_BYTES):
            raise MisuseError("take the packets before feeding more")
        if self._start:
            self._buffer = self._buffer[self._start :]
            self._start = 0
        self._buffer += data

    def next_packet(self) -> "bytes | None":
        """The payload of the next whole packet, or None until more is fed."""
        while True:
            end = self._buffer.find(b"\x00", self._start)
            if end < 0:
                self._shed_overlong()
                return None
            packet = bytes(memoryview(self._buffer)[self._start : end])
            self._start = end + 1
            payload = None if self._skipping else self._unpacked(packet)
            if payload is not None:
                return payload
            if packet and not self._skipping:  # an empty one is only two zeros in a row
                self.dropped_count += 1
            self._skipping = False

    def _unpacked(self, packet: bytes) -> "bytes | None":
        if not CRC_BYTES < len(packet) <= _stuffed_bytes_max(self.packet_bytes_max + CRC_BYTES):
            return None
        data = _unstuff(packet)
        if data is None or not CRC_BYTES < len(data) <= self.packet_bytes_max + CRC_BYTES:
            return None
        payload = bytes(data[:-CRC_BYTES])
        if binascii.crc32(payload) != int.from_bytes(data[-CRC_BYTES:], "big"):
            return None
        return payload

    def _shed_overlong(self) -> None:
        """No end in sight: nothing that long is a packet, so stop keeping it."""
        if self._skipping or self.held_bytes > _stuffed_bytes_max(self.packet_bytes_max + CRC_BYTES):
            if not self._skipping:
                self._skipping = True
                self.dropped_count += 1
            self._buffer = bytearray()
            self._start = 0
