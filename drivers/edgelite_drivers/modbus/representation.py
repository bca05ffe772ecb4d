"""How a property lies in its registers: type, order of bytes and registers, scale. Bits and enumerations, which few
devices have, are in bits.py."""

from edgelite_drivers.fields import Fields
from edgelite_drivers.modbus import pdu

REPRESENTATION_FIELDS = ("type", "order", "isSwap", "isRegisterSwap", "scale", "addend", "bit", "bits", "values")

# type: struct code, registers (0: as many as `limit` says), lowest and highest integer
TYPES = {
    "int16": ("h", 1, -0x8000, 0x7FFF),
    "uint16": ("H", 1, 0, 0xFFFF),
    "int32": ("i", 2, -0x80000000, 0x7FFFFFFF),
    "uint32": ("I", 2, 0, 0xFFFFFFFF),
    "int64": ("q", 4, -0x8000000000000000, 0x7FFFFFFFFFFFFFFF),
    "uint64": ("Q", 4, 0, 0xFFFFFFFFFFFFFFFF),
    "float32": ("f", 2, 0, 0),
    "float64": ("d", 4, 0, 0),
    "bool": ("", 1, 0, 1),
    "string": ("", 0, 0, 0),
    "bytes": ("", 0, 0, 0),
}
_INTEGERS = ("int16", "uint16", "int32", "uint32", "int64", "uint64")
_NUMERIC = ("int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")
# property type: which register types may hold it
_TYPES_OF = {
    "INT": _NUMERIC,
    "FLOAT": _NUMERIC,
    "DOUBLE": _NUMERIC,
    "BOOLEAN": ("bool",),
    "STRING": ("string",),
    "BYTES": ("bytes",),
}
# property type: the register type by `limit`, where the visitor names none
_TYPE_BY_LIMIT = {
    "INT": {1: "int16", 2: "int32", 4: "int64"},
    "FLOAT": {1: "int16", 2: "float32", 4: "float64"},
    "DOUBLE": {1: "int16", 2: "float32", 4: "float64"},
}
_ENUMERATION_BY_LIMIT = {1: "uint16", 2: "uint32", 4: "uint64"}
# order: swapped bytes, swapped registers
ORDERS = {"ABCD": (False, False), "BADC": (True, False), "CDAB": (False, True), "DCBA": (True, True)}
SCALE_MIN = 1e-9
SCALE_MAX = 1e9  # keeps a scaled 64-bit integer far from the end of the floats
ADDEND_MAX = 1e12


class Visitor:
    """Where a property lives: `count` items (registers or bits) of `table` from `offset` on, and how to read them.

    What few properties have stands in the class, so that the others cost nothing for it.
    """

    count = 1
    type = "int16"
    is_integer = False
    is_writable = False
    is_swap = False
    is_register_swap = False
    scale: "int | float" = 1
    addend: "int | float" = 0
    bit_low = -1  # of a field within a register: its lowest bit, and `bit_mask` its bits
    bit_mask = 0
    texts: "dict[int, str] | None" = None
    is_broadcast = False
    sent = b""  # of a broadcast: what was sent last

    def __init__(self, table: str, offset: int) -> None:
        self.table = table
        self.offset = offset

    def overlaps_in_part(self, other: "Visitor") -> bool:
        """For two that share a register."""
        if self.offset != other.offset or self.count != other.count:
            return True
        return self.bit_mask != other.bit_mask and (
            self.bit_mask & other.bit_mask != 0 or self.bit_mask == 0 or other.bit_mask == 0
        )


def read_representation(fields: Fields, visitor: Visitor, property_type: str, is_bit: bool) -> None:
    if property_type not in _TYPES_OF:
        raise fields.refuse("register", "Modbus has no properties of type " + property_type)
    if is_bit:
        _read_bit(fields, visitor, property_type)
        return
    visitor.is_integer = property_type == "INT"
    if fields.has("bit") or fields.has("bits"):
        from edgelite_drivers.modbus.bits import read_field

        read_field(fields, visitor, property_type)
    else:
        visitor.type = _register_type(fields, property_type)
        visitor.count = _count(fields, visitor.type)
    _read_order(fields, visitor)
    _read_scale(fields, visitor)
    if fields.has("values"):
        from edgelite_drivers.modbus.bits import read_values

        read_values(fields, visitor, property_type)


def _read_bit(fields: Fields, visitor: Visitor, property_type: str) -> None:
    if property_type != "BOOLEAN":
        raise fields.refuse("register", "coils and discrete inputs hold BOOLEAN properties only, not " + property_type)
    for name in ("order", "scale", "addend", "bit", "bits", "values"):
        if fields.has(name) and (name != "scale" or fields.number(name, 1) != 1):
            raise fields.refuse(name, "means nothing for a single bit")
    fields.integer("limit", 1, 1, 1)
    visitor.type = fields.choice("type", ("bool",), "bool")


def _register_type(fields: Fields, property_type: str) -> str:
    allowed = _TYPES_OF[property_type]
    by_limit = _TYPE_BY_LIMIT.get(property_type)
    if fields.has("values") and property_type == "STRING":
        allowed = _INTEGERS
        by_limit = _ENUMERATION_BY_LIMIT
    if by_limit is None:
        return fields.choice("type", allowed, allowed[0])
    if fields.has("type"):
        return fields.choice("type", allowed)
    limit = fields.integer("limit", 1, pdu.READ_REGISTERS_MAX, 1)
    if limit not in by_limit:
        raise fields.refuse("limit", "must be 1, 2 or 4 registers for %s" % property_type)
    return by_limit[limit]


def _count(fields: Fields, register_type: str) -> int:
    count = TYPES[register_type][1]
    if count == 0:
        return fields.integer("limit", 1, pdu.WRITE_REGISTERS_MAX)
    if fields.integer("limit", 1, pdu.READ_REGISTERS_MAX, count) != count:
        raise fields.refuse("limit", "must be %d for type %s" % (count, register_type))
    return count


def _read_order(fields: Fields, visitor: Visitor) -> None:
    is_swap, is_register_swap = fields.boolean("isSwap", False), fields.boolean("isRegisterSwap", False)
    if fields.has("order"):
        if fields.has("isSwap") or fields.has("isRegisterSwap"):
            raise fields.refuse("order", "says the same as isSwap and isRegisterSwap; give one of them")
        is_swap, is_register_swap = ORDERS[fields.choice("order", sorted(ORDERS))]
    if is_swap:
        visitor.is_swap = True
    if is_register_swap:
        visitor.is_register_swap = True


def _read_scale(fields: Fields, visitor: Visitor) -> None:
    scale, addend = fields.number("scale", 1), fields.number("addend", 0)
    if not SCALE_MIN <= abs(scale) <= SCALE_MAX:
        raise fields.refuse("scale", "must be a number between 1e-9 and 1e9 or their negatives")
    if not -ADDEND_MAX <= addend <= ADDEND_MAX:
        raise fields.refuse("addend", "must be a number between -1e12 and 1e12")
    for name, value, neutral in (("scale", scale, 1), ("addend", addend, 0)):
        if value == neutral:
            continue
        if visitor.type not in _NUMERIC or fields.has("values"):
            raise fields.refuse(name, "only numbers have one")
        setattr(visitor, name, value)
