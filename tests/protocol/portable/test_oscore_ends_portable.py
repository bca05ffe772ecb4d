"""A session's opening on OSCORE and what runs over it: fresh for both ends, in order, and nothing else gets in."""

from protocol_vectors import from_hex, load

from edgelite_protocol import line
from edgelite_protocol.cobs import PacketReader
from edgelite_protocol.errors import MisuseError, ProtocolError
from edgelite_protocol.oscore.context import Keys
from edgelite_protocol.oscore.ends import (
    BEGIN,
    CHALLENGE,
    MESSAGE_BYTES_MAX,
    PIECE_BYTES_MAX,
    PROTECTED,
    HubEnd,
    NodeEnd,
    decode_begin,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

SECRET = bytes(range(16))
SALT = b"saltsalt"
KID = b"\x01\x02\x03\x04"
NODE_KEYS = Keys(SECRET, SALT, KID, b"")
HUB_KEYS = Keys(SECRET, SALT, b"", KID)


def pair(nonce: bytes = bytes(16), hub_keys: Keys = HUB_KEYS) -> "tuple[NodeEnd, HubEnd]":
    node = NodeEnd(NODE_KEYS, 7, b"12345678")
    hub = HubEnd(hub_keys, node.begin, nonce)
    assert node.receive(hub.challenge) == b""
    return node, hub


def code_of(call: "Callable[..., object]", *arguments: object) -> str:
    try:
        call(*arguments)
    except ProtocolError as error:
        return error.code
    return "none"


def test_both_directions_and_the_largest_piece() -> None:
    node, hub = pair()
    assert not hub.confirmed
    for number in range(300):
        piece = bytes([number & 0xFF]) * (1 + number * 7 % PIECE_BYTES_MAX)
        sealed = node.protect(piece)
        assert len(sealed) <= MESSAGE_BYTES_MAX
        assert hub.receive(sealed) == piece
        assert node.receive(hub.protect(piece)) == piece
    assert hub.confirmed
    assert len(node.protect(bytes(PIECE_BYTES_MAX))) <= MESSAGE_BYTES_MAX


def test_the_longest_ids_fit_a_message() -> None:
    keys = Keys(SECRET, SALT, b"1234567", b"7654321")
    node = NodeEnd(keys, 0xFFFFFFFF, bytes(8))
    hub = HubEnd(Keys(SECRET, SALT, b"7654321", b"1234567"), node.begin, bytes(16))
    node.receive(hub.challenge)
    for end in (node, hub):
        assert end._context is not None
        end._context.sequence = (1 << 40) - 1
        assert len(end.protect(bytes(PIECE_BYTES_MAX))) <= MESSAGE_BYTES_MAX


def test_plaintext_does_not_show() -> None:
    node, hub = pair()
    assert b"a secret" not in node.protect(b"a secret") and b"a secret" not in hub.protect(b"a secret")


def test_a_message_that_comes_twice_late_or_changed_ends_it() -> None:
    node, hub = pair()
    first, second = node.protect(b"one"), node.protect(b"two")
    assert code_of(hub.receive, second) == "oscore_failed", "the first was taken out"
    assert hub.receive(first) == b"one"
    assert code_of(hub.receive, first) == "oscore_failed", "again"
    for index in range(2, len(second)):  # the option and the ciphertext
        changed = bytearray(second)
        changed[index] ^= 0x40
        assert code_of(hub.receive, bytes(changed)) == "oscore_failed", index
    assert hub.receive(second) == b"two"
    assert code_of(hub.receive, hub.protect(b"mirror")) == "oscore_failed"


def test_a_recorded_session_means_nothing_to_another_one() -> None:
    node, hub = pair(nonce=b"n" * 16)
    recorded = [node.begin, node.protect(b"hello")]
    said = hub.protect(b"welcome")
    again = HubEnd(HUB_KEYS, recorded[0], b"m" * 16)  # the hub's nonce is another one each time
    assert code_of(again.receive, recorded[1]) == "oscore_failed"
    other = NodeEnd(NODE_KEYS, 8, b"12345678")  # and so is the node's counter, even where its random numbers are bad
    other.receive(hub.challenge)
    assert code_of(other.receive, said) == "oscore_failed"


def test_other_keys_verify_nothing() -> None:
    node, hub = pair(hub_keys=Keys(bytes(16), SALT, b"", KID))
    assert code_of(hub.receive, node.protect(b"hello")) == "oscore_failed"
    assert code_of(node.receive, hub.protect(b"hello")) == "oscore_failed"


def test_openings_that_are_none() -> None:
    begin = NodeEnd(NODE_KEYS, 7, b"12345678").begin
    assert decode_begin(begin) == (KID, b"\x00\x00\x00\x0712345678")
    for size_bytes in range(len(begin)):
        assert code_of(decode_begin, begin[:size_bytes]) in ("unexpected_message", "malformed_message"), size_bytes
    assert code_of(decode_begin, begin + b"\x00") == "malformed_message"
    assert code_of(decode_begin, bytes([BEGIN, 2]) + begin[2:]) == "unsupported_version"
    assert code_of(decode_begin, bytes([PROTECTED]) + begin[1:]) == "unexpected_message"
    for message in (b"", b"\x02", bytes([CHALLENGE]) + bytes(15), bytes([PROTECTED, 0])):
        assert code_of(NodeEnd(NODE_KEYS, 7, b"12345678").receive, message) == "unexpected_message", message


def test_messages_that_are_none() -> None:
    _, hub = pair()
    for message in (b"", b"\x00", b"\x00\x05\x09", b"\x01", b"\x02" + bytes(16), b"\x09\x00"):
        assert code_of(hub.receive, message) == "unexpected_message", message


def test_nothing_is_protected_before_the_challenge_and_nothing_empty_or_too_long() -> None:
    node, hub = pair()
    rows: list[tuple[NodeEnd | HubEnd, bytes]] = [(NodeEnd(NODE_KEYS, 7, b"12345678"), b"x"), (node, b"")]
    rows.append((hub, bytes(PIECE_BYTES_MAX + 1)))
    for end, piece in rows:
        try:
            end.protect(piece)
        except MisuseError:
            continue
        raise AssertionError(piece)


def test_sessions_are_what_the_vectors_say() -> None:
    for row in load("oscore_sessions.json"):
        keys: Any = row["keys"]
        messages: Any = row["messages"]
        names = ("master_secret", "master_salt", "sender_id", "recipient_id")
        secret, salt, kid, hub_id = [from_hex(keys[name]) for name in names]
        node = NodeEnd(Keys(secret, salt, kid, hub_id), int(str(row["counter"])), from_hex(row["random"]))
        hub = HubEnd(Keys(secret, salt, hub_id, kid), from_hex(messages[0]["hex"]), from_hex(row["nonce"]))
        assert node.begin == from_hex(messages[0]["hex"]) and hub.challenge == from_hex(messages[1]["hex"])
        node.receive(hub.challenge)
        for message in messages[2:]:
            sender, receiver = (node, hub) if message["from"] == "node" else (hub, node)
            assert sender.protect(from_hex(message["piece"])) == from_hex(message["hex"]), row["name"]
            assert receiver.receive(from_hex(message["hex"])) == from_hex(message["piece"])


def test_packets_are_what_the_vectors_say() -> None:
    for row in load("oscore_sessions.json"):
        messages: Any = row["messages"]
        packets: Any = row["packets"]
        incarnation = int(str(row["counter"])) & 0xFFFF
        sent = [from_hex(message["hex"]) for message in messages if message["from"] == "node"]
        for index in range(len(packets)):
            reader = PacketReader(line.PACKET_BYTES_MAX)
            reader.feed(from_hex(packets[index]))
            parts = line.decode(reader.next_packet() or b"")
            assert parts == (row["address"], line.DATA, incarnation, index + 1, 0, sent[index]), row["name"]
