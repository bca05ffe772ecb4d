"""Barometers that say "pressure=1013.2\\n" whenever they like, over TCP."""

from edgelite.driver import ConfigurationError
from edgelite_drivers.fields import Fields
from edgelite_drivers.hearing import HearingBus

NAME = "barometer"


def check_protocol(config):
    fields = Fields(config, "protocol.configData", ("ip", "port"))
    return fields.text("ip", 253), fields.integer("port", 1, 65535)


def check_visitor(config, property):
    return Fields(config, "visitors.configData", ("word",)).text("word", 16)


def target(protocol):
    return "tcp", protocol[0], protocol[1]


def make_bus(target, random_bytes):
    return BarometerBus(random_bytes)


def same_value(visitor, one, other):
    raise ConfigurationError("value", "a barometer cannot be written")


def listens(visitor):
    return True


class BarometerBus(HearingBus):
    silence_ms = 60_000

    def hear(self, received):
        lines = received.split(b"\n")
        return lines[:-1], lines[-1]

    def value(self, visitor, message):
        word, _, reading = message.partition(b"=")
        try:
            return float(reading) if word == visitor.encode() else None
        except ValueError:
            return None  # noise
