"""The bytes of a segment: known ones, and that nothing else validates."""

from binascii import crc32

from edgelite.journal import layout
from edgelite.journal.reader import Reader, Segment
from edgelite_ports.testing import MemoryStorage
from edgelite_protocol.errors import MisuseError

NONCE = b"nonce123"
UID = b"journal1"


def header(segment_id: int = 7) -> layout.Header:
    return layout.Header(layout.STREAM_STATE, segment_id, 4096, NONCE, UID)


def segment_with(records: "list[tuple[int, bytes]]", segment_id: int = 7) -> "tuple[MemoryStorage, Segment]":
    storage = MemoryStorage()
    storage.create("s00000007.seg", 4096)
    segment = Segment("s00000007.seg", header(segment_id))
    for kind, payload in records:
        layout.append_record(segment.pending, segment.seed, segment.end, kind, payload)
        segment.end += layout.record_bytes(len(payload))
    storage.write(segment.name, layout.HEADER_SLOT_BYTES, segment.pending)
    return storage, segment


def reader_of(storage: MemoryStorage, segment: Segment) -> Reader:
    return Reader(storage, segment, layout.HEADER_SLOT_BYTES, segment.data_end)


def test_a_header_is_these_bytes() -> None:
    body = b"ELJ1\x01\x00\x24\x00\x07\x00\x00\x00\x00\x10\x00\x00nonce123journal1"
    assert header().encode() == body + crc32(body).to_bytes(4, "little")


def test_a_record_is_these_bytes() -> None:
    seed = header().seed
    found = bytearray()
    layout.append_record(found, seed, 64, layout.DELETE | layout.FIRST | layout.LAST, b"\x01\x01\x00k")
    place = b"".join([seed.to_bytes(4, "little"), b"\x40\x00\x00\x00", b"\xc4", b"\x04\x00"])
    crc = crc32(b"\x01\x01\x00k", crc32(place))
    assert bytes(found) == b"\xa7\xc4\x04\x00" + crc.to_bytes(4, "little") + b"\x01\x01\x00k"


def test_records_are_padded_to_four_bytes() -> None:
    for payload_bytes, expected in ((0, 8), (1, 12), (4, 12), (5, 16)):
        assert layout.record_bytes(payload_bytes) == expected
        found = bytearray()
        layout.append_record(found, 1, 64, layout.PUT, bytes(payload_bytes))
        assert len(found) == expected


def test_a_header_with_any_bit_wrong_is_none() -> None:
    good = header().encode()
    assert layout.decode_header(good + bytes(28)) is not None
    for index in range(len(good)):
        for bit in range(8):
            bad = bytearray(good)
            bad[index] ^= 1 << bit
            assert layout.decode_header(bytes(bad)) is None, "bit %d of byte %d" % (bit, index)
    assert layout.decode_header(good[:-1]) is None
    assert layout.decode_header(b"") is None


def test_a_record_with_any_bit_wrong_is_none() -> None:
    storage, segment = segment_with([(layout.PUT, b"payload of it")])
    for offset in range(layout.HEADER_SLOT_BYTES, segment.end - 3):  # not the padding, which says nothing
        for bit in range(8):
            storage.bit_flip(segment.name, offset, bit)
            assert reader_of(storage, segment).next() is None, "bit %d at %d" % (bit, offset)
            storage.bit_flip(segment.name, offset, bit)
    record = reader_of(storage, segment).next()
    assert record is not None and record.payload == b"payload of it"


def test_a_record_at_another_offset_does_not_validate() -> None:
    storage, segment = segment_with([(layout.PUT, b"stale")])
    data = storage.read(segment.name, 64, segment.end - 64)
    storage.write(segment.name, 64, bytes(len(data)))
    storage.write(segment.name, 128, data)
    reader = reader_of(storage, segment)
    assert reader.next() is None
    assert not reader.resync()


def test_a_record_of_another_segment_does_not_validate() -> None:
    storage, segment = segment_with([(layout.PUT, b"stale")])
    for other in (
        layout.Header(layout.STREAM_STATE, 8, 4096, NONCE, UID),
        layout.Header(layout.STREAM_TELEMETRY, 7, 4096, NONCE, UID),
        layout.Header(layout.STREAM_STATE, 7, 4096, b"nonce124", UID),
        layout.Header(layout.STREAM_STATE, 7, 4096, NONCE, b"journal2"),
    ):
        assert reader_of(storage, Segment(segment.name, other)).next() is None


def test_zeros_do_not_validate() -> None:
    storage = MemoryStorage()
    storage.create("s00000007.seg", 4096)
    reader = reader_of(storage, Segment("s00000007.seg", header()))
    assert reader.next() is None
    assert not reader.resync()
    assert reader.at_zeros()


def test_resync_finds_the_next_record_behind_a_damaged_one() -> None:
    storage, segment = segment_with(
        [(layout.PUT, b"one"), (layout.PUT, b"two \xa7\xa7\xa7\xa7"), (layout.PUT, b"three")]
    )
    storage.bit_flip(segment.name, 64 + 12 + 8, 0)
    reader = reader_of(storage, segment)
    first = reader.next()
    assert first is not None and first.payload == b"one"
    assert reader.next() is None
    assert reader.resync()
    third = reader.next()
    assert third is not None and third.payload == b"three"
    assert reader.next() is None
    assert not reader.resync()


def test_resync_crosses_chunks() -> None:
    storage = MemoryStorage()
    storage.create("s00000007.seg", 32768)
    segment = Segment("s00000007.seg", layout.Header(layout.STREAM_STATE, 7, 32768, NONCE, UID))
    layout.append_record(segment.pending, segment.seed, 20000, layout.PUT, b"far away")
    storage.write(segment.name, 20000, segment.pending)
    reader = reader_of(storage, segment)
    assert reader.next() is None
    assert reader.resync()
    assert reader.offset_bytes == 20000


def test_a_file_that_was_cut_short_ends_there() -> None:
    storage, segment = segment_with([(layout.PUT, b"one")])
    segment.data_end = 100000
    reader = reader_of(storage, segment)
    assert reader.next() is not None
    assert reader.next() is None
    assert not reader.resync()


def test_numbers_out_of_range_are_refused_and_not_packed() -> None:
    for refused in (
        lambda: layout.encode_mark((1 << 32, 0), 0),
        lambda: layout.encode_report(0, (1, -1), None, b""),
        lambda: layout.encode_acknowledge(0, (1 << 32, 0)),
        lambda: layout.append_record(bytearray(), 1, 64, layout.PUT, bytes(65536)),
        lambda: layout.encode_put(1, "k" * 1025, b""),
    ):
        try:
            refused()
        except MisuseError:
            pass
        else:
            raise AssertionError("accepted")


def test_payloads_come_back() -> None:
    put = layout.encode_put(3, "schlüssel", b"value")
    space, key, start = layout.decode_put(put)
    assert (space, key, put[start:]) == (3, "schlüssel", b"value")
    report = layout.encode_report(1, (5, 6), "w/1", b"body")
    lane, name, key, start = layout.decode_report(report)
    assert (lane, name, key, report[start:]) == (1, (5, 6), "w/1", b"body")
    assert layout.decode_promote(layout.encode_promote(2, 1)) == (2, 1)
    assert layout.decode_acknowledge(layout.encode_acknowledge(1, (4, 9))) == (1, (4, 9))
    assert layout.decode_mark(layout.encode_mark((3, 4), 2)) == ((3, 4), 2)
    start_record = layout.decode_start(layout.Start(6, 700, (6, 600), 3, (2, 1)).encode())
    assert (start_record.previous_id, start_record.previous_end, start_record.durable) == (6, 700, (6, 600))
    assert (start_record.tail_id, start_record.acknowledged) == (3, (2, 1))
