"""Writing: bits of a register, and devices that know only some of the functions."""

from modbus_bench import Bench
from modbus_peer import Unit

from edgelite.driver import Request
from edgelite_drivers import modbus
from edgelite_drivers.modbus import check_protocol
from edgelite_protocol import messages


class Particular(Unit):
    """A device that knows only some functions."""

    def __init__(self, known, **tables):
        Unit.__init__(self, **tables)
        self.known = known

    def answer(self, pdu):
        return Unit.answer(self, pdu) if pdu[0] in self.known else bytes([pdu[0] | 0x80, 1])


def write(bench, property_type, config, value):
    property = {messages.PROPERTY_TYPE: property_type, messages.PROPERTY_WRITABLE: True}
    visitor = modbus.check_visitor(config, property)
    bench.number += 1
    bench.bus.submit(Request(bench.number, check_protocol({"ip": "meter"}), {"p": visitor}, value), bench.now_ms)
    if bench.bus.wants_open(bench.now_ms):
        bench.open()
    bench.exchange()
    (result,) = bench.results()
    return result.errors.get("p", "")


def functions(bench):
    asked = [pdu[0] for _, pdu in bench.peer.requests]
    bench.peer.requests = []
    return asked


FIELD = {"register": "HoldingRegister", "offset": 3, "bits": [4, 7]}


def test_bits_are_written_by_a_mask():
    unit = Unit(holding={3: 0xABCD})
    bench = Bench(u1=unit)
    assert write(bench, "INT", FIELD, 5) == ""
    assert unit.holding[3] == 0xAB5D
    assert write(bench, "BOOLEAN", {"register": "HoldingRegister", "offset": 3, "bit": 15}, False) == ""
    assert unit.holding[3] == 0x2B5D
    assert functions(bench) == [22, 22]


def test_where_there_are_no_masks_bits_are_read_changed_and_written():
    unit = Particular((3, 6), holding={3: 0xABCD})
    bench = Bench(u1=unit)
    assert write(bench, "INT", FIELD, 5) == ""
    assert unit.holding[3] == 0xAB5D
    assert functions(bench) == [22, 3, 6]
    assert write(bench, "INT", FIELD, 6) == ""
    assert unit.holding[3] == 0xAB6D
    assert functions(bench) == [3, 6], "it remembers"


def test_a_device_that_knows_only_the_plural_of_a_function():
    unit = Particular((3, 15, 16), holding={3: 0xABCD}, coils={0: 0})
    bench = Bench(u1=unit)
    assert write(bench, "INT", {"register": "HoldingRegister", "offset": 3}, 7) == ""
    assert write(bench, "BOOLEAN", {"register": "CoilRegister", "offset": 0}, True) == ""
    assert (unit.holding, unit.coils) == ({3: 7}, {0: 1})
    assert functions(bench) == [6, 16, 5, 15]
    assert write(bench, "INT", FIELD, 2) == ""
    assert unit.holding[3] == 0x27
    assert write(bench, "BOOLEAN", {"register": "CoilRegister", "offset": 0}, False) == ""
    assert functions(bench) == [22, 3, 16, 15]


def test_a_device_that_knows_none_says_so():
    bench = Bench(u1=Particular((3,), holding={3: 1}, coils={0: 0}))
    for config in ({"register": "HoldingRegister", "offset": 3}, {"register": "CoilRegister", "offset": 0}, FIELD):
        property_type = "BOOLEAN" if config["register"] == "CoilRegister" else "INT"
        assert write(bench, property_type, config, 1) == "Modbus exception 1: illegal function"


def test_a_register_that_is_not_there_is_not_written_by_another_way():
    bench = Bench(u1=Unit(holding={}))
    assert write(bench, "INT", FIELD, 5) == "Modbus exception 2: illegal data address"
    assert functions(bench) == [22]


def test_a_text_is_written_as_its_number():
    unit = Unit(holding={3: 0})
    bench = Bench(u1=unit)
    config = {"register": "HoldingRegister", "offset": 3, "values": {"0": "off", "2": "on"}}
    assert write(bench, "STRING", config, "on") == ""
    assert unit.holding[3] == 2
    assert write(bench, "STRING", config, "maybe") == "must be one of off, on"
