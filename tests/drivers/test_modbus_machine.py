"""A meter that counts its answered reads, behind a link that cuts, delays, disturbs and loses bytes at any place: an
answer that arrived whole and in time is reported once, and no other is reported at all. Over each framing.

Where answers cannot be told apart, one that is late is right for the same question asked again; and the link forgets it
when it is later than the quarantine lasts, because nothing on such a line can be protected from an older one.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

sys.path[:0] = [str(Path(__file__).parents[1] / folder / "portable") for folder in ("drivers", "edgelite")]

from device_fakes import Recorder, device_map, property_row  # noqa: E402
from modbus_peer import AsciiPeer, Peer, RtuPeer, Unit  # noqa: E402

from edgelite.devices import Devices  # noqa: E402
from edgelite.effects import Close, Open  # noqa: E402

TIMEOUT_MS = 1000
CYCLE_MS = 700
KEPT_MS = 2 * TIMEOUT_MS  # how late an answer may be where answers cannot be told apart


class Meter(Unit):
    """Register 0 and 1 count the reads of themselves that were answered."""

    def __init__(self) -> None:
        super().__init__(inputs={0: 0, 1: 0, 2: 5})
        self.count = 0

    def answer(self, pdu: bytes) -> bytes:
        if pdu[0] == 4 and pdu[1:3] == b"\0\0":
            self.count += 1
            self.inputs.update({0: self.count >> 16, 1: self.count & 0xFFFF})
        return bytes(super().answer(pdu))


class Way:
    """One frame, or noise (`count` 0), on its way to us."""

    def __init__(self, data: bytes, count: int, sent_ms: int) -> None:
        self.data = data
        self.count = count
        self.sent_ms = sent_ms
        self.is_begun = False
        self.is_whole = True  # nothing of it was thrown away when the next request was sent


class Line(RuleBasedStateMachine):
    config: dict[str, Any] = {"ip": "meter"}
    identifies = True
    noises: tuple[bytes, ...] = ()

    def make_peer(self, units: Any) -> Any:
        return Peer(units)

    @initialize()
    def begin(self) -> None:
        self.now_ms = 0
        self.recorder = Recorder()
        self.devices = Devices(self.recorder.context)
        self.meter = Meter()
        self.peer = self.make_peer({1: self.meter})
        self.channel: Any = None
        self.is_open = False
        self.way_back: list[Way] = []
        self.asked_ms = 0
        self.deadline_ms = 0
        self.is_due = False  # whether an answer would be in time
        self.expected: list[int] = []
        self.reported: list[int] = []
        self.edits = 0
        self.edit()

    @rule()
    def edit(self) -> None:
        """Somebody edits the Device: what is read stays the same."""
        self.edits += 1
        counter = {"register": "InputRegister", "offset": 0, "type": "uint32"}
        rows = [
            property_row("count", visitor=counter, collect_ms=CYCLE_MS),
            property_row(
                "level",
                visitor={"register": "InputRegister", "offset": 2},
                collect_ms=CYCLE_MS,
                deadband=self.edits,
            ),
        ]
        config = {"timeoutMs": TIMEOUT_MS, **self.config}
        self.devices.set_desired("default/meter", device_map(rows, "modbus", config), self.now_ms)
        self.step()

    @rule(wait_ms=st.sampled_from([1, 10, 300, 700, 999, 1000, 3000, 5000]))
    def wait(self, wait_ms: int) -> None:
        self.now_ms += wait_ms
        self.step()

    @rule(size_bytes=st.sampled_from([1, 7, 15, 40]))
    def arrive(self, size_bytes: int) -> None:
        """Some bytes arrive, as one piece."""
        if not self.is_open:
            return
        piece = b""
        while self.way_back and len(piece) < size_bytes:
            way = self.way_back[0]
            size = size_bytes - len(piece)
            piece += way.data[:size]
            way.data = way.data[size:]
            way.is_begun = True
            if not way.data:
                self.way_back.pop(0)
                self.expect(way)
        if piece:
            self.channel.received(piece, self.now_ms)
        self.step()

    @rule(noise=st.integers(0, 4))
    def disturb(self, noise: int) -> None:
        if self.noises and len(self.way_back) < 4:
            self.way_back.append(Way(self.noises[noise % len(self.noises)], 0, self.now_ms))

    @rule(is_struck=st.sampled_from([False, False, True]))
    def cut(self, is_struck: bool) -> None:
        """The connection ends, and what was under way is lost."""
        if self.is_open and is_struck:
            self.end("reset by peer")
            self.step()

    def expect(self, way: Way) -> None:
        is_right = way.sent_ms == self.asked_ms if self.identifies else way.is_whole
        if way.count and self.is_due and is_right:
            self.expected.append(way.count)
            self.is_due = False

    def step(self) -> None:
        if self.is_due and self.now_ms >= self.deadline_ms:
            self.is_due = False
        if not self.identifies:
            kept = [way for way in self.way_back if self.now_ms < way.sent_ms + KEPT_MS or self.must_keep(way)]
            self.way_back = kept
        for _ in range(10):
            self.devices.step(self.now_ms)
            if not self.carry_out():
                break
        self.reported += [values["count"] for values in self.recorder.telemetry() if "count" in values]

    def must_keep(self, way: Way) -> bool:
        """A stream with lengths in it loses no half of a frame."""
        return way.is_begun and self.make_peer({}).__class__ is Peer

    def carry_out(self) -> bool:
        effects = list(self.recorder.effects)
        self.recorder.effects.clear()
        for effect in effects:
            if isinstance(effect, Open):
                self.channel = effect.channel
                self.is_open = True
                self.channel.opened(self.now_ms)
            elif isinstance(effect, Close) and self.is_open:
                self.end("closed")
        sent = self.channel.data_to_send(4096) if self.is_open else b""
        if sent:
            for way in self.way_back:
                way.is_whole = way.is_whole and not way.is_begun
            # A late answer still under way comes first, as on a real connection.
            self.way_back.append(Way(self.peer.answer(sent), self.meter.count, self.now_ms))
            self.asked_ms = self.now_ms
            self.deadline_ms = self.now_ms + TIMEOUT_MS
            if self.noises:  # on a line a probe may be shorter, and the wire takes its time
                self.deadline_ms = self.channel.bus._deadline_ms
            self.is_due = True
        return bool(effects or sent)

    def end(self, reason: str) -> None:
        self.is_open = False
        self.is_due = False
        self.way_back = []
        self.peer.buffer = b""
        self.channel.closed(reason, self.now_ms)

    @invariant()
    def what_arrived_is_reported_once(self) -> None:
        assert self.reported == self.expected

    @invariant()
    def one_request_is_under_way(self) -> None:
        lines = self.devices._lines._lines.values()
        assert sum(len(line.asked) for line in lines) <= 1


class LenientLine(Line):
    config = {"ip": "meter", "transactionIds": "lenient"}
    identifies = False


class RtuOverTcp(Line):
    config = {"ip": "meter", "framing": "rtu"}
    identifies = False
    noises = (b"\0", b"\xff\x55", b"\1", b"\1\4", b"\1\4\6")

    def make_peer(self, units: Any) -> Any:
        return RtuPeer(units)


class RtuLine(RtuOverTcp):
    config = {"serialPort": "/dev/ttyUSB0", "baudRate": 9600, "retries": 2}


class AsciiOverTcp(Line):
    config = {"ip": "meter", "framing": "ascii"}
    identifies = False
    noises = (b"\0", b":", b":0104", b"\r\n", b"0104\r\n")

    def make_peer(self, units: Any) -> Any:
        return AsciiPeer(units)


SETTINGS = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLine = Line.TestCase
TestLenientLine = LenientLine.TestCase
TestRtuOverTcp = RtuOverTcp.TestCase
TestRtuLine = RtuLine.TestCase
TestAsciiOverTcp = AsciiOverTcp.TestCase
TestLine.settings = SETTINGS
TestLenientLine.settings = SETTINGS
TestRtuOverTcp.settings = SETTINGS
TestRtuLine.settings = SETTINGS
TestAsciiOverTcp.settings = SETTINGS
