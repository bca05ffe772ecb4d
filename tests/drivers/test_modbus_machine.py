"""A meter that counts its answered reads, behind a link that cuts, delays and loses bytes at any place: an answer
that arrived whole and in time is reported once, and no other is reported at all."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

sys.path[:0] = [str(Path(__file__).parents[1] / folder / "portable") for folder in ("drivers", "edgelite")]

from device_fakes import Recorder, device_map, property_row  # noqa: E402
from modbus_peer import Peer, Unit  # noqa: E402

from edgelite.devices import Devices  # noqa: E402
from edgelite.effects import Close, Open  # noqa: E402

TIMEOUT_MS = 1000
CYCLE_MS = 700


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


class Line(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.now_ms = 0
        self.recorder = Recorder()
        self.devices = Devices(self.recorder.context)
        self.meter = Meter()
        self.peer = Peer({1: self.meter})
        self.channel: Any = None
        self.is_open = False
        self.way_back = b""  # bytes of the current answer that have not arrived yet
        self.asked_ms = 0
        self.is_due = False  # whether the current answer would be in time
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
        config = {"ip": "meter", "timeoutMs": TIMEOUT_MS}
        self.devices.set_desired("default/meter", device_map(rows, "modbus", config), self.now_ms)
        self.step()

    @rule(wait_ms=st.sampled_from([1, 300, 700, 999, 1000, 3000, 5000]))
    def wait(self, wait_ms: int) -> None:
        self.now_ms += wait_ms
        self.step()

    @rule(size_bytes=st.sampled_from([1, 7, 15, 40]))
    def arrive(self, size_bytes: int) -> None:
        """Some bytes of the answer arrive."""
        if not self.way_back or not self.is_open:
            return
        data, self.way_back = self.way_back[:size_bytes], self.way_back[size_bytes:]
        is_in_time = self.is_due
        self.channel.received(data, self.now_ms)
        if not self.way_back and is_in_time:
            self.expected.append(self.meter.count)
            self.is_due = False
        self.step()

    @rule(is_struck=st.sampled_from([False, False, True]))
    def cut(self, is_struck: bool) -> None:
        """The connection ends, and what was under way is lost."""
        if self.is_open and is_struck:
            self.end("reset by peer")
            self.step()

    def step(self) -> None:
        if self.is_due and self.now_ms >= self.asked_ms + TIMEOUT_MS:
            self.is_due = False
        for _ in range(10):
            self.devices.step(self.now_ms)
            if not self.carry_out():
                break
        self.reported += [values["count"] for values in self.recorder.telemetry() if "count" in values]

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
            # A late answer still under way comes first, as on a real connection.
            self.way_back += self.peer.answer(sent)
            self.asked_ms = self.now_ms
            self.is_due = True
        return bool(effects or sent)

    def end(self, reason: str) -> None:
        self.is_open = False
        self.is_due = False
        self.way_back = b""
        self.peer.buffer = b""
        self.channel.closed(reason, self.now_ms)

    @invariant()
    def what_arrived_is_reported_once(self) -> None:
        assert self.reported == self.expected

    @invariant()
    def one_request_is_under_way(self) -> None:
        assert self.devices.requests_in_flight() <= 1


TestLine = Line.TestCase
TestLine.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
