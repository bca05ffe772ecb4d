"""What a gateway and a hub say on the connection that carries one attached node (SPEC.md, section 18).

The bytes are frames (section 3.1) whose stream id is one of the kinds below. Its first frame, RELAY, tells such a
connection from a session, which begins on stream 0.
"""

from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.frames import FrameReader, encode_frame
from edgelite_protocol.line import MESSAGE_BYTES_MAX, REASON_BYTES_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

RELAY = 0xE0  # gateway: version, first credit
MESSAGE = 0xE1  # both: one message of the node's or to the node
CREDIT = 0xE2  # gateway: so many more messages may come
END = 0xE3  # both: why the connection ends, for a person

VERSION = 1
_SIZES = {RELAY: 2, CREDIT: 1}  # of payloads that have one size
CREDIT_MAX = 16  # messages that may be under way to one node


def begin(credit: int) -> bytes:
    return encode_frame(RELAY, bytes([VERSION, credit]))


def message(data: bytes) -> bytes:
    return encode_frame(MESSAGE, data)


def credit(count: int) -> bytes:
    return encode_frame(CREDIT, bytes([count]))


def end(reason: str) -> bytes:
    return encode_frame(END, reason.encode()[:REASON_BYTES_MAX])


def end_text(payload: bytes) -> str:
    try:
        return payload[:REASON_BYTES_MAX].decode() or "ended"
    except UnicodeError:
        return "ended"


class RelayReader:
    """Cuts a connection's bytes into (kind, payload)."""

    def __init__(self) -> None:
        self._reader = FrameReader(MESSAGE_BYTES_MAX)

    def frames(self, data: "bytes | memoryview") -> "Iterator[tuple[int, bytes]]":
        """Those that are whole with `data`; ProtocolError for what is no frame of a relay."""
        self._reader.feed(data)
        while True:
            frame = self._reader.next_frame()
            if frame is None:
                return
            kind, payload = frame
            if not RELAY <= kind <= END or len(payload) != _SIZES.get(kind, len(payload)):
                raise ProtocolError("malformed_message", "no frame of a relay")
            yield kind, payload
