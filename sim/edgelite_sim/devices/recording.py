"""Recorded values: a CSV file's column over time, or steps that stand in the device's file itself.

column = "power"         the column's name in the file's first row
time = "seconds"         the column with the times: numbers in seconds, "HH:MM", "HH:MM:SS", or ISO 8601
every_s = 900            where there is no such column: the rows are so far apart
interpolate = "hold"     a value stays until the next; "linear": a straight line between the two
repeat = false           true: it begins again when `period_s` are over (if not said: the last row stays as long as
                         the one before it did); otherwise the last value stays
align = "start"          the first row is the device's start; "midnight": times count from midnight, UTC
"""

from __future__ import annotations

import csv
import math
from bisect import bisect_right
from datetime import UTC, datetime
from pathlib import Path

from edgelite.driver import ConfigurationError
from edgelite_drivers.fields import Fields

FILE_BYTES_MAX = 32 * 1024 * 1024
ROWS_MAX = 600_000  # a minute's values of a year
STEPS_MAX = 10_000
DAY_S = 86_400
PERIOD_S_MAX = 10 * 366 * DAY_S
INTERPOLATIONS = ("hold", "linear")
ALIGNMENTS = ("start", "midnight")


class Recording:
    """`times` ascend, in seconds; there is one value for each, and at least one."""

    def __init__(self, times: list[float], values: list[float], fields: Fields, path: str) -> None:
        self.is_daily = fields.choice("align", ALIGNMENTS, "start") == "midnight"
        if self.is_daily and times[0] >= DAY_S:
            midnight_s = times[0] // DAY_S * DAY_S
            times = [one - midnight_s for one in times]
        self._times = times
        self._values = values
        self._is_linear = fields.choice("interpolate", INTERPOLATIONS, "hold") == "linear"
        last_s = times[-1] - times[-2] if len(times) > 1 else 1.0
        first_s = 0.0 if self.is_daily else times[0]
        self._period_s = float(fields.number("period_s", times[-1] - first_s + last_s))
        self._repeats = fields.boolean("repeat", False)
        self._first_s = first_s
        if not times[-1] - first_s <= self._period_s <= PERIOD_S_MAX:
            least = f"{times[-1] - first_s:g}"
            raise fields.refuse("period_s", f"must be a number from {least}, where the last row is, to {PERIOD_S_MAX}")

    def at(self, t_s: float) -> float:
        """`t_s`: seconds since the start, or since midnight."""
        if self._repeats and self._period_s > 0:
            t_s %= self._period_s
        t_s += self._first_s
        times, values = self._times, self._values
        index = bisect_right(times, t_s) - 1
        if index < 0:
            return values[0]
        if not self._is_linear or index + 1 >= len(times):
            return values[index]
        part = (t_s - times[index]) / (times[index + 1] - times[index])
        return values[index] + part * (values[index + 1] - values[index])


def load(file: Path, fields: Fields, path: str) -> Recording:
    """ConfigurationError says what is wrong with the file, and in which line."""
    column = fields.text("column", 200)
    time_column = fields.text("time", 200) if fields.has("time") else ""
    every_s = fields.number("every_s", 0)
    if (every_s > 0) == bool(time_column):
        raise ConfigurationError(path, "needs either time, the column with the times, or every_s")
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise ConfigurationError(path, f"{file.name} is larger than {FILE_BYTES_MAX} bytes")
        with file.open(newline="", encoding="utf-8-sig") as stream:
            return _read(csv.reader(stream), column, time_column, float(every_s), fields, f"{path}: {file.name}")
    except OSError as error:
        raise ConfigurationError(path, f"{file}: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise ConfigurationError(path, f"{file.name} is no CSV: {error}") from error


def _read(reader: object, column: str, time_column: str, every_s: float, fields: Fields, path: str) -> Recording:
    rows = iter(reader)  # type: ignore[call-overload]
    names = [name.strip() for name in next(rows, [])]
    for name in (column, time_column):
        if name and name not in names:
            raise ConfigurationError(path, f"has no column {name!r}; it has {', '.join(names) or 'nothing'}")
    times: list[float] = []
    values: list[float] = []
    for row in rows:
        line = reader.line_num  # type: ignore[attr-defined]
        if not row:
            continue
        if len(values) >= ROWS_MAX:
            raise ConfigurationError(path, f"has more than {ROWS_MAX} rows")
        try:
            values.append(_number(row[names.index(column)]))
            times.append(_seconds(row[names.index(time_column)]) if time_column else len(times) * every_s)
        except (ValueError, IndexError) as error:
            raise ConfigurationError(path, f"line {line}: {error}") from error
        if len(times) > 1 and times[-1] <= times[-2]:
            raise ConfigurationError(path, f"line {line}: the time must be later than the one before it")
    if not values:
        raise ConfigurationError(path, "has no rows with values")
    return Recording(times, values, fields, path)


def parse_steps(rows: object, fields: Fields, path: str) -> Recording:
    if not isinstance(rows, list) or not 0 < len(rows) <= STEPS_MAX:
        raise ConfigurationError(path, f"must be a list of 1 to {STEPS_MAX} pairs [seconds, value]")
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != 2 or not all(type(one) in (int, float) for one in row):
            raise ConfigurationError(f"{path}[{index}]", "must be [seconds, value]")
        if not all(math.isfinite(one) for one in row) or (index and row[0] <= rows[index - 1][0]):
            raise ConfigurationError(f"{path}[{index}]", "must be finite, and later than the one before it")
    return Recording([float(row[0]) for row in rows], [float(row[1]) for row in rows], fields, path)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text.strip()!r} is no finite number")
    return value


def _seconds(text: str) -> float:
    text = text.strip()
    if "-" in text[1:] and "e-" not in text.lower():
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if ":" in text:
        parts = [float(part) for part in text.split(":")]
        if len(parts) > 3:
            raise ValueError(f"{text!r} is no time of day")
        return parts[0] * 3600 + parts[1] * 60 + (parts[2] if len(parts) == 3 else 0.0)
    return _number(text)
