"""A driver for thermometers that answer "name?" with "name=21.5", a line each, over TCP."""

from edgelite.driver import ConfigurationError
from edgelite_drivers.exchange import ExchangeBus
from edgelite_drivers.fields import Fields

NAME = "thermometer"


def check_protocol(config):
    fields = Fields(config, "protocol.configData", ("ip", "port"))
    return fields.text("ip", 253), fields.integer("port", 1, 65535)


def check_visitor(config, property):
    return Fields(config, "visitors.configData", ("sensor",)).text("sensor", 32)


def target(protocol):
    return "tcp", protocol[0], protocol[1]


def make_bus(target, random_bytes):
    return ThermometerBus(random_bytes)


def same_value(visitor, one, other):
    return one == other


class ThermometerBus(ExchangeBus):
    timeout_ms = 500

    def question(self, request):
        if request.value is not None:
            raise ConfigurationError("value", "a thermometer cannot be written")
        return b"".join([sensor.encode() + b"?\n" for sensor in request.visitors.values()])

    def answer(self, request, received):
        if received.count(b"\n") < len(request.visitors):
            return None
        readings = {}
        for line in received.split(b"\n"):
            sensor, _, reading = line.partition(b"=")
            readings[sensor] = reading
        values = {}
        for name, sensor in request.visitors.items():
            try:
                values[name] = float(readings.get(sensor.encode(), b""))
            except ValueError:
                continue  # a property without a value counts as an error
        return values
