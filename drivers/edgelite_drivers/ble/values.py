"""Bytes of a characteristic or an advertisement to a typed value, and back.

Four ways: by `type`, by KubeEdge's `dataConverter`, by KubeEdge's `dataWrite` (names for bytes), or as they are. Bytes
are little-endian unless `bigEndian` says otherwise: that is the order of Bluetooth.
"""

import struct

from edgelite.driver import ConfigurationError
from edgelite_drivers.ble.data_converter import DataConverter, ValueRefused, convert, convert_back
from edgelite_protocol import utf8
from edgelite_protocol.values import FLOAT32_MAX, is_finite, is_number, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    Value = int | float | str | bool | bytes

__all__ = ["Codec", "ValueRefused", "decode", "encode", "integer", "number_of", "size_bytes"]

# type: bytes (0: as many as there are), signed
INTEGERS = {
    "uint8": (1, False),
    "int8": (1, True),
    "uint16": (2, False),
    "int16": (2, True),
    "uint24": (3, False),
    "int24": (3, True),
    "uint32": (4, False),
    "int32": (4, True),
    "uint48": (6, False),
    "uint64": (8, False),
    "int64": (8, True),
}
# type: bytes, struct code; the medical ones are IEEE 11073-20601's, as health devices have them
FLOATS = {"float32": (4, "f"), "float64": (8, "d"), "medfloat16": (2, ""), "medfloat32": (4, "")}
OTHERS = ("bool", "string", "bytes")
_SPECIAL16 = (0x07FE, 0x07FF, 0x0800, 0x0801, 0x0802)  # mantissas that are no number: infinite, NaN, NRes, reserved
_SPECIAL32 = (0x7FFFFE, 0x7FFFFF, 0x800000, 0x800001, 0x800002)


class Codec:
    """How bytes become a value. One of `converter`, `names` or `type` says it (`names` beside a converter, how a value
    becomes bytes); `is_integer`: the property is an INT."""

    def __init__(self, type: str, is_integer: bool) -> None:
        self.type = type
        self.is_integer = is_integer
        self.offset = 0
        self.length = 0  # of strings and bytes; 0: to the end
        self.big_endian = False
        self.scale: int | float = 1
        self.converter: DataConverter | None = None
        self.names: dict[str, bytes] | None = None


def decode(codec: Codec, data: bytes) -> "Value":
    """ValueRefused where `data` holds no value."""
    if codec.converter is not None:
        return number_of(convert(codec.converter, data), codec.is_integer)
    if codec.names is not None:
        return _named(codec, data)
    return _typed(codec, _part(codec, data))


def encode(codec: Codec, value: object) -> bytes:
    """The bytes to write for `value`; ConfigurationError where there are none."""
    if codec.names is not None:
        name = to_text(value)  # type: ignore[arg-type]
        if name not in codec.names:
            raise ConfigurationError("value", "dataWrite names %s, not %s" % (_listed(codec.names), name[:40]))
        return codec.names[name]
    if codec.converter is not None:
        return convert_back(codec.converter, value)
    if codec.type == "bytes" or codec.type == "string":
        return _raw(codec, value)
    if codec.type == "bool":
        return b"\1" if value else b"\0"
    if not is_number(value) or not is_finite(value):  # type: ignore[arg-type]
        raise ConfigurationError("value", "must be a number")
    return _number_bytes(codec, value)  # type: ignore[arg-type]


def number_of(value: "int | float", is_integer: bool) -> "int | float":
    """Without the digits that only a multiplication made: 2506 hundredths are 25.06. ValueRefused where an integer
    has more than 64 bits, which no report could carry."""
    if is_integer:
        value = value if isinstance(value, int) else round(value)
        if not -(1 << 63) <= value < 1 << 64:
            raise ValueRefused("the number has more than 64 bits")
        return value
    return float("%.15g" % value)


def _named(codec: Codec, data: bytes) -> "Value":
    names = codec.names or {}
    for name in names:
        if names[name] == data:
            break
    else:
        raise ValueRefused("the device holds bytes that dataWrite does not name")
    if codec.type == "bool":
        return name == "true"
    if codec.type == "string":
        return name
    return int(name) if codec.is_integer else float(name)


def _listed(names: "dict[str, bytes]") -> str:
    return ", ".join(sorted(names)[:8])


def _part(codec: Codec, data: bytes) -> bytes:
    """The bytes that the type is about."""
    size = size_bytes(codec.type) or codec.length or max(len(data) - codec.offset, 0)
    part = data[codec.offset : codec.offset + size]
    if len(part) < size or codec.offset > len(data):
        raise ValueRefused("the value has %d bytes, %d are needed" % (len(data), codec.offset + size))
    return part


def size_bytes(type: str) -> int:
    """0 where the type has no size of its own."""
    if type in INTEGERS:
        return INTEGERS[type][0]
    return FLOATS[type][0] if type in FLOATS else int(type == "bool")


def _typed(codec: Codec, data: bytes) -> "Value":
    if codec.type == "bytes":
        return data
    if codec.type == "string":
        text = utf8.decoded(data[: data.find(b"\0")] if b"\0" in data else data)
        if text is None:
            raise ValueRefused("the device holds no UTF-8 text")
        return text
    if codec.type == "bool":
        return data[0] != 0
    value = _number(codec, data)
    scaled = value if codec.scale == 1 else value * codec.scale
    if not is_finite(scaled):
        raise ValueRefused("the device holds no number")
    return number_of(scaled, codec.is_integer)


def _number(codec: Codec, data: bytes) -> "int | float":
    if codec.type not in FLOATS:
        return integer(data, INTEGERS[codec.type][1], codec.big_endian)
    code = FLOATS[codec.type][1]
    if code:
        return struct.unpack((">" if codec.big_endian else "<") + code, data)[0]  # type: ignore[no-any-return]
    return _medical(integer(data, False, codec.big_endian), len(data))


def integer(data: bytes, signed: bool, big_endian: bool = False) -> int:
    number = int.from_bytes(data, "big" if big_endian else "little")
    if signed and number >> 8 * len(data) - 1:
        number -= 1 << 8 * len(data)
    return number


def _medical(bits: int, size: int) -> float:
    """SFLOAT: 4 bits of exponent and 12 of mantissa; FLOAT: 8 and 24; of base 10, both signed."""
    mantissa_bits, special = (12, _SPECIAL16) if size == 2 else (24, _SPECIAL32)
    mantissa = bits & (1 << mantissa_bits) - 1
    exponent = bits >> mantissa_bits
    if mantissa in special:
        raise ValueRefused("the device holds no number")
    if mantissa >> mantissa_bits - 1:
        mantissa -= 1 << mantissa_bits
    if exponent >> 8 * size - mantissa_bits - 1:
        exponent -= 1 << 8 * size - mantissa_bits
    return mantissa * 10.0**exponent if exponent >= 0 else mantissa / 10.0**-exponent


def _raw(codec: Codec, value: object) -> bytes:
    data = utf8.encoded(value) if isinstance(value, str) else value
    if not isinstance(data, bytes) or not len(data) <= (codec.length or 512):
        raise ConfigurationError("value", "must have at most %d bytes" % (codec.length or 512))
    return data


def _number_bytes(codec: Codec, value: "int | float") -> bytes:
    raw = value if codec.scale == 1 else value / codec.scale
    size = size_bytes(codec.type)
    if codec.type in FLOATS:
        code = FLOATS[codec.type][1]
        if not code or (code == "f" and not -FLOAT32_MAX <= raw <= FLOAT32_MAX):
            raise ConfigurationError("value", "%r does not fit %s" % (value, codec.type))
        return struct.pack((">" if codec.big_endian else "<") + code, raw)
    signed = INTEGERS[codec.type][1]
    lowest = -(1 << 8 * size - 1) if signed else 0
    highest = (1 << 8 * size - signed) - 1
    if not lowest - 1 < raw < highest + 1 or not lowest <= round(raw) <= highest:
        raise ConfigurationError("value", "%r does not fit %s" % (value, codec.type))
    number = round(raw) + (1 << 8 * size if raw < 0 and round(raw) < 0 else 0)
    return number.to_bytes(size, "big" if codec.big_endian else "little")
