"""The scale's half in the agent."""

from edgelite_drivers.fields import Fields
from edgelite_drivers.remote import Raw, RemoteBus, raw_visitor

NAME = "scale"
PROCESS_MODULE = "scale_process"  # the node runs python -m scale_process
check_visitor = raw_visitor  # the program looks at it


def check_protocol(config):
    fields = Fields(config, "protocol.configData", ("ip", "port"))
    fields.text("ip", 253)
    fields.integer("port", 1, 65535)
    return Raw(config)


def target(protocol):
    return "driver", NAME


def make_bus(target, random_bytes):
    return RemoteBus(NAME, random_bytes)


def same_value(visitor, one, other):
    return one == other
