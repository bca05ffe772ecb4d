"""Several slaves on a serial line: silences, retries, quarantine, broadcast, and slaves that ask for patience."""

from modbus_bench import Bench, counting_unit
from modbus_peer import RtuPeer, Unit

from edgelite.driver import Request
from edgelite_drivers import modbus
from edgelite_drivers.modbus import rtu
from edgelite_drivers.modbus.rtu import RtuFraming
from edgelite_protocol import messages

LINE = {"serialPort": "/dev/ttyUSB0", "baudRate": 9600}
IDLE_MS = rtu.idle_ms_of(9600)
WIRE_MS = RtuFraming(9600).wire_ms(b"\3\0\0\0\1")


class Line(Bench):
    """Time passes by itself: from deadline to deadline, as a port would."""

    config = LINE

    def __init__(self, **units):
        Bench.__init__(self, RtuFraming(9600), **units)
        self.peer = RtuPeer(self.peer.units)

    def run(self, until_ms):
        """Results, with the time of each, until the clock says so."""
        found = []
        while True:
            if self.bus.wants_open(self.now_ms):
                self.bus.opened(self.now_ms)
            deadline_ms = self.bus.step(self.now_ms)
            self.exchange()
            found += [(self.now_ms, result) for result in self.results()]
            deadline_ms = min([row for row in (deadline_ms, self.bus.step(self.now_ms), until_ms) if row is not None])
            if deadline_ms <= self.now_ms or self.now_ms >= until_ms:
                return found
            self.now_ms = deadline_ms

    def exchange(self):
        data = self.bus.data_to_send(4096)
        while data:
            answer = self.peer.answer(data)
            if answer:
                self.bus.received(answer, self.now_ms)
            data = self.bus.data_to_send(4096)


def values(found):
    return [result.values for _, result in found]


def test_a_request_waits_for_the_silence_of_the_line():
    line = Line(u1=counting_unit(), u2=counting_unit())
    line.read(1, 4)
    line.read(2, 5)
    found = line.run(100)
    assert [time_ms for time_ms, _ in found] == [IDLE_MS, 2 * IDLE_MS]
    assert values(found) == [{"r4": 4}, {"r5": 5}]


def test_bytes_on_the_line_put_a_request_off_but_not_for_ever():
    line = Line(u1=counting_unit())
    line.read(1, 4)
    line.bus.opened(0)
    for now_ms in range(0, 700, 2):
        line.now_ms = now_ms
        line.bus.received(b"\x55", now_ms)
        line.bus.step(now_ms)
        if line.bus._output:
            break
    assert now_ms == 500
    line.exchange()
    assert line.results()[0].values == {"r4": 4}


def test_one_lost_frame_is_asked_for_again():
    line = Line(u1=counting_unit())
    line.read(1, 4)
    line.bus.opened(0)
    line.now_ms = IDLE_MS
    line.bus.step(line.now_ms)
    line.bus.received(line.peer.answer(line.bus.data_to_send(4096))[:-1] + b"\xff", line.now_ms)
    found = line.run(3000)
    assert values(found) == [{"r4": 4}]
    assert found[0][0] == IDLE_MS + 1000 + WIRE_MS + IDLE_MS
    assert len(line.peer.requests) == 2


def test_retries_are_as_many_as_configured():
    for retries in (0, 1, 3):
        line = Line(u1=counting_unit())
        line.peer.units[1].is_silent = True
        line.config = dict(LINE)
        line.config["retries"] = retries
        line.read(1, 4)
        found = line.run(10_000)
        assert found[0][1].errors == {"r4": "no answer within 1000 ms"}
        assert len(line.peer.requests) == retries + 1


def test_a_line_on_which_all_are_dead_stays_open_and_says_the_same():
    line = Line(u1=counting_unit())
    line.peer.units[1].is_silent = True
    texts = set()
    for _ in range(100):
        line.read(1, 4)
        texts.update([result.errors["r4"] for _, result in line.run(line.now_ms + 5000)])
    assert texts == {"no answer within 1000 ms"}
    assert len(line.peer.requests) >= 6
    assert not line.bus.wants_close(line.now_ms)


def test_bytes_that_are_no_answer_are_told_of():
    line = Line(u1=counting_unit())
    line.peer.answer = lambda data: b"\xf0\x80\x00"
    line.read(1, 4)
    found = line.run(10_000)
    assert found[0][1].errors["r4"].startswith("no answer within 1000 ms, only bytes that are no answer")


def test_a_late_answer_is_right_for_the_same_question_and_for_no_other():
    line = Line(u1=counting_unit(), u2=counting_unit())
    line.read(1, 4)
    line.read(1, 5)
    line.bus.opened(0)
    line.now_ms = IDLE_MS
    line.bus.step(line.now_ms)
    late = line.peer.answer(line.bus.data_to_send(4096))
    line.now_ms += 1000 + WIRE_MS
    line.bus.step(line.now_ms)
    line.now_ms += IDLE_MS
    line.bus.step(line.now_ms)
    doubled = line.peer.answer(line.bus.data_to_send(4096))
    assert late == doubled, "asked again"
    line.bus.received(late, line.now_ms)
    assert line.results()[0].values == {"r4": 4}
    asked = len(line.peer.requests)
    line.read(2, 6)
    line.now_ms += 500
    line.bus.step(line.now_ms)
    line.exchange()
    assert line.results()[0].values == {"r6": 6}, "the others are not kept waiting"
    line.bus.received(doubled, line.now_ms)
    found = line.run(line.now_ms + 3000)
    assert values(found) == [{"r5": 5}]
    assert line.peer.requests[asked:] == [(2, b"\3\0\6\0\1"), (1, b"\3\0\5\0\1")]


def test_an_answer_that_comes_twice_is_not_the_next_one_s():
    line = Line(u1=counting_unit())
    line.read(1, 4)
    line.read(1, 5)
    line.bus.opened(0)
    line.now_ms = IDLE_MS
    line.bus.step(line.now_ms)
    answer = line.peer.answer(line.bus.data_to_send(4096))
    line.bus.received(answer, line.now_ms)
    line.bus.received(answer, line.now_ms + 3)
    line.now_ms += 3
    assert values(line.run(500)) == [{"r4": 4}, {"r5": 5}]


def test_dead_slaves_cost_the_others_less_than_a_twentieth():
    units = {"u%d" % number: counting_unit() for number in range(1, 21)}

    def answered(dead, seconds):
        line = Line(**units)
        for number in range(1, 21):
            line.peer.units[number].is_silent = number in dead
        count = 0
        waiting = {}
        while line.now_ms < 1000 * seconds:
            for unit in range(1, 21):
                if unit not in waiting.values():
                    waiting[line.read(unit, 4)] = unit
            line.peer.requests = []
            for _, result in line.run(line.now_ms + 200):
                unit = waiting.pop(result.number)
                count += unit not in dead and line.now_ms > 15_000  # when each has been met once
        return count

    alone = answered((), 120)
    beside = answered((3, 9, 15), 120)
    assert beside * 20 >= 0.95 * alone * 17, (alone, beside)


def test_a_slave_that_was_quick_is_probed_shortly_but_each_fourth_time():
    line = Line(u1=counting_unit(), u2=counting_unit())
    line.read(1, 4)
    line.read(2, 4)
    line.run(100)
    line.peer.units[1].is_silent = True
    lasted = []
    unit = line.bus._units[1]
    while len(lasted) < 9:
        line.now_ms = max(line.now_ms, unit.silent_until_ms, unit.doubtful_until_ms)
        begin_ms = line.now_ms
        line.read(1, 4)
        ((_, result),) = line.run(begin_ms + 3000)
        assert result.errors == {"r4": "no answer within 1000 ms"}
        lasted.append(line.bus._deadline_ms - begin_ms)
    assert lasted[0] > 2000, "asked again, with its whole timeout each time"
    assert [one > 1000 for one in lasted[1:]] == [False, False, False, True] * 2
    assert min(lasted[1:]) < 150


def test_slaves_that_nobody_asks_for_any_more_do_not_lengthen_pauses():
    units = {"u%d" % number: counting_unit() for number in range(1, 30)}
    line = Line(**units)
    line.read(1, 4)
    line.run(100)
    for number in range(2, 30):
        line.peer.units[number].is_silent = True
        line.read(number, 4)
    line.run(60_000)
    line.now_ms += 400_000
    line.read(29, 4)
    line.run(line.now_ms + 2000)
    assert line.bus._units[29].silent_until_ms - line.now_ms <= 60_000


def test_exceptions_5_and_6_are_asked_again_with_patience():
    for number in (5, 6):
        line = Line(u1=counting_unit(), u2=counting_unit())
        real = line.peer.units[1].answer
        refusals = [bytes([0x83, number])] * 3

        def answer(pdu, real=real, refusals=refusals):
            return refusals.pop() if refusals else real(pdu)

        line.peer.units[1].answer = answer
        line.read(1, 4)
        line.read(2, 4)
        found = line.run(5000)
        assert [result.number for _, result in found] == [2, 1], "the other had its turn meanwhile"
        assert found[1][1].values == {"r4": 4} and found[1][0] >= 700, "after 100, 200 and 400 ms"


def test_an_adapter_that_delivers_in_lumps_of_16_ms_cuts_no_answer():
    line = Line(u1=counting_unit())
    line.read(1, *range(10))
    line.bus.opened(0)
    line.now_ms = IDLE_MS
    line.bus.step(line.now_ms)
    answer = line.peer.answer(line.bus.data_to_send(4096))
    for place in range(0, len(answer), 9):
        line.bus.received(answer[place : place + 9], line.now_ms)
        line.now_ms += 16
        line.bus.step(line.now_ms)
    assert line.bus.data_to_send(4096) == b"", "asked again, though the answer was on its way"
    assert len(line.results()[0].values) == 10


def test_each_exception_is_told_by_its_name():
    for number, name, is_online, times in (
        (1, "illegal function", True, 1),
        (2, "illegal data address", True, 1),
        (3, "illegal data value", True, 1),
        (4, "server device failure", True, 1),
        (5, "acknowledge", True, 6),
        (6, "server device busy", True, 6),
        (8, "memory parity error", True, 1),
        (10, "gateway path unavailable", False, 1),
        (11, "gateway target device failed to respond", False, 1),
        (99, "unknown", True, 1),
    ):
        line = Line(u1=counting_unit(), u2=counting_unit())
        line.peer.units[1].answer = lambda pdu, number=number: bytes([pdu[0] | 0x80, number])
        line.read(1, 4)
        line.read(2, 4)
        results = {result.number: result for _, result in line.run(10_000)}
        assert results[1].errors == {"r4": "Modbus exception %d: %s" % (number, name)}
        assert results[1].answered == is_online, number
        assert results[2].values == {"r4": 4}
        assert len([unit for unit, _ in line.peer.requests if unit == 1]) == times, number


def test_a_wrong_function_and_a_wrong_length_are_told_of():
    for answer, text, is_online in (
        (b"\4\2\0\x63", "no answer within 1000 ms, only bytes", False),  # another master's, or a late one's
        (b"\3\4\0\x63\0\0", "malformed answer: 6 bytes answered where 4 are due", True),
        (b"\3\1\x63", "malformed answer: 3 bytes answered where 4 are due", True),
        (b"\3", "no answer within 1000 ms, only bytes", False),
    ):
        line = Line(u1=counting_unit())
        line.peer.units[1].answer = lambda pdu, answer=answer: answer
        line.read(1, 4)
        ((_, result),) = line.run(10_000)
        assert result.errors["r4"].startswith(text), (answer, result.errors)
        assert result.answered == is_online


def test_patience_has_an_end():
    line = Line(u1=counting_unit())
    line.peer.units[1].answer = lambda pdu: b"\x83\6"
    line.read(1, 4)
    found = line.run(60_000)
    assert found[0][1].errors == {"r4": "Modbus exception 6: server device busy"}
    assert found[0][1].answered
    assert len(line.peer.requests) == 6 and found[0][0] < 4000


def test_the_pause_after_a_slave_is_as_long_as_configured():
    line = Line(u1=counting_unit(), u2=counting_unit())
    line.config = dict(LINE)
    line.config["turnaroundMs"] = 50
    line.read(1, 4)
    line.read(2, 4)
    found = line.run(200)
    assert [time_ms for time_ms, _ in found] == [IDLE_MS, IDLE_MS + 50]


def broadcast(line, config, property_type, value=None):
    protocol = modbus.check_protocol({"serialPort": "/dev/ttyUSB0", "slaveID": 0})
    visitor = modbus.check_visitor(config, {messages.PROPERTY_TYPE: property_type, messages.PROPERTY_WRITABLE: True})
    modbus.check_device(protocol, [("p", visitor)])

    def submit(value):
        line.number += 1
        line.bus.submit(Request(line.number, protocol, {"p": visitor}, value), line.now_ms)
        return line.run(line.now_ms + 2000)

    return visitor, submit


def test_a_broadcast_reaches_everybody_and_waits_for_the_turnaround():
    units = {"u1": Unit(holding={7: 0, 0: 0}), "u2": Unit(holding={7: 0, 0: 0})}
    line = Line(**units)
    visitor, submit = broadcast(line, {"register": "HoldingRegister", "offset": 7}, "INT")
    (first,) = submit(None)
    assert first[1].values == {"p": 0} and not modbus.same_value(visitor, 0, 0), "nothing was sent yet"
    line.read(1, 0)
    found = submit(30)
    assert [unit.holding[7] for unit in units.values()] == [30, 30]
    assert found[-1][1].errors == {} and found[-1][1].answered
    assert line.peer.requests[-1] == (0, b"\6\0\7\0\x1e")
    assert submit(None)[0][1].values == {"p": 30}
    assert modbus.same_value(visitor, 30, 30)
    begin_ms = line.now_ms
    line.read(1, 0)
    assert line.run(begin_ms + 100)[0][0] <= begin_ms + IDLE_MS, "one that answers has no turnaround"


def test_the_echo_of_a_broadcast_is_no_answer():
    line = Line(u1=Unit(holding={7: 0}))
    real = line.peer.answer
    line.peer.answer = lambda data: data + real(data)
    visitor, submit = broadcast(line, {"register": "HoldingRegister", "offset": 7}, "INT")
    begin_ms = line.now_ms
    ((time_ms, result),) = submit(30)
    assert time_ms >= begin_ms + 100, "everybody needs the turnaround"
    assert result.errors == {} and visitor.sent == b"\0\x1e"
    assert submit(None)[0][1].values == {"p": 30}


def test_a_line_that_disappears_is_taken_up_again_by_backoff():
    line = Line(u1=counting_unit())
    line.read(1, 4)
    line.run(100)
    line.read(1, 4)
    line.bus.closed("the line is gone: Input/output error", line.now_ms)
    assert line.bus.wants_open(line.now_ms), "it had been of use: at once"
    line.bus.closed("cannot use /dev/ttyUSB0: No such file or directory", line.now_ms)
    assert line.results()[0].errors == {"r4": "no connection: cannot use /dev/ttyUSB0: No such file or directory"}
    line.now_ms += 2000
    line.read(1, 4)
    assert values(line.run(line.now_ms + 100)) == [{"r4": 4}]
