"""Stream frames: whole, byte by byte, with garbage behind; what is refused, and what the reader holds."""

from protocol_vectors import from_hex, load

from edgelite_protocol.errors import MisuseError, ProtocolError
from edgelite_protocol.frames import HEADER_BYTES, PAYLOAD_BYTES_MAX, FrameReader, encode_frame


def expected_frames(row: "dict[str, object]") -> "list[tuple[int, bytes]]":
    frames = row["frames"]
    assert isinstance(frames, list)
    return [(stream, from_hex(payload)) for stream, payload in frames]


def bound(row: "dict[str, object]") -> int:
    value = row["frame_bytes_max"]
    assert isinstance(value, int)
    return value


def read(reader: FrameReader, data: bytes, piece_bytes: int) -> "tuple[list[tuple[int, bytes]], str]":
    """What comes out when `data` arrives in such pieces, and the error that ended it."""
    frames: list[tuple[int, bytes]] = []
    for start in range(0, len(data), piece_bytes):
        reader.feed(data[start : start + piece_bytes])
        try:
            frame = reader.next_frame()
            while frame is not None:
                frames.append(frame)
                frame = reader.next_frame()
        except ProtocolError as error:
            return frames, error.code
    return frames, ""


PIECES_BYTES = (1, 2, 3, 7, 100000)


def test_valid_vectors_however_they_are_cut() -> None:
    for row in load("frames_valid.json"):
        for piece_bytes in PIECES_BYTES:
            reader = FrameReader(bound(row))
            assert read(reader, from_hex(row["hex"]), piece_bytes) == (expected_frames(row), ""), row
            assert reader.buffered_bytes == row["left"], row


def test_valid_vectors_are_what_encode_gives() -> None:
    for row in load("frames_valid.json"):
        data = b"".join([encode_frame(stream, payload) for stream, payload in expected_frames(row)])
        assert from_hex(row["hex"]).startswith(data), row


def test_malformed_vectors_however_they_are_cut() -> None:
    for row in load("frames_malformed.json"):
        for piece_bytes in PIECES_BYTES:
            reader = FrameReader(bound(row))
            frames, code = read(reader, from_hex(row["hex"]), piece_bytes)
            assert (frames, code) == (expected_frames(row), row["error"]), row


def test_garbage_behind_leaves_the_frames_before_it_alone() -> None:
    for row in load("frames_valid.json"):
        if row["left"] == 0:
            for garbage in (b"\x00\x00", b"\x00\x00\x01garbage"):
                reader = FrameReader(bound(row))
                frames, code = read(reader, from_hex(row["hex"]) + garbage, 5)
                assert (frames, code) == (expected_frames(row), "frame_empty"), row


def test_an_error_stays() -> None:
    reader = FrameReader(10)
    assert read(reader, b"\x00\x00", 2) == ([], "frame_empty")
    assert read(reader, encode_frame(0, b"fine"), 3) == ([], "frame_empty")


def test_every_cut_of_a_frame_waits_for_the_rest() -> None:
    frame = encode_frame(9, b"payload")
    for size in range(len(frame)):
        reader = FrameReader(64)
        assert read(reader, frame[:size], 1) == ([], "")
        assert read(reader, frame[size:], 1) == ([(9, b"payload")], "")


def test_the_bound_may_change_between_frames() -> None:
    reader = FrameReader(4)
    assert read(reader, encode_frame(0, b"four"), 1) == ([(0, b"four")], "")
    reader.frame_bytes_max = 6
    assert read(reader, encode_frame(0, b"sixsix"), 1) == ([(0, b"sixsix")], "")
    reader.frame_bytes_max = 2
    assert read(reader, encode_frame(0, b"sixsix"), 1) == ([], "frame_too_long")


def test_feeding_on_without_taking_is_misuse() -> None:
    reader = FrameReader(4)
    reader.feed(encode_frame(0, b"four"))
    try:
        reader.feed(b"x")
    except MisuseError:
        pass
    else:
        raise AssertionError("the buffer grows without a bound")
    assert reader.next_frame() == (0, b"four")
    reader.feed(b"\x00")


def test_a_long_frame_is_refused_before_it_is_held() -> None:
    reader = FrameReader(100)
    reader.feed(b"\xff")
    assert reader.next_frame() is None
    assert read(reader, b"\xff", 1) == ([], "frame_too_long")
    assert reader.buffered_bytes == 2


def test_encode_refuses_what_fits_no_frame() -> None:
    assert len(encode_frame(0, bytes(PAYLOAD_BYTES_MAX))) == HEADER_BYTES + PAYLOAD_BYTES_MAX
    for stream, payload in ((-1, b""), (256, b""), (0, bytes(PAYLOAD_BYTES_MAX + 1))):
        try:
            encode_frame(stream, payload)
        except MisuseError:
            continue
        raise AssertionError((stream, len(payload)))


def test_payloads_may_be_any_buffer() -> None:
    assert encode_frame(3, memoryview(b"xabx")[1:3]) == encode_frame(3, bytearray(b"ab")) == b"\x00\x03\x03ab"
