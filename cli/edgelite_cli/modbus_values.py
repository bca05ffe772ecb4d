"""Registers as a person asks for them: a table, an address, a type; or everything that they could mean."""

from __future__ import annotations

import argparse
import math
import struct
from dataclasses import dataclass

from edgelite.driver import ConfigurationError
from edgelite_cli.failure import Failure
from edgelite_cli.main import EXIT_USAGE
from edgelite_drivers.modbus import pdu
from edgelite_drivers.modbus.config import BIT_TABLES, READ_FUNCTIONS, check_visitor
from edgelite_drivers.modbus.representation import ORDERS, TYPES, Visitor
from edgelite_drivers.modbus.values import ValueRefused, decode, encode
from edgelite_protocol.errors import MisuseError
from edgelite_protocol.messages import PROPERTY_TYPE

NAMES = {"coil": "CoilRegister", "discrete": "DiscreteInputRegister"}
NAMES |= {"input": "InputRegister", "holding": "HoldingRegister"}
TRUE, FALSE = ("1", "true", "on"), ("0", "false", "off")
GUESS_HEADER = ("ADDRESS", "HEX", "UINT16", "INT16", "UINT32", "FLOAT32", "FLOAT32 CDAB", "TEXT")


def table_of(text: str) -> str:
    """KubeEdge's name for "holding", "hold" or "HoldingRegister"."""
    found = [name for short, name in NAMES.items() if short.startswith(text.lower()) or name.lower() == text.lower()]
    if len(found) != 1:
        raise Failure(f"no table {text!r}: give one of {', '.join(NAMES)}", EXIT_USAGE)
    return found[0]


@dataclass(frozen=True, slots=True)
class Place:
    """`count` values from `visitor` on, one behind the other."""

    visitor: Visitor
    count: int

    @property
    def table(self) -> str:
        return self.visitor.table

    @property
    def size(self) -> int:
        """Registers or bits in all."""
        return self.visitor.count * self.count

    def address(self, index: int) -> int:
        return self.visitor.offset + index * self.visitor.count

    def requests(self, registers_max: int) -> list[bytes]:
        """Whole values in each."""
        items_max = pdu.READ_BITS_MAX if self.table in BIT_TABLES else registers_max
        step = max(1, items_max // self.visitor.count) * self.visitor.count
        function = READ_FUNCTIONS[self.table]
        offsets = range(0, self.size, step)
        try:
            return [
                pdu.read_request(function, self.visitor.offset + offset, min(step, self.size - offset))
                for offset in offsets
            ]
        except MisuseError as error:
            raise Failure(str(error), EXIT_USAGE) from error

    def pieces(self, data: bytes, first: int) -> list[bytes]:
        """What one answer gave, beginning with value `first`: the bytes of each value, a bit as a register's."""
        if self.table in BIT_TABLES:
            count = min(len(data) * 8, self.count - first)
            return [bytes([0, data[index >> 3] >> (index & 7) & 1]) for index in range(count)]
        size_bytes = 2 * self.visitor.count
        return [data[offset : offset + size_bytes] for offset in range(0, len(data), size_bytes)]


def property_type(register_type: str, is_scaled: bool) -> str:
    if register_type in ("bool", "string", "bytes"):
        return {"bool": "BOOLEAN", "string": "STRING", "bytes": "BYTES"}[register_type]
    return "DOUBLE" if is_scaled or register_type.startswith("float") else "INT"


def place_of(given: argparse.Namespace) -> Place:
    """Failure names the option that is wrong."""
    table = table_of(given.table)
    register_type = given.type or ("bool" if table in BIT_TABLES else "uint16")
    config: dict[str, object] = {"register": table, "offset": given.address, "type": register_type}
    count = given.count
    if register_type in ("string", "bytes"):
        config["limit"], count = count, 1  # a text is as long as it is said to be
    if given.order:
        config["order"] = given.order
    if given.scale is not None:
        config["scale"] = given.scale
    try:
        visitor = check_visitor(config, {PROPERTY_TYPE: property_type(register_type, given.scale is not None)})
    except ConfigurationError as error:
        raise Failure(f"{error.path.rpartition('.')[2]}: {error.text}", EXIT_USAGE) from error
    if not 1 <= count <= pdu.ADDRESSES - given.address:
        raise Failure(f"count: {count} values from address {given.address} on are not there", EXIT_USAGE)
    return Place(visitor, count)


def told(visitor: Visitor, piece: bytes) -> str:
    try:
        value = decode(visitor, piece)
    except ValueRefused as error:
        return str(error)
    return value.hex() if isinstance(value, bytes) else str(value)


def encoded(visitor: Visitor, text: str) -> bytes:
    """The bytes that mean `text`, Failure where none do."""
    try:
        return encode(visitor, _typed(visitor, text))
    except (ConfigurationError, ValueError) as error:
        why = error.text if isinstance(error, ConfigurationError) else f"is no {visitor.type}"
        raise Failure(f"{text!r}: {why}", EXIT_USAGE) from error


def _typed(visitor: Visitor, text: str) -> object:
    if visitor.type == "bool":
        if text.lower() not in TRUE + FALSE:
            raise ValueError(text)
        return text.lower() in TRUE
    if visitor.type == "string":
        return text
    if visitor.type == "bytes":
        return bytes.fromhex(text)
    return int(text, 0) if visitor.is_integer else float(text)


# ---- what unknown registers could mean


def guesses(address: int, registers: list[bytes], index: int) -> list[str]:
    """One register in every way; the wider ones begin here."""
    here = registers[index]
    pair = here + registers[index + 1] if index + 1 < len(registers) else b""
    swapped = pair[2:] + pair[:2]
    return [
        str(address + index),
        here.hex(),
        str(int.from_bytes(here, "big")),
        str(int.from_bytes(here, "big", signed=True)),
        str(int.from_bytes(pair, "big")) if pair else "",
        plausible(pair),
        plausible(swapped),
        "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in here),
    ]


def plausible(data: bytes) -> str:
    """A 32-bit float that a device may well mean; most others are none."""
    if not data:
        return ""
    value = struct.unpack(">f", data)[0]
    if value == 0 or (math.isfinite(value) and 1e-6 <= abs(value) < 1e9):
        return f"{value:.7g}"
    return "-"


TYPE_NAMES = tuple(TYPES)
ORDER_NAMES = tuple(ORDERS)
