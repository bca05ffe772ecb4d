"""Both ends of a session that lies on OSCORE (protocol/SPEC.md, section 16): the opening, then pieces of the session's
byte stream, each one a protected request.

    node                                            hub
      BEGIN  version, kid, counter, random  ------>
             <------------------------ CHALLENGE  nonce
      PROTECTED, numbers 0, 1, 2, ...  <---------->  PROTECTED, numbers 0, 1, 2, ...

Both derive the session's keys with the id context nonce | counter | random. The counter never comes twice from one
node (edgelite/counters.py), the nonce never from a hub, so keys never repeat, each end knows the session for fresh,
and numbers may start at 0.
"""

from edgelite_protocol.errors import MisuseError, ProtocolError
from edgelite_protocol.oscore.context import FAILED, ID_BYTES_MAX, Context, Keys, StrictOrder, ccm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edgelite_protocol.oscore.context import Aead

PROTECTED = 0
BEGIN = 1
CHALLENGE = 2

VERSION = 1
COUNTER_BYTES = 4
RANDOM_BYTES = 8
NONCE_BYTES = 16
MESSAGE_BYTES_MAX = 240  # fits one packet on a line
PIECE_BYTES_MAX = 208  # of the session's stream: leaves room for the longest option value and kid
_PLAIN_HEAD = b"\x02\xff"  # POST without options, then the payload (RFC 8613, section 5.3)


def encode_begin(kid: bytes, counter: int, random: bytes) -> bytes:
    return bytes([BEGIN, VERSION, len(kid)]) + kid + counter.to_bytes(COUNTER_BYTES, "big") + random


def decode_begin(message: bytes) -> "tuple[bytes, bytes]":
    """(kid, the node's part of the id context); ProtocolError."""
    if len(message) < 3 or message[0] != BEGIN:
        raise ProtocolError("unexpected_message", "a session on OSCORE starts with BEGIN")
    if message[1] != VERSION:
        raise ProtocolError("unsupported_version", "version %d of the opening" % message[1])
    end = 3 + message[2]
    if message[2] > ID_BYTES_MAX or len(message) != end + COUNTER_BYTES + RANDOM_BYTES:
        raise ProtocolError("malformed_message", "BEGIN of %d bytes" % len(message))
    return message[3:end], message[end:]


class _End:
    """Protects and reads pieces once `_context` is there."""

    def __init__(self, aead: "Callable[[bytes], Aead]") -> None:
        self._aead = aead
        self._context: Context | None = None

    @property
    def ready(self) -> bool:
        """Pieces may be protected."""
        return self._context is not None

    def _derive(self, keys: Keys, nonce: bytes, node_part: bytes) -> None:
        self._context = Context(keys, nonce + node_part, StrictOrder(), self._aead)

    def protect(self, piece: bytes) -> bytes:
        """The message that carries `piece`, 1 to 208 bytes of the session's stream."""
        if self._context is None or not 0 < len(piece) <= PIECE_BYTES_MAX:
            raise MisuseError("nothing can be protected yet, or %d bytes are no piece" % len(piece))
        option, ciphertext = self._context.seal_request(_PLAIN_HEAD + piece)
        return bytes([PROTECTED, len(option)]) + option + ciphertext

    def _unprotect(self, message: bytes) -> bytes:
        context = self._context
        if context is None or len(message) < 2 or message[0] != PROTECTED or len(message) < 2 + message[1]:
            raise ProtocolError("unexpected_message", "a message that cannot come now")
        end = 2 + message[1]
        plaintext = context.open_request(message[2:end], message[end:])
        if plaintext[:2] != _PLAIN_HEAD:
            raise ProtocolError(FAILED, "a protected message with another head")
        return plaintext[2:]


class NodeEnd(_End):
    """`counter` must never have been used before with these keys; `random` is 8 bytes."""

    def __init__(self, keys: Keys, counter: int, random: bytes, aead: "Callable[[bytes], Aead]" = ccm) -> None:
        super().__init__(aead)
        self._keys = keys
        self.begin = encode_begin(keys.sender_id, counter, random)

    def receive(self, message: bytes) -> bytes:
        """The next bytes of the session's stream, b"" for the challenge. ProtocolError ends the connection."""
        if self._context is None:
            if len(message) != 1 + NONCE_BYTES or message[0] != CHALLENGE:
                raise ProtocolError("unexpected_message", "a challenge was due")
            self._derive(self._keys, message[1:], decode_begin(self.begin)[1])
            return b""
        return self._unprotect(message)


class HubEnd(_End):
    """`begin` is the node's first message, `nonce` 16 random bytes that never come twice."""

    def __init__(self, keys: Keys, begin: bytes, nonce: bytes, aead: "Callable[[bytes], Aead]" = ccm) -> None:
        super().__init__(aead)
        self._derive(keys, nonce, decode_begin(begin)[1])
        self.challenge = bytes([CHALLENGE]) + nonce
        self.confirmed = False  # the peer has shown that it has the keys

    def receive(self, message: bytes) -> bytes:
        """The next bytes of the session's stream. ProtocolError ends the connection."""
        piece = self._unprotect(message)
        self.confirmed = True
        return piece
