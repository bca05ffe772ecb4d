"""Modbus configuration: KubeEdge's field names and ours, checked, in the form that the bus works with.

docs/modbus.md has every field in a table. What a serial line has is checked in lines.py, which a node that has none
does not load; how a value lies in registers in representation.py.
"""

from edgelite.driver import ConfigurationError
from edgelite_drivers.fields import Fields
from edgelite_drivers.modbus import pdu
from edgelite_drivers.modbus.representation import REPRESENTATION_FIELDS, Visitor, read_representation
from edgelite_protocol.messages import PROPERTY_TYPE, PROPERTY_WRITABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROTOCOL_PATH = "protocol.configData"
VISITOR_PATH = "visitors.configData"
DEVICE_FIELDS = ("slaveID", "unitId", "timeoutMs", "retries", "turnaroundMs", "maxRegisters", "maxGap", "framing")
TCP_FIELDS = ("ip", "port", "transactionIds")
# Of lines.py; only named here, for the message about a field that nobody knows.
SERIAL_FIELDS = ("serialPort", "baudRate", "dataBits", "parity", "stopBits", "rs485", "echo", "idleMs")
_PLACE_FIELDS = ("register", "offset", "limit")
VISITOR_FIELDS = tuple(name for names in (_PLACE_FIELDS, REPRESENTATION_FIELDS) for name in names)

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
RETRIES_MAX = 10
TURNAROUND_MS_MAX = 10_000
BROADCAST_TURNAROUND_MS = 100  # Modbus over Serial Line V1.02, section 2.4.1: 100 to 200 ms
GAP_REGISTERS_DEFAULT = 8


class Protocol:
    """`target` is what `effects.Open` opens; what it has more tells the framing, because devices with an equal target
    share a bus, and one line has one framing."""

    def __init__(self, target: "tuple[Any, ...]", unit: int, timeout_ms: int) -> None:
        self.target = target
        self.unit = unit
        self.timeout_ms = timeout_ms
        self.retries = 0
        self.turnaround_ms = 0
        self.registers_max = pdu.READ_REGISTERS_MAX
        self.gap_registers = GAP_REGISTERS_DEFAULT
        self.is_broadcast = False


def check_protocol(config: object) -> Protocol:
    fields = Fields(config, PROTOCOL_PATH, TCP_FIELDS + SERIAL_FIELDS + DEVICE_FIELDS)
    if fields.has("slaveID") and fields.has("unitId"):
        raise fields.refuse("unitId", "says the same as slaveID; give one of them")
    if not fields.has("ip") and not fields.has("serialPort"):
        raise fields.refuse("ip", "is required, or serialPort on a serial line")
    if fields.has("ip"):
        target, framing = _tcp_target(fields)
    else:
        from edgelite_drivers.modbus.lines import serial_target

        target, framing = serial_target(fields, config, PROTOCOL_PATH)  # type: ignore[arg-type]
    unit = fields.integer("unitId" if fields.has("unitId") else "slaveID", 0, 255, 1)
    protocol = Protocol(target, unit, fields.integer("timeoutMs", 1, TIMEOUT_MS_MAX, TIMEOUT_MS_DEFAULT))
    is_line = framing != "tcp"
    protocol.is_broadcast = is_line and unit == 0
    # A frame that noise has hit is worth asking for again; TCP has done that already.
    protocol.retries = fields.integer("retries", 0, RETRIES_MAX, 1 if is_line else 0)
    turnaround_ms = BROADCAST_TURNAROUND_MS if protocol.is_broadcast else 0
    protocol.turnaround_ms = fields.integer("turnaroundMs", 0, TURNAROUND_MS_MAX, turnaround_ms)
    protocol.registers_max = fields.integer("maxRegisters", 1, pdu.READ_REGISTERS_MAX, pdu.READ_REGISTERS_MAX)
    protocol.gap_registers = fields.integer("maxGap", 0, pdu.READ_REGISTERS_MAX, GAP_REGISTERS_DEFAULT)
    return protocol


def _tcp_target(fields: Fields) -> "tuple[tuple[Any, ...], str]":
    for name in SERIAL_FIELDS:
        if fields.has(name) and name != "echo":
            raise fields.refuse(name, "is of a serial line; with ip the line is at the other end")
    host, port = fields.text("ip", 253), fields.integer("port", 1, 65535, 502)
    framing = fields.choice("framing", ("tcp", "rtu", "ascii"), "tcp")
    if framing != "tcp":
        from edgelite_drivers.modbus.lines import echo_mode

        if fields.has("transactionIds"):
            raise fields.refuse("transactionIds", "framing %s has none" % framing)
        return ("tcp", host, port, {"framing": framing, "baud": 0, "echo": echo_mode(fields)}), framing
    if fields.has("echo"):
        raise fields.refuse("echo", "there is none with framing tcp")
    if fields.choice("transactionIds", ("strict", "lenient"), "strict") == "strict":
        return ("tcp", host, port), framing
    return ("tcp", host, port, {"framing": "tcp", "lenient": True}), framing


def check_visitor(config: object, property: "dict[int, object]") -> Visitor:
    fields = Fields(config, VISITOR_PATH, VISITOR_FIELDS)
    table = fields.choice("register", TABLES)
    offset = fields.integer("offset", 0, pdu.ADDRESSES - 1)
    if property.get(PROPERTY_WRITABLE) and table not in WRITABLE_TABLES:
        raise fields.refuse("register", "a writable property needs one of " + ", ".join(WRITABLE_TABLES))
    visitor = Visitor(table, offset)
    read_representation(fields, visitor, str(property.get(PROPERTY_TYPE)), table in BIT_TABLES)
    if offset + visitor.count > pdu.ADDRESSES:
        raise fields.refuse("offset", "the last register would be %d, above 65535" % (offset + visitor.count - 1))
    visitor.is_writable = property.get(PROPERTY_WRITABLE) is True
    return visitor


def check_device(protocol: Protocol, visitors: "list[tuple[str, Visitor]]") -> None:
    """What only all properties of a device together show; `visitors` in the order of the Device's properties."""
    writable: list[tuple[int, str, Visitor]] = []
    for index, (name, visitor) in enumerate(visitors):
        if visitor.table not in BIT_TABLES and visitor.count > protocol.registers_max:
            text = "%d registers are more than maxRegisters, %d" % (visitor.count, protocol.registers_max)
            raise ConfigurationError(_path_of(index, "limit"), text)
        if protocol.is_broadcast:
            if not visitor.is_writable:
                raise ConfigurationError(_path_of(index, "register"), "slaveID 0 is everybody: it can only be written")
            visitor.is_broadcast = True
        if visitor.is_writable:
            writable.append((index, name, visitor))
    writable.sort(key=lambda row: (TABLES.index(row[2].table), row[2].offset))
    _check_overlaps(writable)


def _check_overlaps(writable: "list[tuple[int, str, Visitor]]") -> None:
    """Two writable properties may name one place, or bits beside each other; where they share only a part of it, each
    write of one would change the other unseen."""
    for place, (index, name, visitor) in enumerate(writable):
        for other_index, other_name, other in writable[place + 1 :]:
            if other.table != visitor.table or other.offset >= visitor.offset + visitor.count:
                break
            if visitor.overlaps_in_part(other):
                later = max((index, name), (other_index, other_name))
                earlier = min((index, name), (other_index, other_name))
                text = "%s and %s are writable and share registers in part" % (earlier[1], later[1])
                raise ConfigurationError(_path_of(later[0], "offset"), text)


def _path_of(index: int, field: str) -> str:
    return "properties[%d].%s.%s" % (index, VISITOR_PATH, field)
