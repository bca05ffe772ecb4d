"""The agent's half of the driver whose program is tests/drivers/far_program.py: found by `driver_path`."""

from edgelite_drivers.remote import RemoteBus, raw_protocol, raw_visitor

NAME = "far"
PROCESS_MODULE = "far_program"
check_protocol = raw_protocol
check_visitor = raw_visitor


def target(protocol):
    return "driver", NAME


def make_bus(target, random_bytes):
    return RemoteBus(NAME, random_bytes, ping_ms=1000)


def same_value(visitor, one, other):
    return one == other


def listens(visitor):
    return visitor.raw.get("listen") is True
