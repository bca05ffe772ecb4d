"""Values of simulated devices, as TOML has them for a register range, an instrument's field or a characteristic:

    value = 21.5
    value = { formula = "230 + 5 * sin(t / 60)" }
    value = { recording = "day.csv", column = "power", time = "seconds", repeat = true, interpolate = "linear" }
    value = { steps = [[0, 20], [600, 35]], repeat = true, period_s = 1200 }
    value = { walk = { start = 1.5, step = 0.02, min = 0.0, max = 3.0, every_s = 60 } }
    value = { counter = "reads" }

A value is computed when somebody reads it, from the time that is handed in and from nothing else: whoever asks, and
however often, finds the same at the same moment.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

from edgelite.driver import ConfigurationError
from edgelite_drivers.fields import Fields
from edgelite_sim.devices.formula import Formula, formula
from edgelite_sim.devices.recording import Recording, load, parse_steps

EVERY_S_MIN = 0.1
EVERY_S_MAX = 31_536_000
NUMBER_MAX = 1e30  # of what stands in a file: such a number can still be scaled
DAY_MS = 86_400_000
HOUR_MS = 3_600_000


class Clock:
    """When the device began, and what the world's clock is: `unix_ms` is the Unix time when `now_ms` is 0."""

    def __init__(self, started_ms: int = 0, unix_ms: int = 0) -> None:
        self.started_ms = started_ms
        self.unix_ms = unix_ms


class Value:
    """A value that stays as it is, and the base of those that do not. `reads`: how many reads of it were answered."""

    def __init__(self, value: float) -> None:
        self.value = value

    def at(self, now_ms: int, reads: int) -> float:
        """ConfigurationError where there is no value now (a formula that divides by zero)."""
        return self.value


class FormulaValue(Value):
    def __init__(self, made: Formula, clock: Clock) -> None:
        self._formula = made
        self._clock = clock
        self._is_daily = bool(made.names & {"hour", "day"})

    def at(self, now_ms: int, reads: int) -> float:
        clock = self._clock
        t = (now_ms - clock.started_ms) / 1000
        if not self._is_daily:
            return self._formula.at(t, reads)
        unix_ms = clock.unix_ms + now_ms
        day = time.gmtime(unix_ms // 1000).tm_yday if "day" in self._formula.names else 1
        return self._formula.at(t, reads, unix_ms % DAY_MS / HOUR_MS, day)


class RecordingValue(Value):
    def __init__(self, recording: Recording, clock: Clock) -> None:
        self._recording = recording
        self._clock = clock

    def at(self, now_ms: int, reads: int) -> float:
        clock = self._clock
        if self._recording.is_daily:
            return self._recording.at((clock.unix_ms + now_ms) % DAY_MS / 1000)
        return self._recording.at((now_ms - clock.started_ms) / 1000)


class Walk(Value):
    """Every so often it goes up or down by at most `step`, and turns round at its ends."""

    def __init__(self, fields: Fields, seed: str, clock: Clock) -> None:
        self._start = float(fields.number("start", 0.0))
        self._step = float(fields.number("step", 1.0))
        self._low = float(fields.number("min", -1e300))
        self._high = float(fields.number("max", 1e300))
        every_s = fields.number("every_s", 60)
        if not EVERY_S_MIN <= every_s <= EVERY_S_MAX:
            raise fields.refuse("every_s", f"must be a number from {EVERY_S_MIN} to {EVERY_S_MAX}")
        if not 0 <= self._step <= self._high - self._low:
            raise fields.refuse("step", "must be a number from 0 to the distance between min and max")
        if not self._low <= self._start <= self._high:
            raise fields.refuse("start", f"must be a number from min to max: {self._low:g} to {self._high:g}")
        self._every_ms = round(every_s * 1000)
        self._seed = seed
        self._clock = clock
        self._begin()

    def at(self, now_ms: int, reads: int) -> float:
        index = max(0, (now_ms - self._clock.started_ms) // self._every_ms)
        if index < self._index:
            self._begin()  # somebody looks back; it has gone the same way then
        if index > self._index:
            self._go(index)
        return self._value

    def _begin(self) -> None:
        self._draw = random.Random(self._seed).random
        self._index = 0
        self._value = self._start

    def _go(self, index: int) -> None:
        value, step, low, high, draw = self._value, self._step, self._low, self._high, self._draw
        for _ in range(index - self._index):
            value += (2 * draw() - 1) * step
            if value > high:
                value = 2 * high - value
            elif value < low:
                value = 2 * low - value
        self._value = value
        self._index = index


class Counter(Value):
    """Counts the reads of itself that were answered, the one that asks included."""

    def __init__(self) -> None:
        super().__init__(0)

    def at(self, now_ms: int, reads: int) -> float:
        return reads + 1


class Values:
    """Reads the values of one device's file. `folder` is where its recordings are, None where there can be none;
    every walk has a seed of its own, from this one and from its path."""

    def __init__(self, clock: Clock, folder: Path | None = None, seed: int = 1) -> None:
        self.clock = clock
        self.folder = folder
        self.seed = seed
        self._kinds: dict[str, Callable[[object, Fields, str], Value]] = {
            "formula": self._formula,
            "recording": self._recording,
            "steps": self._steps,
            "walk": self._walk,
            "counter": self._counter,
        }

    def parse(self, row: object, path: str) -> Value:
        """ConfigurationError names the field that is wrong."""
        if isinstance(row, (bool, int, float)):
            if not -NUMBER_MAX <= row <= NUMBER_MAX:
                raise ConfigurationError(path, f"must be a number from -{NUMBER_MAX:g} to {NUMBER_MAX:g}")
            return Value(float(row) if isinstance(row, float) else int(row))
        kinds = ", ".join(self._kinds)
        if not isinstance(row, dict):
            raise ConfigurationError(path, f"must be a number or a map with one of {kinds}")
        found = [name for name in self._kinds if name in row]
        if len(found) != 1:
            raise ConfigurationError(path, f"must have exactly one of {kinds}")
        fields = Fields(row, path, (found[0], *_OPTIONS.get(found[0], ())))
        made = self._kinds[found[0]](row[found[0]], fields, path)
        made.at(self.clock.started_ms, 0)
        return made

    def _formula(self, text: object, _fields: Fields, path: str) -> Value:
        return FormulaValue(formula(text, path + ".formula"), self.clock)

    def _recording(self, name: object, fields: Fields, path: str) -> Value:
        if self.folder is None:
            raise ConfigurationError(path + ".recording", "needs a file: give the device's TOML as one, or a folder")
        if not isinstance(name, str) or not name:
            raise ConfigurationError(path + ".recording", "must be the name of a CSV file beside this one")
        return RecordingValue(load(self.folder / name, fields, path + ".recording"), self.clock)

    def _steps(self, rows: object, fields: Fields, path: str) -> Value:
        return RecordingValue(parse_steps(rows, fields, path + ".steps"), self.clock)

    def _walk(self, row: object, _fields: Fields, path: str) -> Value:
        fields = Fields(row, path + ".walk", ("start", "step", "min", "max", "every_s"))
        return Walk(fields, f"{self.seed} {path}", self.clock)

    def _counter(self, what: object, _fields: Fields, path: str) -> Value:
        if what != "reads":
            raise ConfigurationError(path + ".counter", 'must be "reads"')
        return Counter()


_OPTIONS = {
    "recording": ("column", "time", "every_s", "repeat", "interpolate", "period_s", "align"),
    "steps": ("repeat", "interpolate", "period_s", "align"),
}
