"""Modbus configuration: KubeEdge's field names, checked, in the form that the bus works with.

Protocol, `protocol.configData`: `ip`, `port` (502), `slaveID` (or `unitId`; 1), `timeoutMs` (1000),
`maxRegisters` (125): how many registers the device gives in one read.

Visitor, `visitors.configData`: `register`, `offset` (as on the wire, from 0), `limit` (registers), `type`, `scale`,
`isSwap`, `isRegisterSwap`.
"""

from edgelite_drivers.fields import Fields
from edgelite_drivers.modbus import pdu
from edgelite_drivers.modbus.values import TYPES
from edgelite_protocol.messages import PROPERTY_TYPE, PROPERTY_WRITABLE

PROTOCOL_PATH = "protocol.configData"
VISITOR_PATH = "visitors.configData"
PROTOCOL_FIELDS = ("ip", "port", "slaveID", "unitId", "timeoutMs", "maxRegisters")
VISITOR_FIELDS = ("register", "offset", "limit", "type", "scale", "isSwap", "isRegisterSwap")

TABLES = ("CoilRegister", "DiscreteInputRegister", "InputRegister", "HoldingRegister")
READ_FUNCTIONS = {
    "CoilRegister": pdu.READ_COILS,
    "DiscreteInputRegister": pdu.READ_DISCRETE_INPUTS,
    "InputRegister": pdu.READ_INPUT_REGISTERS,
    "HoldingRegister": pdu.READ_HOLDING_REGISTERS,
}
BIT_TABLES = ("CoilRegister", "DiscreteInputRegister")
WRITABLE_TABLES = ("CoilRegister", "HoldingRegister")

TIMEOUT_MS_DEFAULT = 1000
TIMEOUT_MS_MAX = 60_000
SCALE_MIN = 1e-9
SCALE_MAX = 1e9  # keeps a scaled 64-bit integer far from the end of the floats

# property type: which register types may hold it
_NUMERIC = ("int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")
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


class Protocol:
    def __init__(self, host: str, port: int, unit: int, timeout_ms: int, registers_max: int) -> None:
        self.host = host
        self.port = port
        self.unit = unit
        self.timeout_ms = timeout_ms
        self.registers_max = registers_max


class Visitor:
    """Where a property lives: `count` items (registers or bits) of `table` from `offset` on."""

    def __init__(self, table: str, offset: int, count: int, type: str, is_integer: bool) -> None:
        self.table = table
        self.offset = offset
        self.count = count
        self.type = type
        self.is_integer = is_integer
        self.scale: int | float = 1
        self.is_swap = False
        self.is_register_swap = False


def check_protocol(config: object) -> Protocol:
    fields = Fields(config, PROTOCOL_PATH, PROTOCOL_FIELDS)
    if fields.has("slaveID") and fields.has("unitId"):
        raise fields.refuse("unitId", "says the same as slaveID; give one of them")
    return Protocol(
        fields.text("ip", 253),
        fields.integer("port", 1, 65535, 502),
        fields.integer("unitId" if fields.has("unitId") else "slaveID", 0, 255, 1),
        fields.integer("timeoutMs", 1, TIMEOUT_MS_MAX, TIMEOUT_MS_DEFAULT),
        fields.integer("maxRegisters", 1, pdu.READ_REGISTERS_MAX, pdu.READ_REGISTERS_MAX),
    )


def check_visitor(config: object, property: "dict[int, object]") -> Visitor:
    fields = Fields(config, VISITOR_PATH, VISITOR_FIELDS)
    property_type = str(property.get(PROPERTY_TYPE))
    table = fields.choice("register", TABLES)
    offset = fields.integer("offset", 0, pdu.ADDRESSES - 1)
    if property.get(PROPERTY_WRITABLE) and table not in WRITABLE_TABLES:
        raise fields.refuse("register", "a writable property needs one of " + ", ".join(WRITABLE_TABLES))
    register_type = _register_type(fields, table, property_type)
    visitor = Visitor(table, offset, _count(fields, table, register_type), register_type, property_type == "INT")
    if offset + visitor.count > pdu.ADDRESSES:
        raise fields.refuse("offset", "the last register would be %d, above 65535" % (offset + visitor.count - 1))
    _set_representation(fields, visitor)
    return visitor


def _register_type(fields: Fields, table: str, property_type: str) -> str:
    allowed = _TYPES_OF.get(property_type)
    if allowed is None:
        raise fields.refuse("register", "Modbus has no properties of type " + property_type)
    if table in BIT_TABLES and property_type != "BOOLEAN":
        raise fields.refuse("register", table + " holds BOOLEAN properties only, not " + property_type)
    if len(allowed) == 1:
        return fields.choice("type", allowed, allowed[0])
    if fields.has("type"):
        return fields.choice("type", allowed)
    by_limit = _TYPE_BY_LIMIT[property_type]
    limit = fields.integer("limit", 1, pdu.READ_REGISTERS_MAX, 1)
    if limit not in by_limit:
        raise fields.refuse("limit", "must be 1, 2 or 4 registers for %s" % property_type)
    return by_limit[limit]


def _count(fields: Fields, table: str, register_type: str) -> int:
    if table in BIT_TABLES:
        return fields.integer("limit", 1, 1, 1)
    count = TYPES[register_type][1]
    if count == 0:
        return fields.integer("limit", 1, pdu.WRITE_REGISTERS_MAX)
    if fields.integer("limit", 1, pdu.READ_REGISTERS_MAX, count) != count:
        raise fields.refuse("limit", "must be %d for type %s" % (count, register_type))
    return count


def _set_representation(fields: Fields, visitor: Visitor) -> None:
    visitor.is_swap = fields.boolean("isSwap", False)
    visitor.is_register_swap = fields.boolean("isRegisterSwap", False)
    scale = fields.number("scale", 1)
    if not SCALE_MIN <= abs(scale) <= SCALE_MAX:
        raise fields.refuse("scale", "must be a number between 1e-9 and 1e9 or their negatives")
    if scale != 1 and visitor.type not in _NUMERIC:
        raise fields.refuse("scale", "only numbers can be scaled, not " + visitor.type)
    visitor.scale = scale
