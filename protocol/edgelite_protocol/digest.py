"""SHA-256 where it costs least, and the digest of a feed entry.

On CPython `hashlib` loads OpenSSL's libcrypto (3.4 MB on armv7); the C module behind it costs almost nothing. Its
name changed with CPython 3.12; MicroPython and builds without it have `hashlib` itself.
"""

try:
    from _sha2 import sha256 as _sha256  # type: ignore[import-not-found]  # CPython 3.12 and later
except ImportError:
    try:
        from _sha256 import sha256 as _sha256  # type: ignore[import-not-found]  # CPython 3.11
    except ImportError:
        from hashlib import sha256 as _sha256

from . import cbor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Sha256(Protocol):
        def update(self, data: "bytes | bytearray | memoryview") -> None: ...
        def digest(self) -> bytes: ...


DIGEST_BYTES = 32
ENTRY_DIGEST_BYTES = 8  # tells histories of one hub apart; it is no defence against a hub that lies


def sha256(data: "bytes | bytearray | memoryview" = b"") -> "Sha256":
    """An object with `update(data)` and `digest() -> 32 bytes`. Call `digest` once and last: on MicroPython it
    ends the object."""
    state: Sha256 = _sha256(data)
    return state


def entry_digest(revision: int, kind: int, key: str, value: "bytes | None") -> bytes:
    """Names one entry of a node's feed: the first 8 bytes of SHA-256 over the encoding of
    [revision, kind, key, value], where `value` is the entry's encoded value or None for a deletion."""
    return sha256(cbor.encode([revision, kind, key, value])).digest()[:ENTRY_DIGEST_BYTES]
