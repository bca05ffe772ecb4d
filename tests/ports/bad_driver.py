"""A driver that fails where its device says so: found by `driver_path`."""

from edgelite_drivers.exchange import ExchangeBus

NAME = "bad"


def check_protocol(config):
    return config["port"]


def check_visitor(config, property):
    return config


def target(protocol):
    return "tcp", "127.0.0.1", protocol


def make_bus(target, random_bytes):
    return BadBus(random_bytes)


def same_value(visitor, one, other):
    return one == other


class BadBus(ExchangeBus):
    def question(self, request):
        return b"value?\n"

    def answer(self, request, received):
        if not received.endswith(b"\n"):
            return None
        if received == b"poison\n":
            raise LookupError("a table has no such row")
        return {name: float(received) for name in request.visitors}
