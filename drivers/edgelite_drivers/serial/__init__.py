"""Devices that speak in lines or frames, described by configuration alone: docs/serial-devices.md."""

# ruff: noqa: I001
# MicroPython on 32-bit Linux lets imports nest 8 deep (tests/house/test_import_depth.py): the deep end first.
import edgelite_drivers.serial.pattern  # noqa: F401

from edgelite_drivers.serial.config import Protocol, Visitor, check_device, check_protocol, check_visitor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edgelite.driver import Bus

__all__ = [
    "NAME", "check_device", "check_protocol", "check_visitor", "listens", "make_bus", "same_value", "target",
]  # fmt: skip

NAME = "serial"


def target(protocol: Protocol) -> "tuple[Any, ...]":
    return protocol.target


def make_bus(target: "tuple[Any, ...]", random_bytes: "Callable[[int], bytes]") -> "Bus":
    from edgelite_drivers.serial.bus import SerialBus

    return SerialBus(target[2] if target[0] == "serial" else None, random_bytes)


def listens(visitor: Visitor) -> bool:
    return bool(visitor.listens)


def same_value(visitor: Visitor, one: "Any", other: "Any") -> bool:
    if visitor.write is None:
        return bool(one == other)
    return visitor.frame(one, None) == visitor.frame(other, None)
