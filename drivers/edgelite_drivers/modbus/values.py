"""Register bytes to typed values and back: type, order of bytes and registers, scale.

Big-endian and the high register first is the rule (ABCD); `isSwap` swaps the two bytes of each register,
`isRegisterSwap` turns the order of the registers round. A value is the register times `scale` plus `addend`.
"""

import struct

from edgelite.driver import ConfigurationError
from edgelite_drivers.modbus.representation import TYPES
from edgelite_protocol.values import FLOAT32_MAX, is_finite, is_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite_drivers.modbus.representation import Visitor

# Read at run time: where floats have 32 bits it is infinite, and no literal of a frozen module may be that.
FLOAT64_MAX = float("1.7976931348623157e308")
NARROW_TYPES = ("int16", "uint16", "float32")  # a 32-bit float tells their values apart, scaled too but for a last bit


class ValueRefused(ValueError):
    """The registers hold no value of the configured type; the text says why."""


def decode(visitor: "Visitor", data: bytes) -> "int | float | str | bool | bytes":
    """The value that the registers `data` hold; ValueRefused where they hold none."""
    data = arrange(visitor, data)
    if visitor.type == "bytes":
        return data
    if visitor.type == "string":
        return _text(data)
    if visitor.bit_mask or visitor.texts is not None:
        from edgelite_drivers.modbus.bits import decode_special

        return decode_special(visitor, data)
    if visitor.type == "bool":
        return data[0] != 0 or data[1] != 0
    return scaled(visitor, struct.unpack(">" + TYPES[visitor.type][0], data)[0])


def encode(visitor: "Visitor", value: object) -> bytes:
    """The register bytes that hold `value`; ConfigurationError where they cannot. Of a field within a register the
    other bits are 0."""
    if visitor.bit_mask or visitor.texts is not None:
        from edgelite_drivers.modbus.bits import encode_special

        data = encode_special(visitor, value)
    elif visitor.type == "bytes" or visitor.type == "string":
        data = _padded(visitor, value)
    elif visitor.type == "bool":
        data = b"\0\1" if value else b"\0\0"
    else:
        data = number_bytes(visitor, value)
    return arrange(visitor, data)


def scaled(visitor: "Visitor", value: "int | float") -> "int | float":
    product = value if visitor.scale == 1 else value * visitor.scale
    if visitor.addend:
        product += visitor.addend
    if not is_finite(product):
        raise ValueRefused("the device holds no number")
    if visitor.is_integer:
        return product if isinstance(product, int) else round(product)
    is_plain = visitor.scale == 1 and not visitor.addend
    return float(product) if is_plain else _without_noise(visitor, value, float(product))


def _without_noise(visitor: "Visitor", raw: "int | float", scaled: float) -> float:
    """A product without the digits that only the multiplication made: 2301 tenths are 230.1, not 230.10000000000002.
    It must still mean the same register, or a desired value would never be found settled. A 32-bit float comes
    first where it can: that is half the bytes on the flash and on the wire."""
    shorter = [float("%.15g" % scaled)]
    if visitor.type in NARROW_TYPES:
        shorter.insert(0, _nearest_float32(scaled))
    for value in shorter:
        if _means(visitor, value, raw):
            return value
    return scaled


def _means(visitor: "Visitor", value: float, raw: "int | float") -> bool:
    """Whether `encode` would write `raw` for it."""
    again = (value - visitor.addend) / visitor.scale
    if not is_finite(value) or not is_finite(again):
        return False
    if isinstance(raw, int):
        return round(again) == raw
    return (_nearest_float32(again) if visitor.type == "float32" else again) == raw


def _nearest_float32(value: float) -> float:
    """The value itself where it is out of the range of 32 bits."""
    if -FLOAT32_MAX <= value <= FLOAT32_MAX:
        value = struct.unpack(">f", struct.pack(">f", value))[0]
    return value


def number_bytes(visitor: "Visitor", value: object) -> bytes:
    if not is_number(value):
        raise ConfigurationError("value", "must be a number")
    return _number(visitor, value)  # type: ignore[arg-type]


def _number(visitor: "Visitor", value: "int | float") -> bytes:
    code, _, lowest, highest = TYPES[visitor.type]
    fits = -FLOAT64_MAX <= value <= FLOAT64_MAX  # False for a NaN too
    raw: int | float = 0
    if fits:
        raw = value - visitor.addend if visitor.addend else value
        raw = raw if visitor.scale == 1 else raw / visitor.scale
        fits = is_finite(raw)
    if fits and code not in "fd":
        raw = raw if isinstance(raw, int) else round(raw)
        fits = lowest <= raw <= highest
    elif fits and code == "f":
        fits = -FLOAT32_MAX <= raw <= FLOAT32_MAX
    if not fits:
        raise ConfigurationError("value", "%r does not fit %s" % (value, visitor.type))
    return struct.pack(">" + code, raw)


def arrange(visitor: "Visitor", data: bytes) -> bytes:
    """Its own inverse: both orders are."""
    if visitor.is_register_swap:
        data = b"".join([data[index : index + 2] for index in range(len(data) - 2, -1, -2)])
    if visitor.is_swap:
        data = b"".join([bytes([data[index + 1], data[index]]) for index in range(0, len(data), 2)])
    return data


def _text(data: bytes) -> str:
    end = data.find(b"\0")
    text = (data if end < 0 else data[:end]).rstrip(b" ")
    for byte in text:
        if not 0x20 <= byte <= 0x7E:
            raise ValueRefused("the device holds no printable ASCII text")
    return str(text, "ascii")


def _padded(visitor: "Visitor", value: object) -> bytes:
    size_bytes = visitor.count * 2
    if isinstance(value, str):
        for character in value:
            if not " " <= character <= "~":
                raise ConfigurationError("value", "must be printable ASCII text")
        value = value.encode()
    if not isinstance(value, bytes) or len(value) > size_bytes:
        raise ConfigurationError("value", "must have at most %d bytes" % size_bytes)
    return value + b"\0" * (size_bytes - len(value))
