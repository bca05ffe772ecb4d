"""What an agent and the process of a driver say to each other: protocol/SPEC.md, section 19. Both ends use this one.

Frames as on every byte stream of edgelite (`edgelite_protocol.frames`), stream 0; a frame is one CBOR map with integer
keys, 0 its type. Unknown types from 128 on, and unknown keys from 0 on, are skipped.
"""

from edgelite_protocol import cbor, schema
from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.frames import PAYLOAD_BYTES_MAX, FrameReader, encode_frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAJOR = 1  # another one is not understood
MINOR = 0
FRAME_BYTES_MAX = 16 * 1024  # what an end takes that says nothing else: 500 values with their names
FRAME_BYTES_MIN = 1024
REQUESTS_MAX = 256  # under way at a time; more is refused at once
PROPERTIES_MAX = 512  # of one device

TYPE = 0
HELLO, REQUEST, LISTEN, IGNORE, RESULT, PING, PONG = 1, 2, 3, 4, 5, 6, 7
HELLO_MAJOR, HELLO_MINOR, HELLO_DRIVER, HELLO_FRAME_BYTES_MAX = 1, 2, 3, 4
NUMBER = 1
REQUEST_PROTOCOL, REQUEST_PROPERTIES, REQUEST_VALUE = 2, 3, 4
RESULT_VALUES, RESULT_ERRORS, RESULT_ANSWERED, RESULT_AGE_MS = 2, 3, 4, 5

_FIRST_SKIPPABLE = 128
_NUMBER = (NUMBER, "number", schema.REQUIRED, (schema.UINT, 0, 0xFFFFFFFF, None))
_PROPERTY = (schema.TUPLE, 2, 2, ((schema.ANY, 0, 0, None), (schema.TEXT, 0, 32, None)))
_PROTOCOL = (REQUEST_PROTOCOL, "protocol", schema.REQUIRED, (schema.ANY, 0, 0, None))
_PROPERTIES = (REQUEST_PROPERTIES, "properties", schema.REQUIRED, (schema.TEXT_MAP, 1, PROPERTIES_MAX, _PROPERTY))
_SCALAR = (schema.SCALAR, 0, PAYLOAD_BYTES_MAX, None)
_VALUE = (REQUEST_VALUE, "value", schema.OPTIONAL, _SCALAR)
_TEXT = (schema.TEXT, 0, PAYLOAD_BYTES_MAX, None)
_FIELDS = {
    HELLO: (
        (HELLO_MAJOR, "major", schema.REQUIRED, (schema.UINT, 0, 0xFFFF, None)),
        (HELLO_MINOR, "minor", schema.REQUIRED, (schema.UINT, 0, 0xFFFF, None)),
        (HELLO_DRIVER, "driver", schema.REQUIRED, (schema.TEXT, 1, 64, None)),
        (
            HELLO_FRAME_BYTES_MAX,
            "frame_bytes_max",
            schema.REQUIRED,
            (schema.UINT, FRAME_BYTES_MIN, PAYLOAD_BYTES_MAX, None),
        ),
    ),
    REQUEST: (_NUMBER, _PROTOCOL, _PROPERTIES, _VALUE),
    LISTEN: (_NUMBER, _PROTOCOL, _PROPERTIES),
    IGNORE: (_NUMBER,),
    RESULT: (
        _NUMBER,
        (RESULT_VALUES, "values", schema.REQUIRED, (schema.TEXT_MAP, 0, PROPERTIES_MAX, _SCALAR)),
        (RESULT_ERRORS, "errors", schema.REQUIRED, (schema.TEXT_MAP, 0, PROPERTIES_MAX, _TEXT)),
        (RESULT_ANSWERED, "answered", schema.REQUIRED, (schema.BOOL, 0, 0, None)),
        (RESULT_AGE_MS, "age_ms", schema.OPTIONAL, (schema.UINT, 0, 0xFFFFFFFF, None)),
    ),
    PING: (_NUMBER,),
    PONG: (_NUMBER,),
}
_NAMES = {1: "hello", 2: "request", 3: "listen", 4: "ignore", 5: "result", 6: "ping", 7: "pong"}


def encode(message: "dict[int, object]") -> bytes:
    """One frame. MisuseError where what a driver gave has no encoding, or is too long for any frame."""
    return encode_frame(0, cbor.encode(message))


def hello(driver: str, frame_bytes_max: int) -> bytes:
    return encode(
        {
            TYPE: HELLO,
            HELLO_MAJOR: MAJOR,
            HELLO_MINOR: MINOR,
            HELLO_DRIVER: driver,
            HELLO_FRAME_BYTES_MAX: frame_bytes_max,
        }
    )


def numbered(kind: int, number: int) -> bytes:
    """An ignore, a ping or a pong."""
    return encode({TYPE: kind, NUMBER: number})


class Messages:
    """The messages in what the other end sends, checked. The first one is its hello."""

    def __init__(self, driver: str, frame_bytes_max: int) -> None:
        self._driver = driver
        self._reader = FrameReader(frame_bytes_max)
        self.peer_bytes_max = 0  # what the other end takes in one frame; 0 until its hello

    def feed(self, data: "bytes | memoryview") -> None:
        self._reader.feed(data)

    def next(self) -> "dict[int, Any] | None":
        """The next one that counts; None until more is fed. ProtocolError where the other end breaks the rules: the
        connection is to be closed."""
        while True:
            frame = self._reader.next_frame()
            if frame is None:
                return None
            message = self._checked(frame[1])
            if message is not None:
                return message

    def _checked(self, payload: bytes) -> "dict[int, Any] | None":
        message: Any = cbor.decode(payload)
        kind = message.get(TYPE) if isinstance(message, dict) else None
        if not isinstance(kind, int) or kind is True or kind is False or kind < 0:
            raise ProtocolError("malformed_message", "a message without a type")
        fields = _FIELDS.get(kind)
        if fields is None:
            if kind < _FIRST_SKIPPABLE:
                raise ProtocolError("unknown_message", "type %d" % kind)
            return None
        schema.check_map(message, fields, _NAMES[kind])
        if (kind == HELLO) != (self.peer_bytes_max == 0):
            raise ProtocolError("unexpected_message", _NAMES[kind] + " at this point")
        if kind == HELLO:
            self._greet(message)
        return message  # type: ignore[no-any-return]

    def _greet(self, message: "dict[int, Any]") -> None:
        if message[HELLO_MAJOR] != MAJOR:
            raise ProtocolError(
                "unsupported_version", "the other end speaks version %d, this one %d" % (message[HELLO_MAJOR], MAJOR)
            )
        if message[HELLO_DRIVER] != self._driver:
            raise ProtocolError("unexpected_driver", "it is %s, not %s" % (message[HELLO_DRIVER], self._driver))
        self.peer_bytes_max = message[HELLO_FRAME_BYTES_MAX]
