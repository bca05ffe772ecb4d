"""Any order of packets lost, repeated, held back and spoilt, of silence, of slow takers and of closing: messages arrive
in order and once, or the connection ends, and nothing grows."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edgelite_protocol import line
from edgelite_protocol.cobs import PacketReader

BAUD = 9600


class Side:
    def __init__(self, opens: bool) -> None:
        self.end = line.LineEnd(opens, 9, 4711, BAUD, 0)
        self.reader = PacketReader(line.PACKET_BYTES_MAX)
        self.sent: list[bytes] = []
        self.got: list[bytes] = []
        self.wire: list[bytes] = []  # packets on their way to the other side, oldest first
        self.last = b""


class LineMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 0
        self.sides = (Side(True), Side(False))

    def step(self) -> None:
        for side in self.sides:
            side.end.step(self.now_ms)
            while (packet := side.end.next_packet()) is not None:
                side.wire = [*side.wire, packet][-8:]

    def deliver(self, which: int, data: bytes) -> None:
        other = self.sides[1 - which]
        other.reader.feed(data)
        while (packet := other.reader.next_packet()) is not None:
            parts = line.decode(packet)
            if parts is not None and parts[0] == 9:
                other.end.receive(*parts[1:], self.now_ms)
        self.step()

    @rule(which=st.integers(0, 1), size=st.integers(1, line.MESSAGE_BYTES_MAX))
    def send(self, which: int, size: int) -> None:
        side = self.sides[which]
        if side.end.can_send():
            message = len(side.sent).to_bytes(2, "big")[-size:].rjust(size, b"\0")
            side.end.send(message)
            side.sent.append(message)
        self.step()

    @rule(which=st.integers(0, 1), count=st.integers(1, 4))
    def arrive(self, which: int, count: int) -> None:
        side = self.sides[which]
        for _ in range(min(count, len(side.wire))):
            side.last = side.wire.pop(0)
            self.deliver(which, side.last)

    @rule(which=st.integers(0, 1))
    def lose(self, which: int) -> None:
        self.sides[which].wire = self.sides[which].wire[1:]

    @rule(which=st.integers(0, 1))
    def repeat(self, which: int) -> None:
        """The packet that arrived last comes once more, as an echo on the line."""
        self.deliver(which, self.sides[which].last)

    @rule(which=st.integers(0, 1), at=st.integers(0, 300), value=st.integers(0, 255), cut=st.booleans())
    def spoil(self, which: int, at: int, value: int, cut: bool) -> None:
        side = self.sides[which]
        if side.wire:
            packet = bytearray(side.wire.pop(0))
            at %= len(packet)
            self.deliver(which, bytes(packet[:at] if cut else packet[:at] + bytes([value]) + packet[at + 1 :]))

    @rule(which=st.integers(0, 1), garbage=st.binary(max_size=600))
    def noise(self, which: int, garbage: bytes) -> None:
        self.deliver(which, garbage)

    @rule(delay_ms=st.sampled_from([1, 100, 500, 1000, 3000, 10_000]))
    def wait(self, delay_ms: int) -> None:
        self.now_ms += delay_ms
        self.step()

    @rule(which=st.integers(0, 1))
    def take(self, which: int) -> None:
        side = self.sides[which]
        while (message := side.end.next_message()) is not None:
            side.got.append(message)
        self.step()

    @rule(which=st.integers(0, 1), rarely=st.integers(0, 9))
    def close(self, which: int, rarely: int) -> None:
        if rarely == 0:
            self.sides[which].end.close("enough", self.now_ms)
            self.step()

    @invariant()
    def in_order_and_once(self) -> None:
        for one, other in (self.sides, self.sides[::-1]):
            assert other.got == one.sent[: len(other.got)]

    @invariant()
    def nothing_grows(self) -> None:
        for side in self.sides:
            end: Any = side.end
            assert len(end._waiting) <= line.QUEUE_MAX and len(end._arrived) <= line.QUEUE_MAX + 1
            assert len(end._packets) <= line.PACKETS_MAX and side.reader.held_bytes <= 600 + line.LINE_BYTES_MAX

    def teardown(self) -> None:
        """With a line that is good again, all arrives, or both ends know that it is over."""
        for _ in range(4000):
            for which in (0, 1):
                self.arrive(which, 4)
                self.take(which)
            self.now_ms += 50
            self.step()
            if all(side.end.state == line.ENDED for side in self.sides):
                break
            if all(side.end.is_idle and side.end.state == line.ESTABLISHED for side in self.sides):
                break
        self.in_order_and_once()
        states = {side.end.state for side in self.sides}
        assert len(states) == 1 and states <= {line.ESTABLISHED, line.ENDED}, states
        if states == {line.ESTABLISHED}:
            assert all(other.got == one.sent for one, other in (self.sides, self.sides[::-1]))


TestLine = LineMachine.TestCase
TestLine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
