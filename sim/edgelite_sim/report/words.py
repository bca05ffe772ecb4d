"""Figures as people write them: three digits or so, and a unit that fits."""

from __future__ import annotations

from datetime import UTC, datetime

SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000
THIN_SPACE = "\u202f"


def count(value: float) -> str:
    if isinstance(value, float) and abs(value) < 100 and value != int(value):
        return f"{value:.2g}" if abs(value) < 1 else f"{value:.1f}"
    return f"{round(value):,}".replace(",", THIN_SPACE)


def size(value_bytes: float) -> str:
    value, unit = float(value_bytes), "B"
    for larger in ("KB", "MB", "GB", "TB"):
        if abs(value) < 1000:
            break
        value, unit = value / 1000, larger
    digits = 0 if unit == "B" or value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {unit}"


def duration(value_ms: float) -> str:
    """ "850 ms", "12.4 s", "4 min 10 s", "9 h 36 min", "3 d 4 h": two units at most."""
    value = round(value_ms)
    if value < SECOND_MS:
        return f"{value} ms"
    if value < MINUTE_MS:
        return f"{value / 1000:.1f}".rstrip("0").rstrip(".") + " s"
    for large_ms, large, small_ms, small in (
        (DAY_MS, "d", HOUR_MS, "h"),
        (HOUR_MS, "h", MINUTE_MS, "min"),
        (MINUTE_MS, "min", SECOND_MS, "s"),
    ):
        if value >= large_ms:
            rest = value % large_ms // small_ms
            return f"{value // large_ms} {large}" + (f" {rest} {small}" if rest else "")
    return f"{value} ms"


def share(value: float) -> str:
    """A part of one as percent; what is nearly all is not called all."""
    percent = 100 * value
    if percent in (0.0, 100.0):
        return f"{percent:.0f} %"
    digits = 3 if percent > 99.9 else 2 if percent > 99 or percent < 1 else 1
    return f"{min(percent, 99.999):.{digits}f} %"


def moment(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def plural(number: int, word: str, words: str = "") -> str:
    return f"{count(number)} {word if number == 1 else words or word + 's'}"
