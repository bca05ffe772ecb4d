"""Tables and colour. Colour only on a terminal, never where NO_COLOR is set."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

STYLES = {"green": "32", "yellow": "33", "red": "31", "bold": "1", "dim": "2"}
# Words of status columns, so that trouble is seen before it is read.
COLOURS = {
    **dict.fromkeys(("Running", "Ready", "True", "online", "Succeeded", "Active", "good"), "green"),
    **dict.fromkeys(("Pending", "Terminating", "Unknown", "unhealthy", "ContainerCreating"), "yellow"),
    **dict.fromkeys(("Failed", "NotReady", "CrashLoopBackOff", "Error", "offline", "CommandNotFound", "bad"), "red"),
}


def coloured(stream: Any = None) -> bool:
    stream = stream or sys.stdout
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def paint(text: str, style: str) -> str:
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if coloured() else text


def cell(text: str, width: int, last: bool) -> str:
    padded = text if last else text.ljust(width)
    style = COLOURS.get(text)
    return paint(padded, style) if style else padded


def widths(rows: Iterable[Sequence[str]], least: Sequence[int] = ()) -> list[int]:
    columns = list(zip(*rows, strict=True))
    found = [max(map(len, column)) for column in columns]
    return [max(width, least[index] if index < len(least) else 0) for index, width in enumerate(found)]


def table(header: Sequence[str], rows: Sequence[Sequence[str]], least: Sequence[int] = ()) -> str:
    """Left-aligned columns three spaces apart, as kubectl prints them."""
    size = widths([header, *rows], least)
    last = len(size) - 1
    lines = [
        "   ".join(cell(text, size[index], index == last) for index, text in enumerate(row)) for row in [header, *rows]
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def parse_time(text: str) -> datetime:
    """A Kubernetes time stamp, RFC 3339 in UTC."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def age(text: str | None, now: datetime | None = None) -> str:
    """How long ago, as kubectl shortens it: 12s, 5m, 3h, 4d."""
    if not text:
        return "<unknown>"
    seconds = max(0, int(((now or datetime.now(UTC)) - parse_time(text)).total_seconds()))
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "m"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds // size}{unit}"
    return f"{seconds // 86400}d"


def size(size_bytes: int) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < 1024 or unit == "GiB":
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024  # type: ignore[assignment]
    raise AssertionError("unreachable")


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
