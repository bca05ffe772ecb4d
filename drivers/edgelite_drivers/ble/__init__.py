"""Bluetooth Low Energy, central role: the driver contract.

The agent has the configuration and a bus to the other half (`edgelite_drivers.remote`): on Linux the process
`PROCESS_MODULE`, on a board a part of its firmware. That half has the radio, and drives it with `central.Central`.
"""

from edgelite_drivers.ble.config import check_protocol, check_visitor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edgelite.driver import Bus
    from edgelite_drivers.ble.config import Protocol, Visitor

__all__ = ["NAME", "PROCESS_MODULE", "check_protocol", "check_visitor", "listens", "make_bus", "same_value", "target"]

NAME = "ble"
PROCESS_MODULE = "edgelite_ports.linux.ble.main"


def target(protocol: "Protocol") -> "tuple[str, str]":
    return "driver", NAME


def make_bus(target: "tuple[str, str]", random_bytes: "Callable[[int], bytes]") -> "Bus":
    from edgelite_drivers.remote import RemoteBus

    return RemoteBus(NAME, random_bytes)


def listens(visitor: "Visitor") -> bool:
    return visitor.notify or visitor.advertisement != ""


def same_value(visitor: "Visitor", one: object, other: object) -> bool:
    from edgelite_drivers.ble.values import encode

    if visitor.codec is None or (visitor.codec.names is not None and visitor.codec.converter is not None):
        return one == other
    return encode(visitor.codec, one) == encode(visitor.codec, other)
