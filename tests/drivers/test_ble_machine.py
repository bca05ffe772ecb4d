"""Anything in any order: requests, listeners, radio events that fit and that do not, time. Each request has one result,
nothing raises, and no deadline stands still."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

sys.path.insert(0, str(Path(__file__).parent / "portable"))
from ble_fakes import ALARM, PERIOD, SECRET, TEMPERATURE, FakeRadio, visitor

from edgelite.driver import ConfigurationError, Request
from edgelite_drivers import ble
from edgelite_drivers.ble import radio as seam
from edgelite_drivers.ble.advertisements import Advertisement, take_structures
from edgelite_drivers.ble.central import Central, run
from edgelite_drivers.ble.data_converter import check_converter, convert, convert_back
from edgelite_drivers.ble.values import INTEGERS, decode, encode

ADDRESSES = ["A4:C1:38:00:00:%02X" % index for index in range(6)]
HANDLES = [one.handle for one in (TEMPERATURE, PERIOD, ALARM, SECRET)]
BTHOME = bytes.fromhex("020106 0a16d2fc4002c40903bf13")
ROUNDS_MAX = 200


def visitors() -> dict[str, dict[str, object]]:
    number = {"characteristicUUID": "2A6E", "type": "int16"}
    return {
        "t": {"v": visitor("FLOAT", **number)},
        "two": {"v": visitor("FLOAT", **number), "p": visitor("INT", characteristicUUID="2A21", type="uint8")},
        "missing": {"v": visitor("FLOAT", characteristicUUID="2A00", type="int8")},
        "notified": {"v": visitor("FLOAT", notify=True, **number)},
        "heard": {"v": visitor("FLOAT", advertisement="BTHome", object="temperature")},
        "both": {"v": visitor("FLOAT", notify=True, **number), "r": visitor("INT", advertisement="rssi")},
    }


class Anything(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.radio = FakeRadio()
        self.central = Central(self.radio, lambda count: b"\x40" * count)
        self.now_ms = 1_000_000
        self.number = 0
        self.waiting: set[int] = set()
        self.listening: set[int] = set()
        self.visitors = visitors()

    def settle(self) -> int | None:
        deadline_ms = run(self.radio, self.central, self.now_ms)
        result = self.central.next_result()
        while result is not None:
            if result.number in self.waiting:
                self.waiting.remove(result.number)
                assert result.values or result.errors or not result.answered or result.number % 2 == 1
            else:
                assert result.number in self.listening, "a result that nobody waits for"
            assert not set(result.values) & set(result.errors)
            result = self.central.next_result()
        return deadline_ms

    def request(self, index: int, name: str, value: int | None = None) -> Request:
        self.number += 2
        number = self.number - (value is not None)  # writes are odd: they have neither values nor errors
        protocol = {"macAddress": ADDRESSES[index]} if index else {"serviceUUID": "FCD2"}
        return Request(number, ble.check_protocol(protocol), dict(self.visitors[name]), value)

    @rule(index=st.integers(0, 5), name=st.sampled_from(["t", "two", "missing", "heard"]))
    def ask(self, index: int, name: str) -> None:
        request = self.request(index, name)
        self.waiting.add(request.number)
        self.central.submit(request, self.now_ms)
        self.settle()

    @rule(index=st.integers(0, 5), value=st.integers(-5, 70_000))
    def write(self, index: int, value: int) -> None:
        request = self.request(index, "t", value)
        request.visitors = {"p": visitor("INT", True, characteristicUUID="2A21", type="uint16")}
        self.waiting.add(request.number)
        self.central.submit(request, self.now_ms)
        self.settle()

    @precondition(lambda self: len(self.listening) < 20)
    @rule(index=st.integers(0, 5), name=st.sampled_from(["notified", "heard", "both"]))
    def listen(self, index: int, name: str) -> None:
        request = self.request(index, name)
        self.listening.add(request.number)
        self.central.listen(request, self.now_ms)
        self.settle()

    @precondition(lambda self: self.listening)
    @rule(data=st.data())
    def ignore(self, data: st.DataObject) -> None:
        self.central.ignore(data.draw(st.sampled_from(sorted(self.listening))), self.now_ms)
        self.settle()

    @rule(index=st.integers(1, 5), payload=st.one_of(st.just(BTHOME), st.binary(max_size=40)))
    def advertise(self, index: int, payload: bytes) -> None:
        advertisement = Advertisement(ADDRESSES[index], None, -60)
        take_structures(advertisement, payload)
        self.tell(seam.ADVERTISED, advertisement)

    @rule(answers=st.booleans(), data=st.binary(max_size=4), reason=st.sampled_from(["", "", "refused"]))
    def answer_what_was_asked(self, answers: bool, data: bytes, reason: str) -> None:
        """As a device that works does it, or one that goes instead."""
        asked, self.radio.asked = self.radio.asked, []
        for one in asked:
            if one[0] == "connect":
                self.tell(seam.CONNECTED if answers else seam.DISCONNECTED, one[1], *([] if answers else ["gone"]))
            elif one[0] == "disconnect" or (not answers and one[0] in ("discover", "read", "write", "subscribe")):
                self.tell(seam.DISCONNECTED, one[1], "gone")
            elif one[0] == "discover":
                self.tell(seam.DISCOVERED, one[1], [TEMPERATURE, PERIOD, ALARM, SECRET], reason)
            elif one[0] == "read":
                self.tell(seam.READ, one[1], one[2], None if reason else data, reason)
            elif one[0] == "write":
                self.tell(seam.WRITTEN, one[1], one[2], reason)
            elif one[0] == "subscribe":
                self.tell(seam.SUBSCRIBED, one[1], one[2], reason)

    @rule(
        name=st.sampled_from(
            [seam.CONNECTED, seam.DISCOVERED, seam.READ, seam.WRITTEN, seam.SUBSCRIBED, seam.NOTIFIED]
        ),
        index=st.integers(0, 5),
        handle=st.sampled_from([*HANDLES, 99]),
        data=st.binary(max_size=600),
    )
    def tell_what_was_not_asked(self, name: str, index: int, handle: int, data: bytes) -> None:
        rest: dict[str, tuple[Any, ...]] = {
            seam.CONNECTED: (),
            seam.DISCOVERED: ([], ""),
            seam.READ: (handle, data, ""),
            seam.WRITTEN: (handle, ""),
            seam.SUBSCRIBED: (handle, "no"),
            seam.NOTIFIED: (handle, data),
        }
        self.tell(name, ADDRESSES[index], *rest[name])

    @rule(is_up=st.booleans())
    def radio_changes(self, is_up: bool) -> None:
        self.tell(*((seam.UP,) if is_up else (seam.DOWN, "gone")))

    def tell(self, *event: Any) -> None:
        self.radio.tell(*event)
        self.settle()

    @rule(pause_ms=st.sampled_from([1, 100, 1_000, 10_000, 60_000]))
    def wait(self, pause_ms: int) -> None:
        self.pass_time(self.now_ms + pause_ms)

    def pass_time(self, end_ms: int) -> None:
        rounds = 0
        deadline_ms = self.settle()
        while deadline_ms is not None and deadline_ms <= end_ms:
            rounds += 1
            assert rounds < ROUNDS_MAX, "it wakes without end"
            self.now_ms = max(self.now_ms, deadline_ms)
            deadline_ms = self.settle()
        self.now_ms = end_ms
        self.settle()

    @invariant()
    def one_attempt_at_a_time(self) -> None:
        states = [peer.state for peer in self.central._peers.values()]
        assert states.count("connecting") <= 1
        attached = ("connecting", "discovering", "open", "leaving")
        assert sum(states.count(state) for state in attached) <= self.radio.connections_max
        assert not (self.central.is_scanning and "connecting" in states)

    def teardown(self) -> None:
        """With nobody answering any more, every request has its result within its timeouts."""
        for _ in range(12):
            self.pass_time(self.now_ms + 15_000)
        assert not self.waiting, self.waiting


TestAnything = Anything.TestCase
TestAnything.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)


@given(st.data())
def test_whatever_a_type_encodes_it_decodes(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(INTEGERS)))
    size, signed = INTEGERS[name]
    lowest, highest = (-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1) if signed else (0, (1 << 8 * size) - 1)
    value = data.draw(st.integers(lowest, highest))
    codec = visitor("INT", True, characteristicUUID="2A6E", type=name, bigEndian=data.draw(st.booleans())).codec
    assert decode(codec, encode(codec, value)) == value
    for outside in (lowest - 1, highest + 1):
        try:
            encode(codec, outside)
        except ConfigurationError:
            continue
        raise AssertionError("%d was taken for %s" % (outside, name))


@given(st.integers(0, 7), st.booleans(), st.integers(0, 8), st.integers(-1000, 1000), st.data())
def test_what_a_converter_reads_it_writes_back(last: int, reverse: bool, shift: int, offset: int, data: Any) -> None:
    start, end = (last, 0) if reverse else (0, last)
    rows = [{"operationType": "Add", "operationValue": offset}]
    config = {"startIndex": start, "endIndex": end, "shiftLeft": 0, "shiftRight": shift, "orderOfOperations": rows}
    converter = check_converter(config, True)
    content = data.draw(st.binary(min_size=last + 1, max_size=last + 1))
    value = convert(converter, content)
    assert convert(converter, convert_back(converter, value)) == value
