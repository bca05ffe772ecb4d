"""AES-128 where it costs least: MicroPython's `cryptolib`; on CPython, where the same would load OpenSSL's libcrypto
(3.4 MB on armv7), Python's own arithmetic, which is fast enough for a serial line."""

try:
    from cryptolib import aes as _native  # type: ignore[import-not-found]  # MicroPython
except ImportError:
    _native = None

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Aes(Protocol):
        def encrypt_blocks(self, blocks: "bytes | bytearray") -> bytes: ...
        def mac(self, blocks: "bytes | bytearray") -> bytes: ...


BLOCK_BYTES = 16
KEY_BYTES = 16
_ECB = 1
_CBC = 2


class NativeAes:
    """`cryptolib`'s AES. Input is a multiple of 16 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encrypt_blocks(self, blocks: "bytes | bytearray") -> bytes:
        """Each block on its own."""
        out: bytes = _native(self._key, _ECB).encrypt(blocks)
        return out

    def mac(self, blocks: "bytes | bytearray") -> bytes:
        """The last block of CBC with a zero initial vector."""
        out: bytes = _native(self._key, _CBC, bytes(BLOCK_BYTES)).encrypt(blocks)
        return out[-BLOCK_BYTES:]


def aes(key: bytes) -> "Aes":
    """AES-128 with `key` (16 bytes)."""
    if _native is not None:
        return NativeAes(key)
    from edgelite_protocol.oscore.aes import Aes  # its tables are made when they are needed

    return Aes(key)
