"""Modbus client: the driver contract over TCP and serial lines, with TCP, RTU and ASCII framing."""

# ruff: noqa: I001
# MicroPython on 32-bit Linux lets imports nest 8 deep (tests/house/test_import_depth.py): the deep end first.
import edgelite_drivers.modbus.values  # noqa: F401

from edgelite_drivers.modbus.bus import ModbusBus
from edgelite_drivers.modbus.config import Protocol, check_device, check_protocol, check_visitor
from edgelite_drivers.modbus.representation import Visitor
from edgelite_drivers.modbus.values import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edgelite_drivers.modbus.framing import Framing

__all__ = ["NAME", "check_device", "check_protocol", "check_visitor", "make_bus", "same_value", "target"]

NAME = "modbus"


def target(protocol: Protocol) -> "tuple[Any, ...]":
    return protocol.target


def make_bus(target: "tuple[Any, ...]", random_bytes: "Callable[[int], bytes]") -> ModbusBus:
    return ModbusBus(_framing(target, random_bytes), random_bytes)


def _framing(target: "tuple[Any, ...]", random_bytes: "Callable[[int], bytes]") -> "Framing":
    """A node loads the framings that it has."""
    options = target[3] if len(target) > 3 else {"framing": "tcp"}
    if options["framing"] != "tcp":
        from edgelite_drivers.modbus.lines import make_framing

        return make_framing(options)
    from edgelite_drivers.modbus.tcp import TcpFraming

    drawn = random_bytes(2)  # an agent that restarts must not take up the ids that its last run has just used
    return TcpFraming(drawn[0] << 8 | drawn[1], "lenient" not in options)


def same_value(visitor: Visitor, one: object, other: object) -> bool:
    if visitor.is_broadcast and not visitor.sent:
        encode(visitor, one)  # refused where it cannot be sent
        return False
    return encode(visitor, one) == encode(visitor, other)
