"""Units that say nothing, too late, or too much: what they cost, and whom."""

from modbus_bench import counting_unit, opened
from modbus_peer import frame

from edgelite_drivers.modbus.tcp import TcpFraming


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


def test_where_answers_have_no_name_a_unit_that_timed_out_is_asked_nothing_else_for_a_while():
    bench = opened(TcpFraming(0, False), u1=counting_unit(), u2=counting_unit())
    bench.read(1, 4, 15)
    bench.bus.received(bench.peer.answer(bench.bus.data_to_send(4096)), 0)
    late = bench.peer.answer(bench.bus.data_to_send(4096))
    bench.step(1000)
    (result,) = bench.results()
    assert (result.values, result.answered) == ({"r4": 4}, True), "so the unit does not count as silent"
    bench.read(1, 5)
    bench.read(2, 5)
    bench.exchange()
    assert [result.values for result in bench.results()] == [{"r5": 5}]
    assert bench.peer.requests[-1][0] == 2, "another unit's answer can be told from the late one"
    bench.bus.received(late, 1100)
    assert bench.results() == []
    assert bench.bus.step(1100) == 2000
    bench.step(2000)
    assert bench.results()[0].values == {"r5": 5}


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
    bench.now_ms = 1500
    bench.read(1, 4, 100)
    assert bench.results()[0].values == {}, "it is left alone"
    bench.now_ms = 10_000
    bench.read(1, 4, 100)
    bench.bus.step(10_000)
    exchange(10_000)
    bench.bus.step(11_000)
    (result,) = bench.results()
    assert result.values == {"r100": 100}
    assert result.errors == {"r4": "no answer within 1000 ms"}
    assert result.answered


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
