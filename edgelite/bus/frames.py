"""What goes between a local process and the bus (SPEC.md, section 20): frames of a byte stream, a CBOR map in each."""

from edgelite.bus.bus import PAYLOAD_BYTES_MAX
from edgelite.bus.topics import TOPIC_BYTES_MAX
from edgelite_protocol import cbor, schema
from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.frames import encode_frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSION = 1
STREAM = 0  # the only one
FRAME_BYTES_MAX = PAYLOAD_BYTES_MAX + TOPIC_BYTES_MAX + 64  # a message and its heads
NAME_BYTES_MAX = 64
TEXT_LENGTH_MAX = 256  # of a reason, in characters

KIND = 0
NUMBER = 1
TOPIC = 2  # or a filter
PAYLOAD = 3
RETAIN = 4
CODE = 5
TEXT = 6
COUNT = 7
PROTOCOL_VERSION = 8
NAME = 9

HELLO = 1  # the process' first: version, its name
WELCOME = 2  # version, the node's name
SUBSCRIBE = 3  # number, filter
UNSUBSCRIBE = 4  # number, filter
PUBLISH = 5  # number, topic, payload, retain
PING = 6  # number
ACKNOWLEDGE = 7  # number; code and text where it was refused
MESSAGE = 8  # topic, payload, retain: it was kept from earlier
DROPPED = 9  # count of messages that this process lost here, because it took them too slowly
END = 10  # code, text: the agent closes

_NUMBER = (NUMBER, "number", schema.REQUIRED, (schema.UINT, 0, 0xFFFFFFFF, None))
_TOPIC = (TOPIC, "topic", schema.REQUIRED, (schema.TEXT, 0, FRAME_BYTES_MAX, None))  # topics.py says what is wrong
_VERSION = (PROTOCOL_VERSION, "version", schema.REQUIRED, (schema.UINT, 1, 0xFF, None))
_NAME = (NAME, "name", schema.OPTIONAL, (schema.TEXT, 0, NAME_BYTES_MAX, None))
_PAYLOAD = (PAYLOAD, "payload", schema.REQUIRED, (schema.BYTES, 0, FRAME_BYTES_MAX, None))
_RETAIN = (RETAIN, "retain", schema.OPTIONAL, (schema.BOOL, 0, 0, None))

# Of what a process may send.
TABLES: "dict[int, tuple[Any, ...]]" = {
    HELLO: (_VERSION, _NAME),
    SUBSCRIBE: (_NUMBER, _TOPIC),
    UNSUBSCRIBE: (_NUMBER, _TOPIC),
    PUBLISH: (_NUMBER, _TOPIC, _PAYLOAD, _RETAIN),
    PING: (_NUMBER,),
}


def decode(payload: bytes) -> "dict[int, Any]":
    """One frame of a local process, checked against its table. ProtocolError says what is wrong with it."""
    item: Any = cbor.decode(payload)
    if not isinstance(item, dict):
        raise ProtocolError("bus_frame", "a frame is a map")
    kind: Any = item.get(KIND)
    is_number = isinstance(kind, int) and kind is not True and kind is not False  # one runtime takes True for 1
    fields = TABLES.get(kind) if is_number else None
    if fields is None:
        raise ProtocolError("bus_frame", "no frame of a local process is of this kind")
    schema.check_map(item, fields, "frame")
    return item


def encode(kind: int, fields: "dict[int, object]") -> bytes:
    item: dict[int, object] = {KIND: kind}
    item.update(fields)
    return encode_frame(STREAM, cbor.encode(item))
