"""The bytes of a segment: its header, its records, and what their checksums cover (edgelite/JOURNAL.md).

Everything is little-endian. Values are range-checked here because `struct.pack` checks nothing under MicroPython.
"""

import struct
from binascii import crc32

from edgelite_protocol.errors import MisuseError

FORMAT_VERSION = 1

HEADER_MAGIC = b"ELJ1"
HEADER_SLOT_BYTES = 64  # each of the two header copies has a slot of its own: at the start and at the end
_HEADER = "<4sBBHII8s8s"
_HEADER_BODY_BYTES = 32
HEADER_BYTES = _HEADER_BODY_BYTES + 4

SEGMENT_BYTES_MIN = 4096
SEGMENT_BYTES_MAX = 1 << 24  # a place keeps 24 bits for the offset

STREAM_STATE = 0
STREAM_TELEMETRY = 1

RECORD_MAGIC = 0xA7
RECORD_HEADER_BYTES = 8
RECORD_ALIGNMENT_BYTES = 4
PAYLOAD_BYTES_MAX = 65535  # 16 bits; a frame of the link cannot carry more either

# The second byte of a record: its type, and where it stands in its atomic unit.
TYPE_MASK = 0x1F
FIRST = 0x80
LAST = 0x40

START = 1  # the first record of a segment: where the log stood when the segment began
MARK = 2  # how far the log was durable when this was written
PUT = 3
DELETE = 4
PROMOTE = 5
REPORT = 6
ACKNOWLEDGE = 7

_START = "<IIIIIII"
_MARK = "<III"
_KEY = "<BH"
_REPORT = "<BIIH"
_ACKNOWLEDGE = "<BII"

UINT32_MAX = 0xFFFFFFFF
KEY_BYTES_MAX = 1024
REPORT_HEADER_BYTES = 11


class Header:
    """Who a segment is. `seed` starts the checksum of each of its records, so that no other segment's fit."""

    def __init__(self, stream: int, segment_id: int, size_bytes: int, nonce: bytes, uid: bytes) -> None:
        self.stream = stream
        self.segment_id = segment_id
        self.size_bytes = size_bytes
        self.nonce = nonce  # 8 random bytes: a segment id that is used again after a power cut has another seed
        self.uid = uid  # 8 bytes, the same in all segments of one journal
        self.seed = crc32(self._body())

    def _body(self) -> bytes:
        return struct.pack(
            _HEADER,
            HEADER_MAGIC,
            FORMAT_VERSION,
            self.stream,
            HEADER_BYTES,
            check_uint32(self.segment_id),
            check_uint32(self.size_bytes),
            self.nonce,
            self.uid,
        )

    def encode(self) -> bytes:
        return self._body() + struct.pack("<I", self.seed)


def decode_header(data: bytes) -> "Header | None":
    """The header that these bytes are, None where they are none."""
    if len(data) < HEADER_BYTES or data[:4] != HEADER_MAGIC:
        return None
    if crc32(data[:_HEADER_BODY_BYTES]) != struct.unpack_from("<I", data, _HEADER_BODY_BYTES)[0]:
        return None
    fields = struct.unpack_from(_HEADER, data, 0)
    if fields[1] != FORMAT_VERSION or fields[3] != HEADER_BYTES:
        return None
    return Header(fields[2], fields[4], fields[5], bytes(fields[6]), bytes(fields[7]))


def check_uint32(value: int) -> int:
    if not 0 <= value <= UINT32_MAX:
        raise MisuseError("not an unsigned number of 32 bits: %d" % value)
    return value


def checksum(seed: int, offset_bytes: int, kind: int, payload: "bytes | bytearray | memoryview") -> int:
    """Covers content, segment (by its seed) and offset: zeros and stale blocks never validate."""
    return crc32(payload, crc32(struct.pack("<IIBH", seed, offset_bytes, kind, len(payload))))


def record_bytes(payload_bytes: int) -> int:
    """What a record with such a payload takes up, padding included."""
    return (RECORD_HEADER_BYTES + payload_bytes + RECORD_ALIGNMENT_BYTES - 1) & ~(RECORD_ALIGNMENT_BYTES - 1)


def append_record(buffer: bytearray, seed: int, offset_bytes: int, kind: int, payload: bytes) -> None:
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise MisuseError("a record of %d bytes; at most %d fit" % (len(payload), PAYLOAD_BYTES_MAX))
    buffer.extend(struct.pack("<BBHI", RECORD_MAGIC, kind, len(payload), checksum(seed, offset_bytes, kind, payload)))
    buffer.extend(payload)
    buffer.extend(bytes(record_bytes(len(payload)) - RECORD_HEADER_BYTES - len(payload)))


class Start:
    """`previous_id` and `previous_end` say where the log goes on from; what lies behind that end was cut off.
    `acknowledged` is the stream's own lane's, so that dropping old segments does not forget it."""

    def __init__(
        self,
        previous_id: int,
        previous_end: int,
        durable: "tuple[int, int]",
        tail_id: int,
        acknowledged: "tuple[int, int]",
    ) -> None:
        self.previous_id = previous_id
        self.previous_end = previous_end
        self.durable = durable
        self.tail_id = tail_id
        self.acknowledged = acknowledged

    def encode(self) -> bytes:
        values = (self.previous_id, self.previous_end, self.durable[0], self.durable[1], self.tail_id)
        for value in values + self.acknowledged:
            check_uint32(value)
        return struct.pack(_START, *(values + self.acknowledged))


START_PAYLOAD_BYTES = 28
MARK_PAYLOAD_BYTES = 12


def decode_start(payload: bytes) -> Start:
    fields = struct.unpack_from(_START, payload, 0)
    return Start(fields[0], fields[1], (fields[2], fields[3]), fields[4], (fields[5], fields[6]))


def encode_mark(durable: "tuple[int, int]", tail_id: int) -> bytes:
    return struct.pack(_MARK, check_uint32(durable[0]), check_uint32(durable[1]), check_uint32(tail_id))


def decode_mark(payload: bytes) -> "tuple[tuple[int, int], int]":
    """The durable end as (segment id, offset), and the id of the oldest segment that is still needed."""
    fields = struct.unpack_from(_MARK, payload, 0)
    return (fields[0], fields[1]), fields[2]


def _key_bytes(key: str) -> bytes:
    data = key.encode()
    if len(data) > KEY_BYTES_MAX:
        raise MisuseError("a key of %d bytes; at most %d fit" % (len(data), KEY_BYTES_MAX))
    return data


def encode_put(space: int, key: str, value: "bytes | bytearray | memoryview") -> bytes:
    data = _key_bytes(key)
    return struct.pack(_KEY, space, len(data)) + data + bytes(value)


def decode_put(payload: bytes) -> "tuple[int, str, int]":
    """Space, key, and where in the payload the value begins."""
    space, length = struct.unpack_from(_KEY, payload, 0)
    return space, payload[3 : 3 + length].decode(), 3 + length


def encode_delete(space: int, key: str) -> bytes:
    return encode_put(space, key, b"")


def encode_promote(from_space: int, to_space: int) -> bytes:
    return struct.pack("<BB", from_space, to_space)


def decode_promote(payload: bytes) -> "tuple[int, int]":
    return payload[0], payload[1]


def encode_report(
    lane: int, name: "tuple[int, int]", key: "str | None", body: "bytes | bytearray | memoryview"
) -> bytes:
    """An absent key and an empty one are the same on flash: neither coalesces."""
    data = _key_bytes(key or "")
    head = struct.pack(_REPORT, lane, check_uint32(name[0]), check_uint32(name[1]), len(data))
    return head + data + bytes(body)


def decode_report(payload: bytes) -> "tuple[int, tuple[int, int], str, int]":
    """Lane, (generation, sequence), coalesce key, and where in the payload the body begins."""
    lane, generation, sequence, length = struct.unpack_from(_REPORT, payload, 0)
    start = REPORT_HEADER_BYTES
    return lane, (generation, sequence), payload[start : start + length].decode(), start + length


def encode_acknowledge(lane: int, name: "tuple[int, int]") -> bytes:
    return struct.pack(_ACKNOWLEDGE, lane, check_uint32(name[0]), check_uint32(name[1]))


def decode_acknowledge(payload: bytes) -> "tuple[int, tuple[int, int]]":
    lane, generation, sequence = struct.unpack_from(_ACKNOWLEDGE, payload, 0)
    return lane, (generation, sequence)
