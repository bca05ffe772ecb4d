"""Round places on an axis: times of the calendar, and steps of 1, 2 and 5."""

from __future__ import annotations

from datetime import UTC, datetime

from edgelite_sim.report.words import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

TICKS_MAX = 12
STEPS_MS = (
    *(SECOND_MS * n for n in (1, 5, 15, 30)),
    *(MINUTE_MS * n for n in (1, 5, 10, 15, 30)),
    *(HOUR_MS * n for n in (1, 2, 3, 6, 12)),
    *(DAY_MS * n for n in (1, 2, 7, 14, 30, 61, 122, 365)),
)
MONTH_MS = 30 * DAY_MS


def time_ticks(start_unix_ms: int, span_ms: int) -> list[tuple[int, str]]:
    """(time of the run in ms, label), at round times of the calendar (UTC)."""
    step_ms = next((step for step in STEPS_MS if span_ms / step <= TICKS_MAX), STEPS_MS[-1])
    if step_ms >= MONTH_MS:
        times = _months(start_unix_ms, span_ms, round(step_ms / MONTH_MS))
    else:
        first = -(-start_unix_ms // step_ms) * step_ms
        times = list(range(first, start_unix_ms + span_ms + 1, step_ms))
    return [(unix_ms - start_unix_ms, _label(unix_ms, step_ms)) for unix_ms in times]


def _months(start_unix_ms: int, span_ms: int, step: int) -> list[int]:
    at = datetime.fromtimestamp(start_unix_ms / 1000, UTC)
    months, times = at.year * 12 + at.month - 1, list[int]()
    while True:
        unix_ms = int(datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC).timestamp() * 1000)
        if unix_ms > start_unix_ms + span_ms:
            return times
        if unix_ms >= start_unix_ms:
            times.append(unix_ms)
        months += step


def _label(unix_ms: int, step_ms: int) -> str:
    at = datetime.fromtimestamp(unix_ms / 1000, UTC)
    if step_ms >= MONTH_MS:
        return at.strftime("%b %Y") if at.month == 1 else at.strftime("%b")
    if unix_ms % DAY_MS == 0:
        return f"{at.strftime('%b')} {at.day}"
    return at.strftime("%H:%M:%S" if step_ms < MINUTE_MS else "%H:%M")


def value_ticks(highest: float, parts: int = 3) -> list[float]:
    """From 0 to a round value that is not below `highest`, in about `parts` steps."""
    if highest <= 0:
        return [0.0, 1.0]
    rough, power = highest / parts, 1.0
    while power * 10 <= rough:
        power *= 10
    while power > rough:
        power /= 10
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    ticks = [0.0]
    while ticks[-1] < highest * 0.9999:
        ticks.append(ticks[-1] + step)
    return ticks


def duration_ticks(highest_ms: float, parts: int = 3) -> list[float]:
    """The same in lengths of time that people know."""
    step = next((step for step in STEPS_MS if highest_ms / step <= parts), None)
    if step is None or highest_ms < 3 * SECOND_MS:
        return value_ticks(highest_ms, parts)
    return [float(step * n) for n in range(-(-int(highest_ms) // step) + 1)]
