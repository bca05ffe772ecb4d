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


def _mix(data: bytearray, start: int, stream: bytes, stream_start: int, size_bytes: int) -> None:
    """XOR in place: a microcontroller has better uses for its heap than copies of each message."""
    for index in range(size_bytes):
        data[start + index] ^= stream[stream_start + index]


class Ccm:
    """`tag_bytes` is 8 in OSCORE's default algorithm."""

    def __init__(self, cipher: "Aes", tag_bytes: int = TAG_BYTES) -> None:
        self._cipher = cipher
        self._tag_bytes = tag_bytes

    def seal(self, nonce: bytes, plaintext: bytes, additional: bytes) -> bytes:
        """Ciphertext and tag."""
        self._check(nonce, plaintext, additional)
        size_bytes = len(plaintext)
        out = bytearray(size_bytes + self._tag_bytes)
        out[:size_bytes] = plaintext
        out[size_bytes:] = self._tag(nonce, plaintext, size_bytes, additional)
        stream = self._stream(nonce, size_bytes)
        _mix(out, 0, stream, BLOCK_BYTES, size_bytes)
        _mix(out, size_bytes, stream, 0, self._tag_bytes)
        return bytes(out)

    def open(self, nonce: bytes, ciphertext: bytes, additional: bytes) -> "bytes | None":
        """The plaintext; None where anything of it is not what was sealed."""
        size_bytes = len(ciphertext) - self._tag_bytes
        if size_bytes < 0:
            return None
        self._check(nonce, ciphertext, additional)
        out = bytearray(ciphertext)
        stream = self._stream(nonce, size_bytes)
        _mix(out, 0, stream, BLOCK_BYTES, size_bytes)
        _mix(out, size_bytes, stream, 0, self._tag_bytes)
        tag = self._tag(nonce, out, size_bytes, additional)
        difference = 0
        for index in range(self._tag_bytes):  # all of it, so that the time tells nothing
            difference |= tag[index] ^ out[size_bytes + index]
        return bytes(out[:size_bytes]) if difference == 0 else None

    def _check(self, nonce: bytes, data: bytes, additional: bytes) -> None:
        if len(nonce) != NONCE_BYTES or len(data) > 0xFFFF or len(additional) > _ADDITIONAL_BYTES_MAX:
            raise MisuseError("a nonce of %d bytes, %d and %d bytes" % (len(nonce), len(data), len(additional)))

    def _stream(self, nonce: bytes, size_bytes: int) -> bytes:
        """The key stream: of A_0, which covers the tag, then those for the data, in whole blocks."""
        blocks = bytearray((1 + -(-size_bytes // BLOCK_BYTES)) * BLOCK_BYTES)
        for at in range(0, len(blocks), BLOCK_BYTES):
            number = at // BLOCK_BYTES
            blocks[at] = _SIZE_BYTES - 1
            blocks[at + 1 : at + 1 + NONCE_BYTES] = nonce
            blocks[at + 14] = number >> 8
            blocks[at + 15] = number & 0xFF
        return self._cipher.encrypt_blocks(blocks)

    def _tag(self, nonce: bytes, data: "bytes | bytearray", size_bytes: int, additional: bytes) -> bytes:
        """Over the first `size_bytes` of data, not yet encrypted."""
        start = BLOCK_BYTES  # of the data: behind B_0 and what is additional, with its length and padding
        if additional:
            start += -(-(2 + len(additional)) // BLOCK_BYTES) * BLOCK_BYTES
        blocks = bytearray(start + -(-size_bytes // BLOCK_BYTES) * BLOCK_BYTES)
        blocks[0] = (0x40 if additional else 0) | (self._tag_bytes - 2) // 2 << 3 | _SIZE_BYTES - 1
        blocks[1 : 1 + NONCE_BYTES] = nonce
        blocks[14] = size_bytes >> 8
        blocks[15] = size_bytes & 0xFF
        if additional:
            blocks[16] = len(additional) >> 8
            blocks[17] = len(additional) & 0xFF
            blocks[18 : 18 + len(additional)] = additional
        blocks[start : start + size_bytes] = memoryview(data)[:size_bytes]
        return self._cipher.mac(blocks)[: self._tag_bytes]
