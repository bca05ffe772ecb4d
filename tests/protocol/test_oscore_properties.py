"""OSCORE against a second implementation: cryptography's AES-CCM and HKDF, cbor2, and RFC 8613 written down again."""

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.oscore import aes
from edgelite_protocol.oscore.ccm import Ccm
from edgelite_protocol.oscore.context import Context, Keys, decode_option
from edgelite_protocol.oscore.ends import HubEnd, NodeEnd
from edgelite_protocol.oscore.responses import seal_response

KEYS = st.binary(min_size=16, max_size=16)
NONCES = st.binary(min_size=13, max_size=13)
IDS = st.binary(max_size=7)


def reference(secret: bytes, salt: bytes, context: bytes | None, identifier: bytes) -> tuple[bytes, bytes]:
    """(sender key of `identifier`, common IV), by section 3.2.1."""

    def derive(name: bytes, kind: str, size: int) -> bytes:
        info = cbor2.dumps([name, context, 10, kind, size])
        return HKDF(hashes.SHA256(), size, salt, info).derive(secret)

    return derive(identifier, "Key", 16), derive(b"", "IV", 13)


def reference_nonce(iv: bytes, identifier: bytes, piv: bytes) -> bytes:
    plain = bytes([len(identifier)]) + identifier.rjust(7, b"\0") + piv.rjust(5, b"\0")
    return bytes(a ^ b for a, b in zip(plain, iv, strict=True))


def reference_aad(kid: bytes, piv: bytes) -> bytes:
    return cbor2.dumps(["Encrypt0", b"", cbor2.dumps([1, [10], kid, piv, b""])])


@given(KEYS, NONCES, st.binary(max_size=300), st.binary(max_size=300), st.sampled_from([4, 6, 8, 10, 12, 14, 16]))
def test_ccm_is_what_cryptography_makes(key: bytes, nonce: bytes, data: bytes, additional: bytes, tag: int) -> None:
    ours = Ccm(aes.Aes(key), tag)
    sealed = AESCCM(key, tag_length=tag).encrypt(nonce, data, additional)
    assert ours.seal(nonce, data, additional) == sealed
    assert ours.open(nonce, sealed, additional) == data


@given(KEYS, NONCES, st.binary(max_size=100), st.binary(max_size=100))
def test_ccm_opens_no_garbage(key: bytes, nonce: bytes, garbage: bytes, additional: bytes) -> None:
    assert Ccm(aes.Aes(key)).open(nonce, garbage, additional) is None


@given(
    secret=st.binary(min_size=1, max_size=64),
    salt=st.binary(max_size=80),
    context=st.none() | st.binary(max_size=64),
    ids=st.tuples(IDS, IDS).filter(lambda both: both[0] != both[1]),
    sequence=st.integers(0, (1 << 40) - 1),
    plaintext=st.binary(min_size=1, max_size=250),
    tell=st.booleans(),
)
def test_requests_are_what_the_rfc_says(
    secret: bytes,
    salt: bytes,
    context: bytes | None,
    ids: tuple[bytes, bytes],
    sequence: int,
    plaintext: bytes,
    tell: bool,
) -> None:
    ours = Context(Keys(secret, salt, *ids), context)
    ours.sequence = sequence
    value, ciphertext = ours.seal_request(plaintext, tell)
    piv = sequence.to_bytes(max(1, -(-sequence.bit_length() // 8)), "big")
    key, iv = reference(secret, salt, context, ids[0])
    nonce = reference_nonce(iv, ids[0], piv)
    assert AESCCM(key, tag_length=8).decrypt(nonce, ciphertext, reference_aad(ids[0], piv)) == plaintext
    option = decode_option(value)
    assert (option.partial_iv, option.kid) == (piv, ids[0])
    assert option.kid_context == (context if tell else None)


@given(st.tuples(IDS, IDS).filter(lambda both: both[0] != both[1]), st.integers(0, 70000), st.booleans())
def test_responses_are_what_the_rfc_says(ids: tuple[bytes, bytes], request: int, own: bool) -> None:
    ours = Context(Keys(b"secret", b"salt", *ids), None)
    piv = request.to_bytes(max(1, -(-request.bit_length() // 8)), "big")
    _, ciphertext = seal_response(ours, piv, b"\x45", own)
    key, iv = reference(b"secret", b"salt", None, ids[0])
    nonce = reference_nonce(iv, ids[0], b"\0") if own else reference_nonce(iv, ids[1], piv)
    assert AESCCM(key, tag_length=8).decrypt(nonce, ciphertext, reference_aad(ids[1], piv)) == b"\x45"


@given(st.binary(max_size=40))
def test_any_option_is_read_or_refused(value: bytes) -> None:
    try:
        option = decode_option(value)
    except ProtocolError as error:
        assert error.code == "oscore_failed"
    else:
        assert option.encode() == value or not value.strip(b"\0"), "one option has one encoding, but for zero flags"


@given(st.binary(max_size=250), st.integers(0, 3))
def test_no_message_upsets_an_end(message: bytes, kind: int) -> None:
    node_keys, hub_keys = Keys(b"s" * 16, b"", b"node", b""), Keys(b"s" * 16, b"", b"", b"node")
    for start in (message, bytes([kind]) + message):
        node = NodeEnd(node_keys, 1, bytes(8))
        hub = HubEnd(hub_keys, node.begin, bytes(16))
        for end in (node, hub):
            try:
                assert end.receive(start) == b""  # a challenge: any 16 bytes are one
            except ProtocolError as error:
                assert error.code in ("oscore_failed", "unexpected_message")
