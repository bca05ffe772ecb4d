"""Bits within a register, and enumerations: their configuration and their values. Loaded where a device has some."""

import struct

from edgelite.driver import ConfigurationError
from edgelite_drivers.modbus.representation import TYPES, Visitor
from edgelite_drivers.modbus.values import ValueRefused, arrange, number_bytes, scaled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from edgelite_drivers.fields import Fields

VALUES_MAX = 256
VALUE_CHARACTERS_MAX = 64


def read_field(fields: "Fields", visitor: Visitor, property_type: str) -> None:
    """`bit`: one of a register, 0 the lowest; `bits`: [lowest, highest]."""
    if property_type not in ("BOOLEAN", "INT") and not (property_type == "STRING" and fields.has("values")):
        name = "bit" if fields.has("bit") else "bits"
        raise fields.refuse(name, "is for BOOLEAN, INT and enumerations, not for " + property_type)
    if fields.has("bit"):
        if fields.has("bits"):
            raise fields.refuse("bits", "give bit or bits, not both")
        low = high = fields.integer("bit", 0, 15)
    else:
        low, high = _pair(fields, fields.value("bits"))
    if property_type == "BOOLEAN" and low != high:
        raise fields.refuse("bits", "a BOOLEAN has one bit")
    visitor.type = fields.choice("type", ("bool", "uint16"), "uint16")
    fields.integer("limit", 1, 1, 1)
    visitor.type = "bool" if property_type == "BOOLEAN" else "uint16"
    visitor.bit_low = low
    visitor.bit_mask = (1 << high - low + 1) - 1 << low


def _pair(fields: "Fields", value: object) -> "tuple[int, int]":
    if isinstance(value, (list, tuple)) and len(value) == 2:
        low, high = value
        if _is_bit(low) and _is_bit(high) and low <= high:
            return low, high
    raise fields.refuse("bits", "must be [lowest, highest] of 0 to 15")


def _is_bit(value: object) -> bool:
    return value is not True and value is not False and isinstance(value, int) and 0 <= value <= 15


def read_values(fields: "Fields", visitor: Visitor, property_type: str) -> None:
    """An enumeration: register value to text."""
    if property_type != "STRING":
        raise fields.refuse("values", "is for STRING properties, not for " + property_type)
    rows = fields.value("values")
    if not isinstance(rows, dict) or not 1 <= len(rows) <= VALUES_MAX:
        raise fields.refuse("values", "must be a map of 1 to %d register values to their texts" % VALUES_MAX)
    texts: dict[int, str] = {}
    for key in rows:
        number, text = _number(fields, key, visitor), rows[key]
        if not isinstance(text, str) or not 1 <= len(text) <= VALUE_CHARACTERS_MAX:
            hint = "must be text of 1 to %d characters (on, off, yes and no need quotes)" % VALUE_CHARACTERS_MAX
            raise fields.refuse("values.%s" % key, hint)
        if text in texts.values() or number in texts:
            raise fields.refuse("values.%s" % key, "is there twice")
        texts[number] = text
    visitor.texts = texts


def _number(fields: "Fields", key: "Any", visitor: Visitor) -> int:
    """JSON's keys are text."""
    _, _, lowest, highest = TYPES[visitor.type]
    if visitor.bit_mask:
        highest = visitor.bit_mask >> visitor.bit_low
    try:
        number = int(key)
    except (TypeError, ValueError):
        number = highest + 1
    if key is True or key is False or not lowest <= number <= highest:
        raise fields.refuse("values.%s" % key, "must be a register's value from %d to %d" % (lowest, highest))
    return number


def decode_special(visitor: Visitor, data: bytes) -> "int | float | bool | str":
    """`data` in the usual order, of a visitor with bits or an enumeration; ValueRefused where it holds no value."""
    if not visitor.bit_mask:
        return _text_of(visitor, struct.unpack(">" + TYPES[visitor.type][0], data)[0])
    masked = (data[0] << 8 | data[1]) & visitor.bit_mask
    if visitor.type == "bool":
        return masked != 0
    value = masked >> visitor.bit_low
    return scaled(visitor, value) if visitor.texts is None else _text_of(visitor, value)


def encode_special(visitor: Visitor, value: object) -> bytes:
    """In the usual order; of bits, the others of their register are 0."""
    if visitor.texts is not None:
        value = _number_of(visitor, value)
    if visitor.type == "bool":
        raw = 1 if value else 0
    else:
        data = number_bytes(visitor, value)
        if not visitor.bit_mask:
            return data
        raw = data[0] << 8 | data[1]
    if raw > visitor.bit_mask >> visitor.bit_low:
        raise ConfigurationError("value", "%s does not fit its bits" % value)
    raw <<= visitor.bit_low
    return bytes([raw >> 8, raw & 255])


def masks(visitor: "Visitor", data: bytes) -> "tuple[int, int]":
    """The AND and OR masks that bring `data`, of `encode`, into the visitor's bits and leave the others alone."""
    mask = arrange(visitor, bytes([visitor.bit_mask >> 8, visitor.bit_mask & 255]))
    return ~(mask[0] << 8 | mask[1]) & 0xFFFF, data[0] << 8 | data[1]


def _text_of(visitor: "Visitor", value: int) -> str:
    text = (visitor.texts or {}).get(value)
    if text is None:
        raise ValueRefused("the device holds %d, which has no text" % value)
    return text


def _number_of(visitor: "Visitor", value: object) -> int:
    texts = visitor.texts or {}
    for number in texts:
        if texts[number] == value:
            return number
    raise ConfigurationError("value", "must be one of " + ", ".join([texts[number] for number in sorted(texts)]))
