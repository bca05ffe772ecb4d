"""AES-CCM (RFC 3610) with a nonce of 13 bytes (L = 2), over whatever AES the platform has."""

from edgelite_protocol.errors import MisuseError
from edgelite_protocol.oscore.ciphers import BLOCK_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite_protocol.oscore.ciphers import Aes

NONCE_BYTES = 13
TAG_BYTES = 8
_SIZE_BYTES = 2  # L: of the length field
_ADDITIONAL_BYTES_MAX = 0xFEFF  # beyond, RFC 3610 writes the length otherwise


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK_BYTES)


def _xor(one: bytes, other: bytes) -> bytes:
    """Of equal length; by whole numbers, which is quicker than byte by byte on both runtimes."""
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(len(one), "big")


class Ccm:
    """`tag_bytes` is 8 in OSCORE's default algorithm."""

    def __init__(self, cipher: "Aes", tag_bytes: int = TAG_BYTES) -> None:
        self._cipher = cipher
        self._tag_bytes = tag_bytes

    def seal(self, nonce: bytes, plaintext: bytes, additional: bytes) -> bytes:
        """Ciphertext and tag."""
        self._check(nonce, plaintext, additional)
        stream = self._stream(nonce, len(plaintext))
        tag = self._tag(nonce, plaintext, additional)
        return _xor(plaintext, stream[BLOCK_BYTES:]) + _xor(tag, stream[: self._tag_bytes])

    def open(self, nonce: bytes, ciphertext: bytes, additional: bytes) -> "bytes | None":
        """The plaintext; None where anything of it is not what was sealed."""
        size_bytes = len(ciphertext) - self._tag_bytes
        if size_bytes < 0:
            return None
        self._check(nonce, ciphertext, additional)
        stream = self._stream(nonce, size_bytes)
        plaintext = _xor(ciphertext[:size_bytes], stream[BLOCK_BYTES:])
        expected = _xor(self._tag(nonce, plaintext, additional), stream[: self._tag_bytes])
        difference = 0
        for index in range(self._tag_bytes):  # all of it, so that the time tells nothing
            difference |= expected[index] ^ ciphertext[size_bytes + index]
        return plaintext if difference == 0 else None

    def _check(self, nonce: bytes, data: bytes, additional: bytes) -> None:
        if len(nonce) != NONCE_BYTES or len(data) > 0xFFFF or len(additional) > _ADDITIONAL_BYTES_MAX:
            raise MisuseError("a nonce of %d bytes, %d and %d bytes" % (len(nonce), len(data), len(additional)))

    def _stream(self, nonce: bytes, size_bytes: int) -> bytes:
        """A_0, whose key stream covers the tag, then those for the data; cut to size."""
        blocks = bytearray()
        for number in range(1 + -(-size_bytes // BLOCK_BYTES)):
            blocks += bytes([_SIZE_BYTES - 1]) + nonce + number.to_bytes(_SIZE_BYTES, "big")
        return self._cipher.encrypt_blocks(bytes(blocks))[: BLOCK_BYTES + size_bytes]

    def _tag(self, nonce: bytes, plaintext: bytes, additional: bytes) -> bytes:
        flags = (0x40 if additional else 0) | (self._tag_bytes - 2) // 2 << 3 | _SIZE_BYTES - 1
        blocks = bytes([flags]) + nonce + len(plaintext).to_bytes(_SIZE_BYTES, "big")
        if additional:
            blocks += _padded(len(additional).to_bytes(2, "big") + additional)
        return self._cipher.mac(blocks + _padded(plaintext))[: self._tag_bytes]
