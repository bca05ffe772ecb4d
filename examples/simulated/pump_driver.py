"""A driver for pumps that speak in lines over TCP: "speed?" is answered by "speed=900", "speed=900" by the same."""

from edgelite.driver import ConfigurationError
from edgelite_drivers.exchange import ExchangeBus
from edgelite_drivers.fields import Fields

NAME = "pump"


def check_protocol(config):
    fields = Fields(config, "protocol.configData", ("ip", "port"))
    return fields.text("ip", 253), fields.integer("port", 1, 65535)


def check_visitor(config, property):
    return Fields(config, "visitors.configData", ("word",)).text("word", 16)


def target(protocol):
    return "tcp", protocol[0], protocol[1]


def make_bus(target, random_bytes):
    return PumpBus(random_bytes)


def same_value(visitor, one, other):
    return one == other


class PumpBus(ExchangeBus):
    def question(self, request):
        words = [word.encode() for word in request.visitors.values()]
        if request.value is None:
            return b"".join([word + b"?\n" for word in words])
        if not isinstance(request.value, int):
            raise ConfigurationError("value", "a pump takes whole numbers")
        return b"%s=%d\n" % (words[0], request.value)

    def answer(self, request, received):
        if received.count(b"\n") < len(request.visitors):
            return None
        readings = dict(line.split(b"=") for line in received.split(b"\n") if b"=" in line)
        known = {name: readings.get(word.encode()) for name, word in request.visitors.items()}
        return {name: int(value) for name, value in known.items() if value is not None}
