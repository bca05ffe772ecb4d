"""OSCORE and what lies below it against the RFCs' own vectors, under both runtimes."""

import json

from protocol_vectors import from_hex

from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.oscore import aes, ciphers, hkdf
from edgelite_protocol.oscore.ccm import Ccm
from edgelite_protocol.oscore.context import (
    Context,
    Keys,
    Option,
    ReplayWindow,
    StrictOrder,
    decode_option,
    encode_sequence,
)
from edgelite_protocol.oscore.responses import open_response, seal_response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_DATA = __file__.replace("\\", "/").rsplit("/", 2)[0] + "/data/oscore_vectors.json"
with open(_DATA) as _file:
    VECTORS = json.load(_file)


def context_of(source: str, window: "ReplayWindow | StrictOrder | None" = None) -> Context:
    for row in VECTORS["contexts"]:
        if row["source"] == source:
            keys = Keys(*[from_hex(row[name]) for name in ("secret", "salt", "sender_id", "recipient_id")])
            return Context(keys, None if row["id_context"] is None else from_hex(row["id_context"]), window)
    raise AssertionError(source)


def mirror(source: str) -> str:
    """The other end of a context: x.1 and x.2 are a pair."""
    return source[:-1] + ("2" if source[-1] == "1" else "1")


def code_of(call: "Callable[[], object]") -> str:
    try:
        call()
    except ProtocolError as error:
        return error.code
    return "none"


def test_aes() -> None:
    for row in VECTORS["aes"]:
        for make in (aes.Aes, ciphers.aes):  # Python's own arithmetic, and what this platform has
            cipher = make(from_hex(row["key"]))
            assert cipher.encrypt_blocks(from_hex(row["plaintext"])) == from_hex(row["ciphertext"]), row["source"]
            assert cipher.mac(from_hex(row["plaintext"])) == from_hex(row["ciphertext"]), row["source"]


def test_both_kinds_of_aes_chain_and_count_alike() -> None:
    data = bytes([index * 7 & 0xFF for index in range(160)])
    one, other = aes.Aes(bytes(range(16))), ciphers.aes(bytes(range(16)))
    assert one.encrypt_blocks(data) == other.encrypt_blocks(data)
    assert one.mac(data) == other.mac(data)


def test_hmac() -> None:
    for row in VECTORS["hmac"]:
        assert hkdf.hmac_sha256(from_hex(row["key"]), from_hex(row["data"])) == from_hex(row["mac"]), row["source"]


def test_hkdf() -> None:
    for row in VECTORS["hkdf"]:
        key = hkdf.extract(from_hex(row["salt"]), from_hex(row["secret"]))
        assert key == from_hex(row["key"]), row["source"]
        out = from_hex(row["out"])
        assert hkdf.expand(key, from_hex(row["info"]), len(out)) == out, row["source"]


def test_ccm() -> None:
    assert len(VECTORS["ccm"]) == 24
    for row in VECTORS["ccm"]:
        cipher = Ccm(ciphers.aes(from_hex(row["key"])), row["tag_bytes"])
        nonce, additional = from_hex(row["nonce"]), from_hex(row["additional"])
        plaintext, ciphertext = from_hex(row["plaintext"]), from_hex(row["ciphertext"])
        assert cipher.seal(nonce, plaintext, additional) == ciphertext, row["source"]
        assert cipher.open(nonce, ciphertext, additional) == plaintext, row["source"]


def test_ccm_opens_nothing_that_was_changed() -> None:
    cipher = Ccm(ciphers.aes(bytes(16)))
    nonce, additional = bytes(13), b"additional"
    sealed = cipher.seal(nonce, b"seventeen bytes!!", additional)
    for index in range(len(sealed)):
        changed = bytearray(sealed)
        changed[index] ^= 1
        assert cipher.open(nonce, bytes(changed), additional) is None, index
    for size_bytes in range(len(sealed)):
        assert cipher.open(nonce, sealed[:size_bytes], additional) is None, size_bytes
    assert cipher.open(nonce, sealed, b"Additional") is None
    assert cipher.open(bytes([1]) + bytes(12), sealed, additional) is None
    assert cipher.open(nonce, sealed, additional) == b"seventeen bytes!!"


def test_key_derivation_and_nonces() -> None:
    for row in VECTORS["contexts"]:
        context = context_of(row["source"])
        assert context.sender_key == from_hex(row["sender_key"]), row["source"]
        assert context.recipient_key == from_hex(row["recipient_key"]), row["source"]
        assert context.common_iv == from_hex(row["common_iv"]), row["source"]
        assert context.nonce(context.sender_id, b"\x00") == from_hex(row["sender_nonce"]), row["source"]
        assert context.nonce(context.recipient_id, b"\x00") == from_hex(row["recipient_nonce"]), row["source"]


def test_protected_requests() -> None:
    for row in VECTORS["requests"]:
        context = context_of(row["context"])
        context.sequence = row["sequence"]
        sealed = context.seal_request(from_hex(row["plaintext"]), row["tell_context"])
        assert sealed == (from_hex(row["option"]), from_hex(row["ciphertext"])), row["source"]
        assert context.sequence == row["sequence"] + 1
        peer = context_of(mirror(row["context"]))
        assert peer.open_request(sealed[0], sealed[1]) == from_hex(row["plaintext"]), row["source"]
        assert code_of(lambda: peer.open_request(sealed[0], sealed[1])) == "oscore_failed", "a replay"  # noqa: B023


def test_protected_responses() -> None:
    for row in VECTORS["responses"]:
        context = context_of(row["context"])
        piv = from_hex(row["request_piv"])
        sealed = seal_response(context, piv, from_hex(row["plaintext"]), row["own_number"])
        assert sealed == (from_hex(row["option"]), from_hex(row["ciphertext"])), row["source"]
        peer = context_of(mirror(row["context"]))
        assert open_response(peer, piv, sealed[0], sealed[1]) == from_hex(row["plaintext"]), row["source"]
        other = context_of(mirror(row["context"]))
        assert code_of(lambda: open_response(other, b"\x15", sealed[0], sealed[1])) == "oscore_failed"  # noqa: B023


def test_options_come_back() -> None:
    for piv in (None, b"\x00", b"\x14", b"\x01\x00", b"\xff\xff\xff\xff\xff"):
        for kid in (None, b"", b"\x01", b"1234567"):
            for kid_context in (None, b"", b"context"):
                found = decode_option(Option(piv, kid, kid_context).encode())
                assert (found.partial_iv, found.kid, found.kid_context) == (piv, kid, kid_context)


def test_options_that_break_the_rules() -> None:
    # reserved bits, reserved sizes, cut off, leading zeros, a context cut off, bytes behind
    for text in ("29", "e0", "06", "07", "01", "0512345678", "020014", "10", "1002aa", "1041", "0114ff"):
        assert code_of(lambda: decode_option(from_hex(text))) == "oscore_failed", text  # noqa: B023


def test_sequence_numbers_have_no_leading_zeros() -> None:
    rows = ((0, "00"), (1, "01"), (255, "ff"), (256, "0100"), (65536, "010000"), ((1 << 40) - 1, "ffffffffff"))
    for sequence, text in rows:
        assert encode_sequence(sequence) == from_hex(text)


def test_replay_window_takes_each_number_once_in_any_order() -> None:
    window = ReplayWindow(8)
    taken = []
    for sequence in (0, 0, 3, 1, 1, 3, 12, 5, 4, 2, 12, 11, 300, 293, 292, 299):
        if window.admits(sequence):
            window.note(sequence)
            taken.append(sequence)
    assert taken == [0, 3, 1, 12, 5, 11, 300, 293, 299]


def test_strict_order_takes_only_the_next() -> None:
    window = StrictOrder()
    assert not window.admits(1) and window.admits(0)
    window.note(0)
    assert not window.admits(0) and not window.admits(2) and window.admits(1)


def test_what_did_not_verify_moves_no_window() -> None:
    sender, receiver = context_of("RFC 8613, C.1.1"), context_of("RFC 8613, C.1.2", StrictOrder())
    option, ciphertext = sender.seal_request(b"\x01")
    forged = bytearray(ciphertext)
    forged[0] ^= 1
    assert code_of(lambda: receiver.open_request(option, bytes(forged))) == "oscore_failed"
    assert receiver.open_request(option, ciphertext) == b"\x01"


def test_a_message_for_another_end_is_refused() -> None:
    sender, receiver = context_of("RFC 8613, C.1.1"), context_of("RFC 8613, C.3.2")
    for option, ciphertext in (sender.seal_request(b"\x01"), sender.seal_request(b"\x01", True)):
        assert code_of(lambda: receiver.open_request(option, ciphertext)) == "oscore_failed"  # noqa: B023
    own = context_of("RFC 8613, C.1.1")
    option, ciphertext = sender.seal_request(b"\x01")
    assert code_of(lambda: own.open_request(option, ciphertext)) == "oscore_failed", "its own message, reflected"


def test_another_implementation_says_the_same() -> None:
    """oscore_aiocoap.json: requests and responses that aiocoap 0.4.17 has protected, under random keys. What is not
    random is determined, so ours must be the same to the bit."""
    with open(_DATA.replace("oscore_vectors", "oscore_aiocoap")) as file:
        rows = json.load(file)
    assert len(rows) == 40
    for row in rows:
        secret, salt, one, other = [from_hex(row[name]) for name in ("secret", "salt", "sender_id", "recipient_id")]
        id_context = None if row["id_context"] is None else from_hex(row["id_context"])
        client = Context(Keys(secret, salt, one, other), id_context)
        server = Context(Keys(secret, salt, other, one), id_context)
        client.sequence = row["sequence"]
        request = client.seal_request(from_hex(row["plaintext"]), row["tell_context"])
        assert request == (from_hex(row["option"]), from_hex(row["ciphertext"]))
        assert server.open_request(request[0], request[1]) == from_hex(row["plaintext"])
        answer = row["response"]
        server.sequence = answer["sequence"]
        piv = encode_sequence(row["sequence"])
        response = seal_response(server, piv, from_hex(answer["plaintext"]), answer["own_number"])
        assert response == (from_hex(answer["option"]), from_hex(answer["ciphertext"]))
        assert open_response(client, piv, response[0], response[1]) == from_hex(answer["plaintext"])
