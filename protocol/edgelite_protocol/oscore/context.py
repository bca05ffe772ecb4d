"""OSCORE security contexts and protected requests (RFC 8613, sections 3, 5, 6 and 8).

The caller hands in and gets back the plaintext of section 5.3 (code, class E options, payload marker, payload), and
pairs of (value of the OSCORE option, ciphertext), so no CoAP library is needed. There are no class I options.
"""

from edgelite_protocol import cbor
from edgelite_protocol.errors import MisuseError, ProtocolError
from edgelite_protocol.oscore import hkdf
from edgelite_protocol.oscore.ccm import NONCE_BYTES, Ccm
from edgelite_protocol.oscore.ciphers import KEY_BYTES, aes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Aead(Protocol):
        def seal(self, nonce: bytes, plaintext: bytes, additional: bytes) -> bytes: ...
        def open(self, nonce: bytes, ciphertext: bytes, additional: bytes) -> "bytes | None": ...


ALGORITHM = 10  # AES-CCM-16-64-128 in COSE's registry
VERSION = 1
SEQUENCE_MAX = (1 << 40) - 1
ID_BYTES_MAX = NONCE_BYTES - 6
ID_CONTEXT_BYTES_MAX = 64
_PIV_BYTES_MAX = 5
_KID_FLAG = 0x08
_CONTEXT_FLAG = 0x10
_STRUCTURE = b"\x83\x68Encrypt0\x40"
FAILED = "oscore_failed"


def ccm(key: bytes) -> "Aead":
    """AES-CCM-16-64-128 as this platform has it."""
    return Ccm(aes(key))


class Keys:
    """What an end was provisioned with. Its own id and the peer's differ, and have at most 7 bytes."""

    def __init__(self, master_secret: bytes, master_salt: bytes, sender_id: bytes, recipient_id: bytes) -> None:
        if sender_id == recipient_id or max(len(sender_id), len(recipient_id)) > ID_BYTES_MAX:
            raise MisuseError("two different ids of at most 7 bytes are needed")
        self.master_secret = master_secret
        self.master_salt = master_salt
        self.sender_id = sender_id
        self.recipient_id = recipient_id


class Option:
    """The value of the OSCORE option (section 6.1). `partial_iv`, `kid` and `kid_context` are None where absent."""

    def __init__(
        self, partial_iv: "bytes | None", kid: "bytes | None" = None, kid_context: "bytes | None" = None
    ) -> None:
        self.partial_iv = partial_iv
        self.kid = kid
        self.kid_context = kid_context

    def encode(self) -> bytes:
        flags = len(self.partial_iv or b"")
        rest = self.partial_iv or b""
        if self.kid_context is not None:
            flags |= _CONTEXT_FLAG
            rest += bytes([len(self.kid_context)]) + self.kid_context
        if self.kid is not None:
            flags |= _KID_FLAG
            rest += self.kid
        return bytes([flags]) + rest if flags else b""


def decode_option(value: bytes) -> Option:
    """ProtocolError "oscore_failed" for one that breaks section 6.1."""
    if not value:
        return Option(None)
    flags = value[0]
    size_bytes = flags & 7
    end = 1 + size_bytes
    if flags & 0xE0 or size_bytes > _PIV_BYTES_MAX or len(value) < end:
        raise ProtocolError(FAILED, "an option value that is reserved or cut off")
    partial_iv = value[1:end] if size_bytes else None
    if size_bytes > 1 and value[1] == 0:
        raise ProtocolError(FAILED, "a Partial IV with leading zeros")
    kid_context = None
    if flags & _CONTEXT_FLAG:
        size_bytes = value[end] if end < len(value) else ID_CONTEXT_BYTES_MAX + 1
        if size_bytes > ID_CONTEXT_BYTES_MAX or len(value) < end + 1 + size_bytes:
            raise ProtocolError(FAILED, "a kid context that is too long or cut off")
        kid_context = value[end + 1 : end + 1 + size_bytes]
        end += 1 + size_bytes
    if not flags & _KID_FLAG and end != len(value):
        raise ProtocolError(FAILED, "bytes behind the option's fields")
    return Option(partial_iv, value[end:] if flags & _KID_FLAG else None, kid_context)


def encode_sequence(sequence: int) -> bytes:
    """As a Partial IV: without leading zeros, and never empty."""
    size_bytes = 1
    while sequence >> 8 * size_bytes:
        size_bytes += 1
    return sequence.to_bytes(size_bytes, "big")


class ReplayWindow:
    """Section 7.4: each number once, in any order, no further back than `size` (the default of 32)."""

    def __init__(self, size: int = 32) -> None:
        self._size = size
        self._newest = -1
        self._seen = 0  # bit n: the newest less n

    def admits(self, sequence: int) -> bool:
        back = self._newest - sequence
        return back < 0 or (back < self._size and not self._seen >> back & 1)

    def note(self, sequence: int) -> None:
        """It was authentic, so it counts."""
        if sequence > self._newest:
            ahead = min(sequence - self._newest, self._size)
            self._seen = (self._seen << ahead | 1) & (1 << self._size) - 1
            self._newest = sequence
        else:
            self._seen |= 1 << self._newest - sequence


class StrictOrder:
    """A window for carriers that lose and reorder nothing: only the next number is admitted, so that what somebody
    in between took out, repeated or moved is noticed with the next message."""

    def __init__(self) -> None:
        self._next = 0

    def admits(self, sequence: int) -> bool:
        return sequence == self._next

    def note(self, sequence: int) -> None:
        self._next = sequence + 1


class Context:
    """A security context (section 3). `aead(key)` makes the cipher; `window` is what judges Partial IVs.

    No two contexts may ever have equal keys, ids and id context: their nonces would be equal too.
    """

    def __init__(
        self,
        keys: Keys,
        id_context: "bytes | None",
        window: "ReplayWindow | StrictOrder | None" = None,
        aead: "Callable[[bytes], Aead]" = ccm,
    ) -> None:
        self.sender_id = keys.sender_id
        self.recipient_id = keys.recipient_id
        self.id_context = id_context
        self.sequence = 0  # of the next message that this end protects
        self.window = window or ReplayWindow()
        secret = hkdf.extract(keys.master_salt, keys.master_secret)
        self.sender_key = self._derive(secret, keys.sender_id, "Key", KEY_BYTES)
        self.recipient_key = self._derive(secret, keys.recipient_id, "Key", KEY_BYTES)
        self.common_iv = self._derive(secret, b"", "IV", NONCE_BYTES)
        self.sender = aead(self.sender_key)
        self.recipient = aead(self.recipient_key)

    def _derive(self, secret: bytes, identifier: bytes, kind: str, size_bytes: int) -> bytes:
        """Section 3.2.1."""
        info = cbor.encode([identifier, self.id_context, ALGORITHM, kind, size_bytes])
        return hkdf.expand(secret, info, size_bytes)

    def nonce(self, identifier: bytes, partial_iv: bytes) -> bytes:
        """Section 5.2; `identifier` is the id of the end whose sequence number it is."""
        nonce = bytearray(self.common_iv)
        nonce[0] ^= len(identifier)
        for index in range(len(identifier)):
            nonce[1 + ID_BYTES_MAX - len(identifier) + index] ^= identifier[index]
        for index in range(len(partial_iv)):
            nonce[NONCE_BYTES - len(partial_iv) + index] ^= partial_iv[index]
        return bytes(nonce)

    def take_partial_iv(self) -> bytes:
        """The next sequence number, which is then used up."""
        if self.sequence > SEQUENCE_MAX:
            raise MisuseError("this security context has no sequence number left")
        partial_iv = encode_sequence(self.sequence)
        self.sequence += 1
        return partial_iv

    def seal_request(self, plaintext: bytes, tell_context: bool = False) -> "tuple[bytes, bytes]":
        """(option value, ciphertext); `tell_context` puts the id context into the option."""
        partial_iv = self.take_partial_iv()
        option = Option(partial_iv, self.sender_id, self.id_context if tell_context else None)
        nonce = self.nonce(self.sender_id, partial_iv)
        return option.encode(), self.sender.seal(nonce, plaintext, additional_data(self.sender_id, partial_iv))

    def open_request(self, value: bytes, ciphertext: bytes) -> bytes:
        """The plaintext of a request of the peer's; ProtocolError "oscore_failed", and then nothing has changed."""
        option = decode_option(value)
        if option.kid != self.recipient_id or option.partial_iv is None:
            raise ProtocolError(FAILED, "not the peer's id, or no Partial IV")
        if option.kid_context is not None and option.kid_context != self.id_context:
            raise ProtocolError(FAILED, "another id context")
        return self.open_numbered(option.partial_iv, ciphertext, self.recipient_id, option.partial_iv)

    def open_numbered(self, partial_iv: bytes, ciphertext: bytes, request_kid: bytes, request_piv: bytes) -> bytes:
        """What the peer sealed under a sequence number of its own."""
        sequence = int.from_bytes(partial_iv, "big")
        if not self.window.admits(sequence):
            raise ProtocolError(FAILED, "message %d came before, or is out of order" % sequence)
        nonce = self.nonce(self.recipient_id, partial_iv)
        plaintext = self.recipient.open(nonce, ciphertext, additional_data(request_kid, request_piv))
        if plaintext is None:
            raise ProtocolError(FAILED, "message %d does not verify" % sequence)
        self.window.note(sequence)
        return plaintext


def additional_data(request_kid: bytes, request_piv: bytes) -> bytes:
    """Section 5.4: ["Encrypt0", h'', external AAD], the latter being [1, [10], kid, Partial IV, h''] as a byte string.
    All of it is so short that each length has its place in one byte."""
    size_bytes = 7 + len(request_kid) + len(request_piv)
    external = bytes([0x85, VERSION, 0x81, ALGORITHM, 0x40 + len(request_kid)]) + request_kid
    return _STRUCTURE + bytes([0x40 + size_bytes]) + external + bytes([0x40 + len(request_piv)]) + request_piv + b"\x40"
