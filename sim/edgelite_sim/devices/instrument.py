"""What simulated instruments on serial lines have in common: no I/O, no clock.

An instrument says something each `period_s`, or answers lines. Its fields are attributes; those in `values` are made
anew from the time whenever it speaks. `InstrumentChannel` is the end of a line with it: bytes and `now_ms` in, bytes
out, as `edgelite.effects.Channel` has it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from edgelite.driver import ConfigurationError
from edgelite_sim.devices.condition import DEAD, NOISE, RESTART, SLOW, Condition
from edgelite_sim.devices.values import Clock, Value

LINE_BYTES_MAX = 4096
OUTPUT_BYTES_MAX = 64 * 1024  # that nobody has read; beyond, what is said is lost, as on a line
READING_MAX = 1e12
BAUD_UNKNOWN = -1
INSTRUMENT_FAULTS = (DEAD, SLOW, NOISE, RESTART)


def xor(data: bytes) -> int:
    return reduce(lambda one, other: one ^ other, data, 0)


class Instrument:
    """`write` and `told` are given by the line; `baud()` tells what the other end has set, BAUD_UNKNOWN where nobody
    knows. `now_ms` is the time of the call under way."""

    period_s: float | None = None  # how often `tick` is called

    def __init__(self) -> None:
        self.write: Callable[[bytes], object] = lambda data: None
        self.told: Callable[[Mapping[str, object]], object] | None = None
        self.baud: Callable[[], int] = lambda: 0
        self.clock = Clock()
        self.now_ms = 0
        self.values: dict[str, Value] = {}  # by attribute
        self.reads = 0  # readings that it has said
        self._received = b""
        self._due_ms = 0

    def tick(self) -> None:
        return

    def line(self, text: bytes) -> None:
        return

    def readings(self) -> dict[str, object]:
        """Its fields as it says them."""
        return {}

    def receive(self, data: bytes) -> None:
        """Whole lines go to `line`."""
        self._received = (self._received + data)[-LINE_BYTES_MAX:]
        while b"\n" in self._received:
            text, _, self._received = self._received.partition(b"\n")
            self.line(text.rstrip(b"\r"))

    def begin(self, now_ms: int) -> None:
        """Somebody opens the line, or it has just got power: what was half received is gone; it speaks next when a
        whole number of periods has passed since its start."""
        self.now_ms = now_ms
        self._received = b""
        period_ms = self._period_ms()
        if period_ms:
            age_ms = now_ms - self.clock.started_ms
            self._due_ms = now_ms + -age_ms % period_ms

    def step(self, now_ms: int) -> int | None:
        """Speak where it is due; when it is due next."""
        self.now_ms = now_ms
        period_ms = self._period_ms()
        if not period_ms:
            return None
        if now_ms >= self._due_ms:
            self._due_ms += period_ms
            if self._due_ms <= now_ms:  # nobody has stepped it for long: what was not said is not said late
                self._due_ms = now_ms + period_ms
            self.tick()
        return self._due_ms

    def refresh(self, reads: int | None = None) -> None:
        """Make the fields what they are now, after so many readings. One that has no value now stays as it was."""
        for name, value in self.values.items():
            setattr(self, name, self.read(value, getattr(self, name), reads))

    def read(self, value: Value, before: float, reads: int | None = None) -> float:
        """What it is now; `before` where there is nothing now, or more than a display has digits."""
        try:
            now = value.at(self.now_ms, self.reads if reads is None else reads)
        except ConfigurationError:
            return before
        return now if -READING_MAX < now < READING_MAX else before

    def say_reading(self, *pieces: bytes) -> None:
        for data in pieces:
            self.write(data)
        self.reads += 1
        if self.told is not None:
            self.told(self.readings())

    def _period_ms(self) -> int:
        return 0 if self.period_s is None else max(1, round(self.period_s * 1000))


class InstrumentChannel:
    """`line_baud` may be replaced by whoever can look at a real line; otherwise it is what `configured` was told."""

    on_ready: Callable[[], object] | None = None

    def __init__(self, instrument: Instrument, condition: Condition | None = None) -> None:
        self.instrument = instrument
        self.close_reason = ""
        self.on_answered: Callable[[], Callable[[dict[str, object], int], object] | None] = lambda: None
        self.on_closed: Callable[[InstrumentChannel], object] = lambda channel: None
        self.line_baud: Callable[[], int] = lambda: self._baud
        self._condition = condition or Condition(INSTRUMENT_FAULTS, random.Random(1))
        self._baud = BAUD_UNKNOWN
        self._output = b""
        self._later: list[tuple[int, bytes, Mapping[str, object]]] = []
        self._now_ms = 0

    def opened(self, now_ms: int) -> None:
        self._now_ms = now_ms
        instrument = self.instrument
        instrument.write = self._write
        instrument.told = self._told
        instrument.baud = lambda: self.line_baud()
        instrument.begin(now_ms)

    def configured(self, settings: dict[str, Any], now_ms: int) -> None:
        """The other end has set the line so: `edgelite.effects.Open`."""
        self._baud = int(settings.get("baud", BAUD_UNKNOWN))

    def received(self, data: bytes | memoryview, now_ms: int) -> None:
        self._now_ms = self.instrument.now_ms = now_ms
        if self._condition.is_well or not self._condition.is_silent(now_ms):
            self.instrument.receive(bytes(data))

    def step(self, now_ms: int) -> int | None:
        self._now_ms = now_ms
        due = [row for row in self._later if row[0] <= now_ms]
        self._later = [row for row in self._later if row[0] > now_ms]
        for _, data, values in due:
            self._leave(data, values)
        deadlines = [self.instrument.step(now_ms), *(row[0] for row in self._later)]
        return min((one for one in deadlines if one is not None), default=None)

    def data_to_send(self, size_bytes_max: int) -> bytes:
        data, self._output = self._output[:size_bytes_max], self._output[size_bytes_max:]
        return data

    def closed(self, reason: str, now_ms: int) -> None:
        self._later.clear()
        self._output = b""
        self.instrument.write = lambda data: None
        self.instrument.told = None
        self.on_closed(self)

    def restart(self) -> None:
        self._later.clear()
        self._output = b""
        self.instrument.begin(self._now_ms)
        self.ready()

    def ready(self) -> None:
        if self.on_ready is not None:
            self.on_ready()

    def _write(self, data: bytes) -> None:
        self._say(data, {})

    def _told(self, values: Mapping[str, object]) -> None:
        if self.on_answered() is not None:
            self._say(b"", values)

    def _say(self, data: bytes, values: Mapping[str, object]) -> None:
        condition = self._condition
        if condition.is_well:
            self._leave(data, values)
        elif not condition.is_silent(self._now_ms):
            delay_ms = condition.delay_ms()
            if delay_ms:
                self._later.append((self._now_ms + delay_ms, condition.harmed(data), values))
            else:
                self._leave(condition.harmed(data), values)

    def _leave(self, data: bytes, values: Mapping[str, object]) -> None:
        if len(self._output) + len(data) <= OUTPUT_BYTES_MAX:
            self._output += data
        told = self.on_answered()
        if values and told is not None:
            told(dict(values), self._now_ms)
