"""A picture to draw on, in the pixels of its final size: drawn twice as large, then scaled down, for soft edges."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from edgelite_protocol.errors import PlatformError
from edgelite_sim.report.words import THIN_SPACE

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont
    from PIL.ImageFont import ImageFont as BitmapFont

    Font = FreeTypeFont | BitmapFont

SCALE = 2
FITTING_MAX = 400  # characters, of which no line of a picture shows more
Colour = tuple[int, int, int]


class NoPillow(PlatformError):
    """Pictures are drawn with Pillow, which this Python does not have."""


@cache
def colours() -> dict[str, Colour]:
    """The light ones of the page, by name: they are chosen at one place."""
    style = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    light = style.partition(":root {")[2].partition("}")[0]
    return {
        name: (int(value[0:2], 16), int(value[2:4], 16), int(value[4:6], 16))
        for name, value in re.findall(r"--([\w-]+): #([0-9a-f]{6});", light)
    }


def need_pillow() -> None:
    """Raises NoPillow where no picture can be drawn: to be asked before a long run that is to end in one."""
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise NoPillow("a report as PNG needs Pillow: pip install pillow") from None


class Canvas:
    def __init__(self, width: int, height: int) -> None:
        need_pillow()
        from PIL import Image, ImageDraw, ImageFont

        self.width, self.height = width, height
        self._fonts = ImageFont
        self._resampling = Image.Resampling.BOX
        self._image: Image.Image = Image.new("RGB", (width * SCALE, height * SCALE), colours()["paper"])
        self._draw = ImageDraw.Draw(self._image)
        self._known: dict[int, Font] = {}

    def box(self, x: float, y: float, width: float, height: float, colour: str, radius: int = 0) -> None:
        """At least a pixel of the large picture, so that nothing vanishes."""
        left, top = round(x * SCALE), round(y * SCALE)
        right, bottom = max(left, round((x + width) * SCALE) - 1), max(top, round((y + height) * SCALE) - 1)
        if radius:
            self._draw.rounded_rectangle((left, top, right, bottom), radius * SCALE, colours()[colour])
        else:
            self._draw.rectangle((left, top, right, bottom), colours()[colour])

    def line(self, points: list[tuple[float, float]], colour: str, width: float = 1) -> None:
        scaled = [(x * SCALE, y * SCALE) for x, y in points]
        self._draw.line(scaled, colours()[colour], round(width * SCALE), joint="curve")

    def area(self, points: list[tuple[float, float]], colour: str) -> None:
        self._draw.polygon([(x * SCALE, y * SCALE) for x, y in points], colours()[colour])

    def dot(self, x: float, y: float, radius: float, colour: str) -> None:
        box = ((x - radius) * SCALE, (y - radius) * SCALE, (x + radius) * SCALE, (y + radius) * SCALE)
        self._draw.ellipse(box, colours()[colour])

    def text(
        self, x: float, y: float, text: str, size: int, colour: str = "ink", anchor: str = "la", bold: bool = False
    ) -> None:
        """`anchor`: "l", "m" or "r" for x, then "a" (top), "m" or "s" (base line) for y."""
        self._draw.text(
            (x * SCALE, y * SCALE),
            _plain(text),
            colours()[colour],
            self._font(size),
            anchor,
            stroke_width=1 if bold else 0,
        )

    def wide(self, text: str, size: int) -> float:
        return self._draw.textlength(_plain(text), self._font(size)) / SCALE

    def fitting(self, text: str, size: int, width: float) -> str:
        """The text, or as much of its begin as there is room for."""
        if len(text) <= FITTING_MAX and self.wide(text, size) <= width:
            return text
        text = text[:FITTING_MAX]
        while text and self.wide(text + "...", size) > width:
            text = text[: -max(1, len(text) // 16)]
        return text.rstrip() + "..."

    def save(self, path: Path | str) -> None:
        small = self._image.resize((self.width, self.height), self._resampling)
        small.save(path, format="PNG", optimize=True)

    def _font(self, size: int) -> Font:
        if size not in self._known:
            self._known[size] = self._fonts.load_default(size * SCALE)
        return self._known[size]


def _plain(text: str) -> str:
    """Pillow's own font has no thin space, and a line of text is one line."""
    return " ".join(text.replace(THIN_SPACE, " ").split())
