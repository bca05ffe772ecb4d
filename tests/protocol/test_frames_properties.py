"""Frames and packets against Hypothesis: any payloads, any cut, any damage."""

from itertools import pairwise
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from edgelite_protocol.cobs import PacketReader, encode_packet
from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.frames import FrameReader, encode_frame

BOUND = 300
FRAMES = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=BOUND)), max_size=8)
CUTS = st.lists(st.integers(0, 2000), max_size=10)
# Payloads around COBS' blocks of 254 bytes, with zeros where they matter.
PAYLOADS = st.one_of(
    st.binary(min_size=1, max_size=BOUND),
    st.tuples(st.integers(245, 260), st.sampled_from([b"\x00", b"\x01", b"\xff"])).map(lambda pair: pair[1] * pair[0]),
)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return [data[start:end] for start, end in pairwise(places)]


def drain(reader: Any, take: str) -> list[Any]:
    return list(iter(getattr(reader, take), None))


@given(FRAMES, CUTS)
def test_frames_come_back_however_they_are_cut(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    reader = FrameReader(BOUND)
    found = []
    for piece in pieces(b"".join(encode_frame(*frame) for frame in frames), cuts):
        reader.feed(piece)
        found += drain(reader, "next_frame")
    assert found == frames
    assert reader.buffered_bytes == 0


@given(st.binary(max_size=2000), CUTS)
@example(b"\x00", [])
def test_garbage_on_a_stream_is_frames_or_a_named_error(data: bytes, cuts: list[int]) -> None:
    reader = FrameReader(BOUND)
    frames: list[tuple[int, bytes]] = []
    try:
        for piece in pieces(data, cuts):
            reader.feed(piece)
            frames += drain(reader, "next_frame")
            assert reader.buffered_bytes < BOUND + 3
    except ProtocolError as error:
        assert error.code in ("frame_empty", "frame_too_long")
    assert data.startswith(b"".join(encode_frame(*frame) for frame in frames))


@given(st.lists(PAYLOADS, max_size=6), CUTS)
def test_packets_come_back_however_they_are_cut(payloads: list[bytes], cuts: list[int]) -> None:
    reader = PacketReader(BOUND)
    found = []
    for piece in pieces(b"".join(map(encode_packet, payloads)), cuts):
        reader.feed(piece)
        found += drain(reader, "next_packet")
    assert found == payloads
    assert reader.dropped_count == 0


@given(st.binary(max_size=400), PAYLOADS, st.binary(max_size=700), PAYLOADS, CUTS)
def test_packets_survive_any_noise_around_them(
    noise: bytes, first: bytes, more_noise: bytes, second: bytes, cuts: list[int]
) -> None:
    reader = PacketReader(BOUND)
    found = []
    for piece in pieces(noise + encode_packet(first) + more_noise + encode_packet(second), cuts):
        reader.feed(piece)
        found += drain(reader, "next_packet")
        assert reader.held_bytes <= BOUND + 8
    assert found == [first, second]
    assert (reader.dropped_count == 0) == (noise.strip(b"\x00") == more_noise.strip(b"\x00") == b"")


@given(st.lists(PAYLOADS, min_size=1, max_size=4), st.data())
def test_a_damaged_packet_never_comes_out_changed(payloads: list[bytes], data: st.DataObject) -> None:
    stream = bytearray(b"".join(map(encode_packet, payloads)))
    place = data.draw(st.integers(0, len(stream) - 1))
    taken = data.draw(st.integers(0, 3))
    stream[place : place + taken] = data.draw(st.binary(max_size=3))
    reader = PacketReader(BOUND)
    reader.feed(bytes(stream))
    found = drain(reader, "next_packet")
    remaining = iter(payloads)
    assert all(packet in remaining for packet in found), "not a subsequence of what was sent"
    assert len(found) >= len(payloads) - 2, "damage in one place costs at most its two neighbours"
