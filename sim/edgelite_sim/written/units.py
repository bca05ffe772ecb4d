"""Durations and sizes as a person writes them, and back."""

from __future__ import annotations

import re

from edgelite_protocol.errors import MisuseError

MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
BYTES = {"B": 1, "kB": 1000, "KiB": 1024, "MB": 1_000_000, "MiB": 1 << 20, "GB": 10**9, "GiB": 1 << 30, "TB": 10**12}

DURATION_EXAMPLES = "write a duration such as 500ms, 90s, 1h30m or 2d"
SIZE_EXAMPLES = "write a size such as 300 B, 100 kB or 2 MiB"


def duration_ms(text: str) -> int | None:
    """ "1h30m", "0.5s"; None where it is no duration."""
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", text)
    if not parts or re.sub(r"\s", "", text) != "".join(number + unit for number, unit in parts):
        return None
    return round(sum(float(number) * MS[unit] for number, unit in parts))


def as_ms(duration: int | str) -> int:
    """Milliseconds, of a number of them or of text; MisuseError where it is neither."""
    found = duration_ms(duration) if isinstance(duration, str) else duration
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise MisuseError(f"{duration!r} is no duration: give milliseconds, or {DURATION_EXAMPLES}")
    return found


def duration_text(value_ms: int) -> str:
    """The shortest exact text that `duration_ms` reads."""
    if value_ms == 0:
        return "0s"
    text, rest = "", value_ms
    for unit in ("d", "h", "m", "s", "ms"):
        count, rest = divmod(rest, MS[unit])
        text += f"{count}{unit}" if count else ""
    return text


def size_bytes(text: str) -> int | None:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(B|kB|KiB|MB|MiB|GB|GiB|TB)\s*", text)
    return round(float(match[1]) * BYTES[match[2]]) if match else None


def size_text(value_bytes: float) -> str:
    """For people: 1.2 MB."""
    for unit in ("TB", "GB", "MB", "kB"):
        if value_bytes >= BYTES[unit]:
            return f"{value_bytes / BYTES[unit]:.3g} {unit}"
    return f"{value_bytes:.0f} B"
