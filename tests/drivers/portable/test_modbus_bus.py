"""The Modbus bus against a peer in memory: order, timeouts, refusals, late and foreign answers, reconnects."""

from modbus_peer import Peer, Unit, frame, registers

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
        config = {"ip": "meter", "slaveID": unit, "timeoutMs": options.get("timeout_ms", 1000)}
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


def opened(**units):
    """A bench whose connection has carried one answer of unit 1."""
    bench = Bench(**units)
    bench.read(1, 0)
    bench.open()
    bench.exchange()
    assert len(bench.results()) == 1
    bench.peer.requests = []
    return bench


def counting_unit():
    return Unit(holding={address: address for address in range(20)})


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
    bench.bus.received(frame(request[:2], 1, b"\x83\6"), 1)
    (result,) = bench.results()
    assert result.errors == dict.fromkeys(("r4", "r5"), "Modbus exception 6: server device busy")
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


def test_late_doubled_and_foreign_answers_are_skipped():
    bench = opened(u1=counting_unit(), u2=counting_unit())
    bench.read(1, 4)
    late = bench.peer.answer(bench.bus.data_to_send(4096))
    bench.step(1000)
    assert bench.results()[0].errors == {"r4": "no answer within 1000 ms"}
    bench.read(2, 5)
    request = bench.bus.data_to_send(4096)
    foreign = (
        late,  # the answer that came too late, for the question before
        frame(request[:2], 1, b"\3\2\0\x63"),  # the right id, another unit
        frame(b"\xee\xee", 2, b"\3\2\0\x63"),  # an id that we never gave out
    )
    for data in foreign:
        bench.bus.received(data, 1001)
        assert bench.results() == []
    right = bench.peer.answer(request)
    bench.bus.received(right + right, 1002)
    (result,) = bench.results()
    assert result.values == {"r5": 5}
    assert bench.framing.foreign_answers == len(foreign) + 1


def test_a_broken_header_closes_the_connection_and_backs_off():
    bench = opened(u1=counting_unit())
    bench.read(1, 4)
    bench.bus.received(b"HTTP/1.1 400 Bad Request\r\n", 1)
    assert bench.bus.wants_close(1)
    bench.bus.received(b"more", 1)
    bench.bus.closed("closed", 2)
    (result,) = bench.results()
    assert result.errors["r4"].startswith("connection lost: not Modbus: protocol id ")
    assert not result.answered
    bench.now_ms = 3
    bench.read(1, 4)
    assert not bench.bus.wants_open(3)
    assert bench.results()[0].errors["r4"].startswith("no connection: not Modbus")


def test_a_refused_connection_fails_what_waits_and_backs_off_more_and_more():
    bench = Bench(u1=counting_unit())
    pauses = []
    for _ in range(8):
        bench.read(1, 0)
        bench.read(1, 1)
        assert bench.bus.wants_open(bench.now_ms)
        bench.bus.closed("refused", bench.now_ms)
        results = bench.results()
        assert [result.errors for result in results] == [
            {"r0": "no connection: refused"},
            {"r1": "no connection: refused"},
        ]
        start_ms = bench.now_ms
        while True:
            bench.now_ms += 250
            bench.read(1, 0)
            if bench.bus.wants_open(bench.now_ms):
                break
            assert len(bench.results()) == 1
        pauses.append(bench.now_ms - start_ms)
        bench.bus.closed("refused", bench.now_ms)
        bench.results()
        bench.now_ms += 40_000
    assert pauses[0] <= 1000 and pauses[-1] >= 15_000 and pauses[-1] <= 30_000
    assert pauses == sorted(pauses)


def test_a_connection_that_never_comes_costs_a_request_its_own_timeout():
    bench = Bench(u1=counting_unit())
    bench.read(1, 0, timeout_ms=300)
    bench.read(1, 1, timeout_ms=700)
    assert bench.step(0) == 300
    assert bench.step(300) == 700
    assert bench.results()[0].errors == {"r0": "no connection within 300 ms"}
    assert bench.step(700) is None
    assert bench.results()[0].errors == {"r1": "no connection within 700 ms"}
    assert not bench.bus.wants_open(700)


def test_a_connection_that_ends_under_a_read_is_taken_up_again_once():
    bench = opened(u1=counting_unit())
    bench.read(1, 4)
    bench.read(1, 5)
    bench.bus.data_to_send(4096)
    bench.bus.closed("reset", 10)
    assert bench.results() == []
    bench.now_ms = 11
    bench.open()
    bench.exchange()
    assert [result.values for result in bench.results()] == [{"r4": 4}, {"r5": 5}]
    bench.read(1, 4)
    for _ in range(2):
        bench.bus.data_to_send(4096)
        bench.bus.closed("reset", 12)
        if bench.bus.wants_open(12):
            bench.open()
    assert bench.results()[0].errors == {"r4": "connection lost: reset"}


def test_half_a_frame_of_an_old_connection_is_void():
    bench = opened(u1=counting_unit())
    bench.read(1, 4)
    bench.bus.received(bench.peer.answer(bench.bus.data_to_send(4096))[:5], 1)
    bench.bus.closed("reset", 2)
    bench.open()
    bench.exchange()
    assert bench.results()[0].values == {"r4": 4}


def test_a_dead_unit_backs_off_and_costs_the_others_little():
    bench = opened(u1=counting_unit(), u2=counting_unit(), u3=counting_unit())
    bench.peer.units[2].is_silent = True
    probes = 0
    delayed = 0
    for second in range(300):
        bench.step(1000 * second)
        numbers = {bench.read(unit, 4): unit for unit in (2, 1, 3)}
        bench.exchange()
        while numbers:
            for result in bench.results():
                unit = numbers.pop(result.number)
                assert (result.values == {"r4": 4}) == (unit != 2)
                if unit != 2 and bench.now_ms > 1000 * second:
                    delayed += 1
            if numbers:
                bench.step(bench.bus.step(bench.now_ms))
        probes += len([unit for unit, _ in bench.peer.requests if unit == 2])
        bench.peer.requests = []
    assert 3 <= probes <= 12, probes
    assert delayed == 2, "the first timeout only, and once for each of them"


def test_a_unit_that_comes_back_is_heard_again():
    bench = opened(u1=counting_unit())
    bench.peer.units[1].is_silent = True
    bench.read(1, 4)
    bench.exchange()
    bench.step(1000)
    assert not bench.results()[0].answered
    bench.peer.units[1].is_silent = False
    bench.read(1, 4)
    bench.exchange()
    assert bench.results()[0].errors == {"r4": "no answer within 1000 ms"}, "asked nobody: the unit is paused"
    bench.now_ms = 4000
    bench.read(1, 4)
    bench.step(4000)
    assert bench.results()[0].values == {"r4": 4}
    bench.read(1, 4)
    bench.exchange()
    assert bench.results()[0].answered


def test_a_gateway_that_speaks_for_a_dead_slave_counts_as_silence():
    bench = opened(u1=counting_unit())
    bench.read(9, 4)
    request = bench.bus.data_to_send(4096)
    bench.bus.received(frame(request[:2], 9, b"\x83\x0b"), 1)
    (result,) = bench.results()
    assert not result.answered
    assert result.errors == {"r4": "Modbus exception 11: gateway target device failed to respond"}
    bench.read(9, 4)
    assert bench.bus.data_to_send(4096) == b"", "it was not left alone"


def test_a_connection_without_any_answer_is_given_up():
    bench = opened(u1=counting_unit())
    for unit in (1, 2, 3):
        bench.read(unit, 4)
    bench.peer.units = {}
    bench.exchange()
    for now_ms in (1000, 2000):
        bench.step(now_ms)
        assert not bench.bus.wants_close(now_ms)
    bench.step(3000)
    assert bench.bus.wants_close(3000)
    assert len(bench.results()) == 3


def test_where_answers_have_no_name_a_timeout_keeps_the_bus_quiet():
    bench = Bench(TcpFraming(0, False), u1=counting_unit())
    bench.read(1, 4)
    bench.open()
    late = bench.peer.answer(bench.bus.data_to_send(4096))
    bench.step(1000)
    bench.results()
    bench.read(2, 5)
    assert bench.bus.data_to_send(4096) == b"", "a late answer would be taken for this one's"
    bench.bus.received(late, 2500)
    assert bench.results() == []
    assert bench.bus.step(2500) == 3000
    bench.step(3000)
    assert bench.peer.requests[-1] == (2, b"\3\0\5\0\1")


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


def test_a_span_that_hangs_the_device_is_asked_last_next_time():
    unit = counting_unit()
    unit.holding.update({100: 100})
    bench = opened(u1=unit)
    hang = [b"\3\0\4\0\1"]
    real = unit.answer

    def answer(pdu):
        unit.is_silent = pdu in hang
        return real(pdu)

    unit.answer = answer

    def exchange(now_ms):
        data = bench.bus.data_to_send(4096)
        while data:
            reply = bench.peer.answer(data)
            if unit.is_silent:
                unit.is_silent = False
                return
            bench.bus.received(reply, now_ms)
            data = bench.bus.data_to_send(4096)

    bench.read(1, 4, 100)
    exchange(0)
    bench.bus.step(1000)
    assert bench.results()[0].values == {}
    bench.now_ms = 10_000
    bench.read(1, 4, 100)
    bench.bus.step(10_000)
    exchange(10_000)
    bench.bus.step(11_000)
    (result,) = bench.results()
    assert result.values == {"r100": 100}
    assert result.errors == {"r4": "no answer within 1000 ms"}
    assert result.answered


def test_an_answer_ends_the_backoff_of_reconnects():
    bench = Bench(u1=counting_unit())
    for _ in range(6):
        bench.now_ms += 60_000
        bench.read(1, 0)
        bench.bus.closed("refused", bench.now_ms)
    bench.now_ms += 60_000
    bench.read(1, 0)
    bench.open()
    bench.exchange()
    bench.bus.closed("reset", bench.now_ms)
    bench.read(1, 0)
    bench.bus.closed("refused", bench.now_ms)
    bench.now_ms += 1000
    bench.read(1, 0)
    assert bench.bus.wants_open(bench.now_ms), "it waits as if nothing had ever been answered"


def test_an_answer_ends_the_pauses_of_a_unit():
    bench = opened(u1=counting_unit())
    unit = bench.peer.units[1]

    def fall_silent(times):
        unit.is_silent = True
        for _ in range(times):
            bench.now_ms += 61_000
            bench.read(1, 4)
            bench.step(bench.now_ms)
            bench.step(bench.now_ms + 1000)
        unit.is_silent = False

    fall_silent(2)
    bench.now_ms += 61_000
    bench.read(1, 4)
    bench.step(bench.now_ms)
    assert bench.results()[-1].answered
    fall_silent(1)
    bench.now_ms += 2000
    bench.read(1, 4)
    bench.step(bench.now_ms)
    assert bench.results()[-1].answered, "it was left alone as if it had never come back"
