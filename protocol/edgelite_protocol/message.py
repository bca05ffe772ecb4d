"""Messages to bytes and back: the type, the table of its fields, and the bodies inside.

Values that are already CBOR (a journaled report, a stored feed entry) are embedded as they are, so neither end
decodes what it only passes on.
"""

from edgelite_protocol import cbor
from edgelite_protocol import messages as m
from edgelite_protocol.body_tables import DESIRED, REPORT_TABLES
from edgelite_protocol.errors import MisuseError, ProtocolError
from edgelite_protocol.message_tables import MESSAGES, PURPOSES, TYPE_FIRST_SKIPPABLE
from edgelite_protocol.schema import check_map

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def read_type(payload: bytes) -> "dict[Any, Any]":
    """The map in `payload`, whose type is an integer; nothing else is checked yet. CborError, or ProtocolError
    "malformed_message"."""
    message = cbor.decode(payload)
    if not isinstance(message, dict):
        raise ProtocolError("malformed_message", "not a map")
    number = message.get(m.TYPE)
    if not isinstance(number, int) or number is True or number is False:
        raise ProtocolError("malformed_message", "no integer as type (key 0)")
    return message


def is_known(number: int) -> bool:
    """False for a type that may be skipped; ProtocolError "unknown_message" for one that must be understood."""
    if number in MESSAGES:
        return True
    if number >= TYPE_FIRST_SKIPPABLE:
        return False
    raise ProtocolError("unknown_message", "type %d" % number)


def check_message(message: "dict[Any, Any]") -> None:
    """Check the fields of a message whose type is known, and the bodies in them."""
    number = message[m.TYPE]
    name, _, fields = MESSAGES[number]
    check_map(message, fields, name)
    check_body = _BODY_CHECKS.get(number)
    if check_body is not None:
        check_body(message)


def decode_message(payload: bytes) -> "dict[Any, Any]":
    """A whole message, checked; a type that may be skipped comes back with its fields unchecked."""
    message = read_type(payload)
    if is_known(message[m.TYPE]):
        check_message(message)
    return message


def check_desired(kind: int, value: "Any") -> None:
    """Check the value of a desired entry. An unknown kind is ProtocolError "unknown_kind": a hub compiles for the
    version that the node told."""
    if kind not in DESIRED:
        raise ProtocolError("unknown_kind", "desired entry of kind %d" % kind)
    name, fields = DESIRED[kind]
    check_map(value, fields, name)


def check_report(lane: int, body: "Any") -> bool:
    """Check the body of a report; False where its kind is one that this version does not know. Producers call it
    before they journal a report, because the hub ends the session over a bad one."""
    if not isinstance(body, dict):
        raise ProtocolError("invalid_field", "report: not a map")
    kind = body.get(m.REPORT)
    if not isinstance(kind, int) or kind is True or kind is False:
        raise ProtocolError("invalid_field", "report.kind: not an integer")
    if kind not in REPORT_TABLES:
        return False
    name, lane_due, fields = REPORT_TABLES[kind]
    if lane != lane_due:
        raise ProtocolError("invalid_field", "%s: on lane %d, not %d" % (name, lane, lane_due))
    check_map(body, fields, name)
    return True


def check_open(message: "dict[Any, Any]") -> bool:
    """Check the parameters of OPEN; False where this version does not know the purpose."""
    purpose = message[2]
    if purpose not in PURPOSES:
        return False
    name, fields = PURPOSES[purpose]
    check_map(message[3], fields, "open." + name)
    return True


def _check_entry(message: "dict[Any, Any]") -> None:
    if 4 in message:
        check_desired(message[2], message[4])


def _check_snapshot_entry(message: "dict[Any, Any]") -> None:
    check_desired(message[1], message[3])


def _check_reports(message: "dict[Any, Any]") -> None:
    sequence_before = -1
    for sequence, body in message[3]:
        if sequence <= sequence_before:
            raise ProtocolError("out_of_order", "report %d after %d" % (sequence, sequence_before))
        sequence_before = sequence
        check_report(message[1], body)


def _check_hello(message: "dict[Any, Any]") -> None:
    if (m.HELLO_EPOCH in message) != (m.HELLO_DIGEST in message):
        raise ProtocolError("missing_field", "hello: epoch and digest come together")


_BODY_CHECKS = {
    m.ENTRY: _check_entry,
    m.SNAPSHOT_ENTRY: _check_snapshot_entry,
    m.REPORTS: _check_reports,
    m.HELLO: _check_hello,
    m.OPEN: check_open,
}


# ---- encoding


def encode_message(message: "dict[int, object]") -> bytes:
    """MisuseError where it is not what the tables say: it is our own."""
    try:
        check_message(message)
    except ProtocolError as error:
        raise MisuseError("own message: " + str(error)) from None
    return cbor.encode(message)


def encoded(value: object) -> bytes:
    """`value` as CBOR; bytes are taken for CBOR already."""
    if isinstance(value, bytes):
        return value
    return cbor.encode(value)


def array_head(count: int) -> bytes:
    if count < 24:
        return bytes((0x80 | count,))
    if count < 256:
        return bytes((0x98, count))
    return bytes((0x99, count >> 8, count & 255))


def encode_fields(number: int, fields: "list[tuple[int, bytes]]") -> bytes:
    """A message of type `number` whose fields, by ascending key (1 to 23), are encoded already."""
    parts = [bytes((0xA0 | (1 + len(fields)), m.TYPE)), cbor.encode(number)]
    for key, value in fields:
        parts.append(bytes((key,)))
        parts.append(value)
    return b"".join(parts)


def encode_item(sequence: int, body: object) -> bytes:
    """One report as REPORTS carries it: [sequence, body]."""
    return b"\x82" + cbor.encode(sequence) + encoded(body)


def encode_reports(lane: int, generation: int, items: "list[bytes]", journal: "bytes | None") -> bytes:
    fields = [(1, cbor.encode(lane)), (2, cbor.encode(generation)), (3, array_head(len(items)) + b"".join(items))]
    if journal is not None:
        fields.append((4, cbor.encode(journal)))
    return encode_fields(m.REPORTS, fields)


def encode_entry(revision: int, kind: int, key: str, value: object) -> bytes:
    fields = [(1, cbor.encode(revision)), (2, cbor.encode(kind)), (3, cbor.encode(key))]
    if value is not None:
        fields.append((4, encoded(value)))
    return encode_fields(m.ENTRY, fields)


def entry_value(message: "dict[Any, Any]", payload: bytes) -> "bytes | None":
    """The CBOR of an ENTRY's value as it came: a runtime with 32-bit floats could not encode it again."""
    if 4 not in message:
        return None
    if max(message) > 4:
        return cbor.encode(message[4])  # keys of a newer version stand behind it
    before = encode_entry(message[1], message[2], message[3], None)
    return payload[len(before) + 1 :]


def encode_snapshot_entry(kind: int, key: str, value: object) -> bytes:
    return encode_fields(m.SNAPSHOT_ENTRY, [(1, cbor.encode(kind)), (2, cbor.encode(key)), (3, encoded(value))])
