"""Checks what a peer sent against tables: `check_map` and the kinds of value that a table can name.

A field is (key, name, REQUIRED or OPTIONAL, spec); a spec is (kind, low, high, more):

    UINT, INT     low <= value <= high
    FLOAT         a number
    BOOL
    BYTES         low <= length <= high, in bytes
    TEXT          low <= length <= high, in UTF-8 bytes; `more`: the only texts allowed, or None
    SCALAR        an integer, number, text, byte string or truth value of at most `high` bytes
    LIST          low <= count <= high; `more`: the spec of each element
    TUPLE         an array; `more`: the specs by place, of which the first `low` must be there
    TEXT_MAP      {text: spec}, low <= count <= high; `more`: the spec of each value
    MAP           a map with integer keys; `more`: its table of fields
    TIME          [Unix ms, 1], or [monotonic ms, 0, boot id of 16 bytes]
    ANY           whatever the codec admits; the frame bounds its size

Every refusal is a ProtocolError whose text starts with the path of what is wrong: "hello.epoch: 7 bytes, not 8".
"""

from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.messages import TIME_MONOTONIC, TIME_UNIX

UINT = 1
INT = 2
FLOAT = 3
BOOL = 4
BYTES = 5
TEXT = 6
SCALAR = 7
LIST = 8
TUPLE = 9
TEXT_MAP = 10
MAP = 11
ANY = 12
TIME = 13

REQUIRED = True
OPTIONAL = False

UINT_MAX = 0xFFFFFFFFFFFFFFFF
KEY_BYTES_MAX = 1024  # of a text key: an environment variable's or a property's name

# milliseconds, source, boot id
_TIME_PARTS = (
    (UINT, 0, UINT_MAX, None),
    (UINT, TIME_MONOTONIC, TIME_UNIX, None),
    (BYTES, 16, 16, None),
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _refuse(path: str, text: str) -> "ProtocolError":
    return ProtocolError("invalid_field", path + ": " + text)


def _is_bool(value: "Any") -> bool:
    return value is True or value is False


def _is_int(value: "Any") -> bool:
    return isinstance(value, int) and not _is_bool(value)


def _within(path: str, what: str, number: int, low: int, high: int) -> None:
    if not low <= number <= high:
        raise _refuse(path, "%s %d is not within %d to %d" % (what, number, low, high))


def _check_int(value: "Any", spec: "Any", path: str) -> None:
    if not _is_int(value):
        raise _refuse(path, "not an integer")
    _within(path, "value", value, spec[1], spec[2])


def _check_float(value: "Any", spec: "Any", path: str) -> None:
    if not isinstance(value, float) and not _is_int(value):
        raise _refuse(path, "not a number")


def _check_bool(value: "Any", spec: "Any", path: str) -> None:
    if not _is_bool(value):
        raise _refuse(path, "neither true nor false")


def _check_bytes(value: "Any", spec: "Any", path: str) -> None:
    if not isinstance(value, bytes):
        raise _refuse(path, "not a byte string")
    _within(path, "length", len(value), spec[1], spec[2])


def _check_text(value: "Any", spec: "Any", path: str) -> None:
    if not isinstance(value, str):
        raise _refuse(path, "not a text")
    _within(path, "length", len(value.encode()), spec[1], spec[2])
    if spec[3] is not None and value not in spec[3]:
        raise _refuse(path, "not one of " + ", ".join(spec[3]))


def _check_scalar(value: "Any", spec: "Any", path: str) -> None:
    if _is_bool(value) or isinstance(value, float):
        return
    if isinstance(value, bytes):
        _within(path, "length", len(value), 0, spec[2])
    elif isinstance(value, str):
        _within(path, "length", len(value.encode()), 0, spec[2])
    elif not _is_int(value):
        raise _refuse(path, "neither number, text, bytes nor truth value")


def _check_list(value: "Any", spec: "Any", path: str) -> None:
    if not isinstance(value, list):
        raise _refuse(path, "not an array")
    _within(path, "count", len(value), spec[1], spec[2])
    for index in range(len(value)):
        check(value[index], spec[3], "%s[%d]" % (path, index))


def _check_tuple(value: "Any", spec: "Any", path: str) -> None:
    if not isinstance(value, list):
        raise _refuse(path, "not an array")
    elements = spec[3]
    _within(path, "count", len(value), spec[1], len(elements))
    for index in range(len(value)):
        check(value[index], elements[index], "%s[%d]" % (path, index))


def _check_text_map(value: "Any", spec: "Any", path: str) -> None:
    if not isinstance(value, dict):
        raise _refuse(path, "not a map")
    _within(path, "count", len(value), spec[1], spec[2])
    for key in value:
        if not isinstance(key, str):
            raise _refuse(path, "a key that is no text")
        _within(path, "length of a key", len(key.encode()), 0, KEY_BYTES_MAX)
        check(value[key], spec[3], path + "." + key)


def _check_time(value: "Any", spec: "Any", path: str) -> None:
    if not isinstance(value, list) or len(value) < 2:
        raise _refuse(path, "not a time")
    _check_int(value[0], _TIME_PARTS[0], path + "[0]")
    _check_int(value[1], _TIME_PARTS[1], path + "[1]")
    if len(value) != (2 if value[1] == TIME_UNIX else 3):
        raise _refuse(path, "a boot id comes with monotonic time, and with nothing else")
    if value[1] == TIME_MONOTONIC:
        _check_bytes(value[2], _TIME_PARTS[2], path + "[2]")


def _check_nested(value: "Any", spec: "Any", path: str) -> None:
    check_map(value, spec[3], path)


def _check_any(value: "Any", spec: "Any", path: str) -> None:
    return


_CHECKS = {
    UINT: _check_int,
    INT: _check_int,
    FLOAT: _check_float,
    BOOL: _check_bool,
    BYTES: _check_bytes,
    TEXT: _check_text,
    SCALAR: _check_scalar,
    LIST: _check_list,
    TUPLE: _check_tuple,
    TEXT_MAP: _check_text_map,
    MAP: _check_nested,
    TIME: _check_time,
    ANY: _check_any,
}


def check(value: "Any", spec: "Any", path: str) -> None:
    """Raise ProtocolError where `value` is not what `spec` says."""
    _CHECKS[spec[0]](value, spec, path)


def check_map(value: "Any", fields: "Any", path: str) -> None:
    """Raise ProtocolError where `value` is no map of `fields`: "missing_field", "invalid_field", or
    "must_understand" for an unknown key below 0. Unknown keys from 0 on are left as they are."""
    if not isinstance(value, dict):
        raise _refuse(path, "not a map")
    for field in fields:
        if field[0] in value:
            check(value[field[0]], field[3], path + "." + field[1])
        elif field[2]:
            raise ProtocolError("missing_field", path + "." + field[1])
    _check_unknown(value, fields, path)


def _check_unknown(value: "dict[Any, Any]", fields: "Any", path: str) -> None:
    for key in value:
        if not _is_int(key):
            raise _refuse(path, "a key that is no integer")
        if key < 0 and not any(field[0] == key for field in fields):
            raise ProtocolError("must_understand", "%s: key %d" % (path, key))
