"""What a terminal shows while values come in: a block of lines that is drawn over, and the course of a value."""

from __future__ import annotations

import os
import shutil
import sys
from collections import deque
from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"
PLAIN_BARS = "_.-=*#%@"  # where the terminal's encoding has no blocks
TREND_WIDTH = 24


def bars() -> str:
    encoding = sys.stdout.encoding or "ascii"
    try:
        BARS.encode(encoding)
    except UnicodeError:
        return PLAIN_BARS
    return BARS


def sparkline(values: Sequence[float], width: int = TREND_WIDTH) -> str:
    """The last `width` values, scaled between their lowest and highest; a flat course is a line at the bottom."""
    shown = [value for value in values if value == value][-width:]
    if not shown:
        return ""
    steps = bars()
    lowest, highest = min(shown), max(shown)
    scale = (len(steps) - 1) / (highest - lowest) if highest > lowest else 0.0
    return "".join(steps[round((value - lowest) * scale)] for value in shown)


class Trends:
    """The last values of each name."""

    def __init__(self, width: int = TREND_WIDTH) -> None:
        self._width = width
        self._values: dict[str, deque[float]] = {}

    def add(self, name: str, value: object) -> None:
        """Text that is no number has no course."""
        try:
            number = float(str(value))
        except ValueError:
            return
        self._values.setdefault(name, deque(maxlen=self._width)).append(number)

    def of(self, name: str) -> str:
        return sparkline(tuple(self._values.get(name, ())), self._width)


class Screen:
    """A block of lines at the bottom of a terminal, drawn over by the next `draw`."""

    def __init__(self) -> None:
        self._lines = 0

    def draw(self, text: str) -> None:
        size = shutil.get_terminal_size()
        lines = text.rstrip("\n").split("\n")[: size.lines - 1]
        up = f"\x1b[{self._lines}A" if self._lines else ""
        sys.stdout.write(up + "".join("\r\x1b[2K" + line + "\n" for line in lines) + "\x1b[J")
        sys.stdout.flush()
        self._lines = len(lines)


def is_screen() -> bool:
    """Whether what is written can be drawn over."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
