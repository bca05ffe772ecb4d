"""Modbus client: the driver contract over Modbus TCP."""

# ruff: noqa: I001
# MicroPython on 32-bit Linux lets imports nest 8 deep (tests/house/test_import_depth.py): the deep end first.
import edgelite_drivers.modbus.values  # noqa: F401

from edgelite_drivers.modbus.bus import ModbusBus
from edgelite_drivers.modbus.config import Protocol, Visitor, check_protocol, check_visitor
from edgelite_drivers.modbus.tcp import TcpFraming
from edgelite_drivers.modbus.values import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NAME", "check_protocol", "check_visitor", "make_bus", "same_value", "target"]

NAME = "modbus"


def target(protocol: Protocol) -> "tuple[str, str, int]":
    return ("tcp", protocol.host, protocol.port)


def make_bus(target: "tuple[str, str, int]", random_bytes: "Callable[[int], bytes]") -> ModbusBus:
    drawn = random_bytes(2)  # an agent that restarts must not take up the ids that its last run has just used
    return ModbusBus(TcpFraming(drawn[0] << 8 | drawn[1]), random_bytes)


def same_value(visitor: Visitor, one: object, other: object) -> bool:
    return encode(visitor, one) == encode(visitor, other)
