"""Modbus server: the twins of a node as registers, for a PLC or a SCADA system (docs/modbus-server.md).

`server.py`, `framings.py`, `answers.py` and `unit.py` know nothing of twins; simulated slaves are made of them too.
"""

# ruff: noqa: I001
# MicroPython on 32-bit Linux lets imports nest 8 deep (tests/house/test_import_depth.py): the deep end first.
import edgelite_protocol.messages  # noqa: F401
import edgelite_drivers.fields
import edgelite_drivers.modbus  # noqa: F401

from edgelite.driver import ConfigurationError
from edgelite_drivers.modbus.values import encode
from edgelite_drivers.modbus_server.config import Protocol, Served, check_device, check_protocol, check_visitor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edgelite.devices import Devices
    from edgelite_drivers.modbus_server.bus import ServerBus

__all__ = ["NAME", "check_device", "check_protocol", "check_visitor", "listens", "make_server", "same_value", "target"]

NAME = "modbus_server"


def target(protocol: Protocol) -> "tuple[Any, ...]":
    return protocol.target


def listens(visitor: Served) -> bool:
    return True


def make_bus(target: "tuple[Any, ...]", random_bytes: "Callable[[int], bytes]") -> "ServerBus":
    raise ConfigurationError("protocol", "a Modbus server serves a node's twins: make_server makes it")


def make_server(
    target: "tuple[Any, ...]",
    random_bytes: "Callable[[int], bytes]",
    devices: "Devices",
    emit: "Callable[[object], None]",
) -> "ServerBus":
    from edgelite_drivers.modbus_server.bus import ServerBus  # who only checks a configuration needs none of it

    return ServerBus(target, random_bytes, devices, emit)


def same_value(visitor: Served, one: object, other: object) -> bool:
    return encode(visitor.place, one) == encode(visitor.place, other)
