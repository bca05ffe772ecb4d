"""The Modbus bus against a peer in memory: order, refusals, writes."""

from modbus_bench import Bench, counting_unit, half, opened
from modbus_peer import Unit, frame, registers

from edgelite.driver import Request
from edgelite_drivers import modbus
from edgelite_drivers.modbus import unit as bus_unit
from edgelite_protocol import messages


def test_a_request_opens_the_bus_and_brings_its_values():
    bench = Bench(u1=counting_unit())
    assert not bench.bus.wants_open(0)
    number = bench.read(1, 3, 4)
    bench.open()
    bench.now_ms = 7
    bench.exchange()
    (result,) = bench.results()
    assert (result.number, result.values, result.errors) == (number, {"r3": 3, "r4": 4}, {})
    assert (result.answered, result.time_ms) == (True, 7)
    assert bench.peer.requests == [(1, b"\3\0\3\0\2")]


def test_an_answer_in_single_bytes():
    bench = opened(u1=counting_unit())
    bench.read(1, 5)
    for byte in bench.peer.answer(bench.bus.data_to_send(4096)):
        assert bench.results() == []
        bench.bus.received(bytes([byte]), 1)
    assert bench.results()[0].values == {"r5": 5}


def test_requests_are_served_in_order_one_at_a_time():
    bench = opened(u1=counting_unit(), u2=counting_unit())
    numbers = [bench.read(1, 1), bench.read(2, 2), bench.read(1, 3)]
    assert len(bench.bus.data_to_send(4096)) == 12, "more than one request was sent"
    bench = opened(u1=counting_unit(), u2=counting_unit())
    numbers = [bench.read(1, 1), bench.read(2, 2), bench.read(1, 3)]
    bench.exchange()
    assert [result.number for result in bench.results()] == numbers


def test_a_refused_register_is_bad_and_the_others_go_on():
    unit = counting_unit()
    del unit.holding[6]
    bench = opened(u1=unit)
    bench.read(1, 4, 5, 6, 7)
    bench.exchange()
    (result,) = bench.results()
    assert result.values == {"r4": 4, "r5": 5, "r7": 7}
    assert result.errors == {"r6": "Modbus exception 2: illegal data address"}
    assert result.answered


def test_a_split_is_learnt():
    unit = counting_unit()
    del unit.holding[6]
    bench = opened(u1=unit)
    bench.read(1, 4, 5, 6, 7)
    bench.exchange()
    first = len(bench.peer.requests)
    bench.read(1, 4, 5, 6, 7)
    bench.exchange()
    assert first == 5, "4-7 refused; 4-5; 6-7 refused; 6 refused; 7"
    assert [pdu for _, pdu in bench.peer.requests[first:]] == [b"\3\0\4\0\2", b"\3\0\6\0\1", b"\3\0\7\0\1"]


def test_a_refused_gap_is_cut_at_the_gap_and_remembered_over_connections():
    unit = counting_unit()
    for address in (4, 5, 6):
        del unit.holding[address]
    bench = opened(u1=unit)
    for _ in range(2):
        bench.read(1, 0, 1, 2, 3, 7, 8)
        bench.exchange()
        (result,) = bench.results()
        assert len(result.values) == 6 and not result.errors
        bench.bus.closed("reset", 0)
        bench.read(1, 0)
        bench.open()
        bench.exchange()
        bench.results()
    spans = [(pdu[2], pdu[4]) for _, pdu in bench.peer.requests]
    assert spans == [(0, 9), (0, 4), (7, 2), (0, 1), (0, 4), (7, 2), (0, 1)]


def test_what_is_learnt_of_a_device_is_bounded():
    unit = bus_unit.Unit(half)
    for offset in range(3 * bus_unit.CUTS_MAX):
        unit.cut("HoldingRegister", offset)
        assert len(unit.cuts) <= bus_unit.CUTS_MAX
    assert ("HoldingRegister", offset) in unit.cuts


def test_a_device_that_gives_fewer_registers_is_read_in_parts():
    unit = counting_unit()
    unit.count_max = 4
    bench = opened(u1=unit)
    bench.read(1, 0, 1, 2, 3, 4, 5, 6, 7)
    bench.exchange()
    (result,) = bench.results()
    assert len(result.values) == 8 and not result.errors
    assert [pdu[4] for _, pdu in bench.peer.requests] == [8, 4, 4]


def test_other_exceptions_are_not_asked_again():
    bench = opened(u1=counting_unit())
    bench.read(1, 4, 5)
    request = bench.bus.data_to_send(4096)
    bench.bus.received(frame(request[:2], 1, b"\x83\4"), 1)
    (result,) = bench.results()
    assert result.errors == dict.fromkeys(("r4", "r5"), "Modbus exception 4: server device failure")
    assert result.answered
    assert bench.bus.data_to_send(4096) == b""


def test_a_malformed_answer_is_an_error_of_that_read_only():
    bench = opened(u1=counting_unit())
    bench.read(1, 4)
    bench.read(1, 5)
    request = bench.bus.data_to_send(4096)
    bench.bus.received(frame(request[:2], 1, b"\3\4\0\0\0\0"), 1)
    (result,) = bench.results()
    assert result.errors["r4"].startswith("malformed answer: ")
    bench.exchange()
    assert bench.results()[0].values == {"r5": 5}
    assert not bench.bus.wants_close(1)


def test_a_write_of_each_kind():
    unit = Unit(coils={7: 0}, holding={5: 0, 8: 0, 9: 0})
    bench = Bench(u1=unit)
    protocol = modbus.check_protocol({"ip": "meter"})
    rows = (
        ("BOOLEAN", {"register": "CoilRegister", "offset": 7}, True),
        ("INT", {"register": "HoldingRegister", "offset": 5}, -2),
        ("FLOAT", {"register": "HoldingRegister", "offset": 8, "limit": 2}, 230.0),
        ("INT", {"register": "HoldingRegister", "offset": 6}, 1),
        ("INT", {"register": "HoldingRegister", "offset": 5}, 40000),
    )
    for number, (property_type, config, value) in enumerate(rows):
        property = {messages.PROPERTY_TYPE: property_type, messages.PROPERTY_WRITABLE: True}
        visitor = modbus.check_visitor(config, property)
        bench.bus.submit(Request(number, protocol, {"p": visitor}, value), 0)
    bench.open()
    bench.exchange()
    errors = {result.number: result.errors for result in bench.results()}
    assert errors == {
        0: {},
        1: {},
        2: {},
        3: {"p": "Modbus exception 2: illegal data address"},
        4: {"p": "40000 does not fit int16"},
    }
    assert unit.coils == {7: 1}
    expected = {5: 0xFFFE}
    expected.update(registers(b"\x43\x66\0\0", 8))
    assert unit.holding == expected
    assert [pdu[0] for _, pdu in bench.peer.requests] == [5, 6, 16, 6]


def test_bits_are_read_together():
    unit = Unit(coils={address: address % 3 == 0 for address in range(40)})
    bench = Bench(u1=unit)
    visitors = {
        "c%d" % offset: modbus.check_visitor(
            {"register": "CoilRegister", "offset": offset}, {messages.PROPERTY_TYPE: "BOOLEAN"}
        )
        for offset in (1, 3, 12, 29, 39)
    }
    bench.bus.submit(Request(1, modbus.check_protocol({"ip": "meter"}), visitors), 0)
    bench.open()
    bench.exchange()
    assert bench.results()[0].values == {"c1": False, "c3": True, "c12": True, "c29": False, "c39": True}
    assert len(bench.peer.requests) == 1


def test_data_to_send_keeps_to_its_size():
    bench = opened(u1=counting_unit())
    bench.read(1, 4)
    sent = b""
    for _ in range(12):
        piece = bench.bus.data_to_send(1)
        assert len(piece) == 1
        sent += piece
    assert bench.bus.data_to_send(1) == b""
    bench.bus.received(bench.peer.answer(sent), 1)
    assert bench.results()[0].values == {"r4": 4}
