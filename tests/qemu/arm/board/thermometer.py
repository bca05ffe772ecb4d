"""A driver that is frozen into the firmware beside edgelite's: asks "?" on a serial line, is answered a line with a
number."""

from edgelite_drivers.exchange import ExchangeBus
from edgelite_drivers.fields import Fields

NAME = "thermometer"


def check_protocol(config):
    return Fields(config, "protocol.configData", ("serialPort",)).text("serialPort", 32)


def check_visitor(config, property):
    return Fields(config, "visitors.configData", ()) and None


def target(protocol):
    return "serial", protocol, {"baud": 115200}


def make_bus(target, random_bytes):
    return ThermometerBus(random_bytes)


def same_value(visitor, one, other):
    return one == other


class ThermometerBus(ExchangeBus):
    timeout_ms = 2000

    def question(self, request):
        return b"?\n"

    def answer(self, request, received):
        if not received.endswith(b"\n"):
            return None
        reading = int(received.split()[-1])  # an answer that came too late may stand before it
        return dict.fromkeys(request.visitors, reading)
