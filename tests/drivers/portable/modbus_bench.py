"""A Modbus bus against a peer in memory, for its tests."""

from modbus_peer import Peer, Unit

from edgelite.driver import Request
from edgelite_drivers import modbus
from edgelite_drivers.modbus.bus import ModbusBus
from edgelite_drivers.modbus.tcp import TcpFraming
from edgelite_protocol import messages

INT = {messages.PROPERTY_TYPE: "INT"}


def half(count):
    return b"\x80" * count


class Bench:
    """A bus, its peer and a clock. `exchange` carries bytes both ways until nothing moves."""

    config = {"ip": "meter"}

    def __init__(self, framing=None, **units):
        self.framing = framing or TcpFraming()
        self.bus = ModbusBus(self.framing, half)
        self.peer = Peer({int(name[1:]): unit for name, unit in units.items()})
        self.now_ms = 0
        self.number = 0

    def open(self):
        assert self.bus.wants_open(self.now_ms)
        self.bus.opened(self.now_ms)

    def read(self, unit, *offsets, **options):
        config = {"slaveID": unit, "timeoutMs": options.get("timeout_ms", 1000)}
        config.update(self.config)
        visitors = {
            "r%d" % offset: modbus.check_visitor({"register": "HoldingRegister", "offset": offset}, INT)
            for offset in offsets
        }
        self.number += 1
        self.bus.submit(Request(self.number, modbus.check_protocol(config), visitors), self.now_ms)
        return self.number

    def exchange(self):
        data = self.bus.data_to_send(4096)
        while data:
            answer = self.peer.answer(data)
            if answer:
                self.bus.received(answer, self.now_ms)
            data = self.bus.data_to_send(4096)

    def step(self, now_ms):
        self.now_ms = now_ms
        deadline_ms = self.bus.step(now_ms)
        self.exchange()
        return deadline_ms

    def results(self):
        found = []
        result = self.bus.next_result()
        while result is not None:
            found.append(result)
            result = self.bus.next_result()
        return found


def opened(framing=None, **units):
    """A bench whose connection has carried one answer of unit 1."""
    bench = Bench(framing, **units)
    bench.read(1, 0)
    bench.open()
    bench.exchange()
    assert len(bench.results()) == 1
    bench.peer.requests = []
    return bench


def counting_unit():
    return Unit(holding={address: address for address in range(20)})
