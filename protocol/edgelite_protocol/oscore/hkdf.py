"""HMAC-SHA-256 (RFC 2104) and HKDF (RFC 5869). MicroPython has neither."""

from edgelite_protocol.digest import DIGEST_BYTES, sha256
from edgelite_protocol.errors import MisuseError

_BLOCK_BYTES = 64  # of SHA-256


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    if len(key) > _BLOCK_BYTES:
        key = sha256(key).digest()
    key = key + bytes(_BLOCK_BYTES - len(key))
    inner = sha256(bytes([byte ^ 0x36 for byte in key]))
    inner.update(message)
    outer = sha256(bytes([byte ^ 0x5C for byte in key]))
    outer.update(inner.digest())
    return outer.digest()


def extract(salt: bytes, secret: bytes) -> bytes:
    """RFC 5869, 2.2; an empty salt counts as 32 zeros."""
    return hmac_sha256(salt, secret)


def expand(key: bytes, info: bytes, size_bytes: int) -> bytes:
    """RFC 5869, 2.3; at most 255 * 32 bytes."""
    if not 0 < size_bytes <= 255 * DIGEST_BYTES:
        raise MisuseError("HKDF gives 1 to 8160 bytes")
    block = b""
    out = b""
    number = 1
    while len(out) < size_bytes:
        block = hmac_sha256(key, block + info + bytes([number]))
        out += block
        number += 1
    return out[:size_bytes]
