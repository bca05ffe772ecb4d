"""Packets for lossy lines: vectors however they are cut, noise, bounds."""

from protocol_vectors import from_hex, load

from edgelite_protocol.cobs import PAYLOAD_BYTES_MAX, PacketReader, encode_packet
from edgelite_protocol.errors import MisuseError

PIECES_BYTES = (1, 2, 3, 7, 100000)


def read(reader: PacketReader, data: bytes, piece_bytes: int) -> "list[bytes]":
    packets = []
    for start in range(0, len(data), piece_bytes):
        reader.feed(data[start : start + piece_bytes])
        packet = reader.next_packet()
        while packet is not None:
            packets.append(packet)
            packet = reader.next_packet()
    return packets


def test_packets_are_what_the_vectors_say() -> None:
    for row in load("cobs_packets.json"):
        assert encode_packet(from_hex(row["payload"])) == from_hex(row["packet"]), row


def test_packets_come_back_however_they_are_cut() -> None:
    for row in load("cobs_packets.json"):
        for piece_bytes in PIECES_BYTES:
            reader = PacketReader(600)
            assert read(reader, from_hex(row["packet"]), piece_bytes) == [from_hex(row["payload"])], row
            assert reader.dropped_count == 0, row


def test_a_zero_stands_only_at_the_borders() -> None:
    for row in load("cobs_packets.json"):
        packet = from_hex(row["packet"])
        assert packet[0] == 0 and packet[-1] == 0 and packet.find(b"\x00", 1) == len(packet) - 1, row


def test_streams_with_noise_however_they_are_cut() -> None:
    for row in load("cobs_streams.json"):
        payloads = row["payloads"]
        assert isinstance(payloads, list)
        bound = row["packet_bytes_max"]
        assert isinstance(bound, int)
        for piece_bytes in PIECES_BYTES:
            reader = PacketReader(bound)
            assert read(reader, from_hex(row["hex"]), piece_bytes) == [from_hex(one) for one in payloads], row
            assert reader.dropped_count == row["dropped"], (row, reader.dropped_count)


def test_a_block_of_254_bytes_at_the_end_may_go_without_the_empty_block() -> None:
    payload = b"\x01" * 250
    packet = encode_packet(payload)
    assert packet[-2:] == b"\x01\x00", "CRC without a zero, so the last block is full"
    assert read(PacketReader(300), packet[:-2] + b"\x00", 1000) == [payload]


def test_every_single_bit_flip_is_noticed() -> None:
    payload = b"\x00meter\x00\xff"
    packet = encode_packet(payload)
    follower = encode_packet(b"follower")
    for position in range(len(packet)):
        for bit in range(8):
            damaged = bytearray(packet)
            damaged[position] ^= 1 << bit
            # Also where a border was hit: the packet then runs into its noise, the follower has borders of its own.
            assert read(PacketReader(64), bytes(damaged) + follower, 1000) == [b"follower"], (position, bit)


def test_endless_noise_is_not_kept() -> None:
    reader = PacketReader(16)
    for _ in range(1000):
        reader.feed(b"\x55" * 16)
        assert reader.next_packet() is None
        assert reader.held_bytes <= 32
    assert reader.dropped_count == 1
    assert read(reader, encode_packet(b"after"), 1) == [b"after"]


def test_feeding_on_without_taking_is_misuse() -> None:
    reader = PacketReader(4)
    reader.feed(encode_packet(b"four") * 3)
    try:
        reader.feed(b"x")
    except MisuseError:
        pass
    else:
        raise AssertionError("the buffer grows without a bound")
    assert reader.next_packet() == b"four"


def test_encode_refuses_what_fits_no_packet() -> None:
    for payload in (b"", bytes(PAYLOAD_BYTES_MAX + 1)):
        try:
            encode_packet(payload)
        except MisuseError:
            continue
        raise AssertionError(len(payload))
