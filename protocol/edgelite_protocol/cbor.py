"""The portable CBOR codec: RFC 8949, deterministic encoding (section 4.2.1), as profiled in SPEC.md section 2.

`encode` and `decode` are each other's inverse: whatever `decode` takes, `encode` gives back byte for byte. What is
not the one encoding of a value is refused by name (`CborError.code`), so digests may be taken over encodings.

    CBOR                                Python
    unsigned, negative integer          int, -2**64 .. 2**64 - 1
    byte string, text string            bytes, str
    array, map                          list, dict with int and str keys
    false, true, null                   False, True, None
    float: 16, 32 or 64 bits, shortest  float

Both directions are dispatched by table: by Python type, by CBOR major type. Recursion goes one frame per container
and is bounded by DEPTH_MAX, because MicroPython's stack ends somewhere between 100 and 200 calls.
"""

import struct

from . import cbor_float, utf8
from .errors import MisuseError, ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

DEPTH_MAX = 16  # containers inside one another; our own messages need 7, and 16 calls fit every stack

INTEGER_MAX = 0xFFFFFFFFFFFFFFFF  # the largest argument that a CBOR head can carry


class CborError(ProtocolError):
    """The peer's bytes are not one CBOR item of this profile; `code` says why, see SPEC.md section 2.4."""


# ---- encoding


def _append_head(out: bytearray, major: int, argument: int) -> None:
    """`major` is the major type already shifted into the high three bits."""
    if argument < 24:
        out.append(major | argument)
    elif argument < 0x100:
        out.append(major | 24)
        out.append(argument)
    elif argument < 0x10000:
        out += struct.pack(">BH", major | 25, argument)
    elif argument < 0x100000000:
        out += struct.pack(">BI", major | 26, argument)
    elif argument <= INTEGER_MAX:
        out += struct.pack(">BQ", major | 27, argument)
    else:
        raise MisuseError("an integer must lie in -2**64 .. 2**64 - 1")


def _append_none(out: bytearray, value: None, depth: int) -> None:
    out.append(0xF6)


def _append_bool(out: bytearray, value: bool, depth: int) -> None:
    out.append(0xF5 if value else 0xF4)


def _append_int(out: bytearray, value: int, depth: int) -> None:
    if 0 <= value < 24:
        out.append(value)
    elif value >= 0:
        _append_head(out, 0x00, value)
    else:
        _append_head(out, 0x20, -1 - value)


def _append_float(out: bytearray, value: float, depth: int) -> None:
    out += cbor_float.shortest(value)


def _append_bytes(out: bytearray, value: "bytes | bytearray", depth: int) -> None:
    _append_head(out, 0x40, len(value))
    out += value


def _append_memoryview(out: bytearray, value: memoryview, depth: int) -> None:
    _append_bytes(out, bytes(value), depth)  # a view may have items wider than a byte


def _append_text(out: bytearray, value: str, depth: int) -> None:
    data = utf8.encoded(value)
    if data is None:
        raise MisuseError("text with a lone surrogate has no encoding")
    _append_head(out, 0x60, len(data))
    out += data


def _append_array(out: bytearray, value: "list[object] | tuple[object, ...]", depth: int) -> None:
    if depth >= DEPTH_MAX:
        raise MisuseError("more than %d containers inside one another" % DEPTH_MAX)
    _append_head(out, 0x80, len(value))
    for item in value:
        _append_item(out, item, depth + 1)


def _append_map(out: bytearray, value: "dict[object, object]", depth: int) -> None:
    if depth >= DEPTH_MAX:
        raise MisuseError("more than %d containers inside one another" % DEPTH_MAX)
    _append_head(out, 0xA0, len(value))
    pairs = [(_encoded_key(key), item) for key, item in value.items()]
    # Bytewise order of the encoded keys (RFC 8949 section 4.2.1). Keys differ, so items are never compared.
    pairs.sort()
    for key_bytes, item in pairs:
        out += key_bytes
        _append_item(out, item, depth + 1)


def _encoded_key(key: object) -> bytes:
    out = bytearray()
    if isinstance(key, str):
        _append_text(out, key, 0)
    elif isinstance(key, int) and not isinstance(key, bool):
        _append_int(out, key, 0)
    else:
        raise MisuseError("a key must be an int or a str, not " + type(key).__name__)
    return bytes(out)


_APPENDERS: "dict[type, Callable[[bytearray, Any, int], None]]" = {
    type(None): _append_none,
    bool: _append_bool,
    int: _append_int,
    float: _append_float,
    bytes: _append_bytes,
    bytearray: _append_bytes,
    memoryview: _append_memoryview,
    str: _append_text,
    list: _append_array,
    tuple: _append_array,
    dict: _append_map,
}


def _append_item(out: bytearray, value: object, depth: int) -> None:
    appender = _APPENDERS.get(type(value)) or _appender_of_subclass(value)
    appender(out, value, depth)


def _appender_of_subclass(value: object) -> "Callable[[bytearray, Any, int], None]":
    """Namedtuples, OrderedDict and the like encode as what they extend; bool and None cannot be extended."""
    for base in (int, float, bytes, bytearray, str, list, tuple, dict):
        if isinstance(value, base):
            return _APPENDERS[base]
    raise MisuseError("no encoding for " + type(value).__name__)


def encode(value: object) -> bytes:
    """The one deterministic encoding of `value`. MisuseError where it has none: a type that is not in the table
    above, an integer of more than 64 bits, a lone surrogate, a key that is neither int nor str, too much depth."""
    out = bytearray()
    _append_item(out, value, 0)
    return bytes(out)


# ---- decoding


class _Decoder:
    """One pass over `data`; `position` is the next byte to read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0
        self.end = len(data)

    def item(self, depth: int) -> object:
        position = self.position
        if position >= self.end:
            raise CborError("cbor_truncated", "ends where an item should start, at byte %d" % position)
        initial = self.data[position]
        self.position = position + 1
        if initial < 24:
            return initial
        if initial >= 0xE0:
            return self.simple_or_float(initial)
        argument = initial & 31
        if argument >= 24:
            argument = self.argument(argument, initial)
        return _READERS[initial >> 5](self, argument, depth)

    def argument(self, information: int, initial: int) -> int:
        """The argument in the 1, 2, 4 or 8 bytes after the initial byte (RFC 8949 section 3)."""
        if information > 27:
            raise _bad_information(information, initial, self.position - 1)
        start = self.position
        size = 1 << (information - 24)
        self.position = start + size
        if self.position > self.end:
            raise CborError("cbor_truncated", "ends inside the head at byte %d" % (start - 1))
        argument = int.from_bytes(self.data[start : self.position], "big")
        # 24 is the first value that needs one byte, then each size starts where the one before it ends.
        if argument < (24 if size == 1 else 1 << (4 * size)):
            raise CborError("cbor_not_deterministic", "the head at byte %d is not the shortest" % (start - 1))
        return argument

    def require(self, size_bytes: int) -> None:
        """Before anything is allocated for what a head promises: can it still be there?"""
        if size_bytes > self.end - self.position:
            raise CborError(
                "cbor_truncated", "%d bytes are promised, %d are left" % (size_bytes, self.end - self.position)
            )

    def negative(self, argument: int, depth: int) -> int:
        return -1 - argument

    def unsigned(self, argument: int, depth: int) -> int:
        return argument

    def byte_string(self, argument: int, depth: int) -> bytes:
        self.require(argument)
        start = self.position
        self.position = start + argument
        return self.data[start : self.position]

    def text(self, argument: int, depth: int) -> str:
        start = self.position
        text = utf8.decoded(self.byte_string(argument, depth))
        if text is None:
            raise CborError("cbor_utf8", "the text at byte %d is not UTF-8" % start)
        return text

    def array(self, argument: int, depth: int) -> "list[object]":
        self.require(argument)
        self.enter(depth)
        return [self.item(depth + 1) for _ in range(argument)]

    def map(self, argument: int, depth: int) -> "dict[int | str, object]":
        self.require(2 * argument)
        self.enter(depth)
        result: dict[int | str, object] = {}
        key_before = b""  # sorts before every key
        for _ in range(argument):
            start = self.position
            key = self.key()
            key_bytes = self.data[start : self.position]
            if key_bytes <= key_before:
                raise _bad_order(start, key_bytes == key_before)
            key_before = key_bytes
            result[key] = self.item(depth + 1)
        return result

    def enter(self, depth: int) -> None:
        if depth >= DEPTH_MAX:
            raise CborError("cbor_depth", "more than %d containers inside one another" % DEPTH_MAX)

    def key(self) -> "int | str":
        # Only heads of major types 0, 1 and 3 may start a key; anything else is refused before it is read.
        if self.position < self.end and self.data[self.position] >> 5 not in (0, 1, 3):
            raise CborError("cbor_key_type", "the key at byte %d is neither int nor text" % self.position)
        return self.item(0)  # type: ignore[return-value]

    def tag(self, argument: int, depth: int) -> object:
        raise CborError("cbor_tag", "tag %d" % argument)

    def simple_or_float(self, initial: int) -> object:
        if initial in _SIMPLE:
            return _SIMPLE[initial]
        information = initial & 31
        if information < 25:
            raise CborError("cbor_simple_value", "simple value at byte %d" % (self.position - 1))
        if information > 27:
            raise _bad_information(information, initial, self.position - 1)
        start = self.position
        self.require(1 << (information - 24))
        self.position = start + (1 << (information - 24))
        value = cbor_float.READERS[information - 25](self.data[start : self.position])
        if value is None:
            raise CborError("cbor_not_deterministic", "the float at byte %d has a shorter form" % (start - 1))
        return value


def _bad_information(information: int, initial: int, position: int) -> CborError:
    if information < 31:
        return CborError("cbor_reserved", "reserved head 0x%02x at byte %d" % (initial, position))
    if initial in (0x1F, 0x3F, 0xDF):  # the types that have no indefinite form
        return CborError("cbor_reserved", "head 0x%02x at byte %d" % (initial, position))
    return CborError("cbor_indefinite_length", "head 0x%02x at byte %d" % (initial, position))


def _bad_order(position: int, duplicate: bool) -> CborError:
    if duplicate:
        return CborError("cbor_duplicate_key", "the key at byte %d came before" % position)
    return CborError("cbor_key_order", "the key at byte %d sorts before the one in front of it" % position)


_SIMPLE = {0xF4: False, 0xF5: True, 0xF6: None}

_READERS = (
    _Decoder.unsigned,
    _Decoder.negative,
    _Decoder.byte_string,
    _Decoder.text,
    _Decoder.array,
    _Decoder.map,
    _Decoder.tag,
)


def decode(data: "bytes | bytearray | memoryview") -> object:
    """The value that `data` encodes: exactly one item, nothing behind it. CborError where it is anything else
    than what `encode` gives for some value. Whatever lengths the data claims, nothing is allocated before the bytes
    for it are there: the worst is about 100 bytes of memory for each byte of data (an array of empty maps), so the
    frame bound that both ends agreed on bounds that too.

    Where floats have 32 bits, a 64-bit float loses the digits that the runtime cannot hold.
    """
    decoder = _Decoder(data if isinstance(data, bytes) else bytes(data))
    value = decoder.item(0)
    if decoder.position != decoder.end:
        raise CborError("cbor_trailing_bytes", "%d bytes behind the item" % (decoder.end - decoder.position))
    return value
