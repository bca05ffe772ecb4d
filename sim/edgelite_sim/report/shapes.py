"""Shapes of a page as SVG: lanes, marks, curves and the fleet's heat, one path for each colour.

A drawing is UNITS wide whatever its size on the screen, so that zooming is a change of its `viewBox` and nothing is
drawn anew. Nothing in it is text: text would be stretched.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgelite_sim.report.charts import Chart, Curve
from edgelite_sim.report.plan import Heat, Strip, faults_in_columns, look
from edgelite_sim.report.recording import Mark
from edgelite_sim.report.track import Piece

UNITS = 100_000
CHART_HEIGHT = 100
DOTS_MAX = 50
TICKS_MAX = 2_000
TROUBLES = ("oneway", "silent", "bad", "dark")  # from the top, where a piece has several


class Paths:
    """Rectangles and lines by class; as few elements as there are classes."""

    def __init__(self) -> None:
        self._parts: dict[str, list[str]] = {}

    def rectangle(self, look: str, x: float, y: float, width: float, height: float) -> None:
        self._parts.setdefault(look, []).append(f"M{x:.0f} {_y(y)}h{width:.0f}v{_y(height)}h-{width:.0f}z")

    def line(self, look: str, x: float, y: float, height: float) -> None:
        self._parts.setdefault(look, []).append(f"M{x:.0f} {_y(y)}v{_y(height)}")

    def dot(self, look: str, x: float, y: float) -> None:
        """A line without length, whose round end does not stretch."""
        self._parts.setdefault(look, []).append(f"M{x:.0f} {_y(y)}h0")

    def svg(self) -> str:
        """What is as it should be lies below what is not."""
        parts = sorted(self._parts.items(), key=lambda one: not one[0].startswith("ok"))
        return "".join(f'<path class="{look}" d="{"".join(found)}"/>' for look, found in parts)


def drawing(body: str, height: float, extra: str = "") -> str:
    return (
        f'<svg class="t{extra}" viewBox="0 0 {UNITS} {_y(height)}" data-h="{_y(height)}" style="height:{_y(height)}px"'
        f' preserveAspectRatio="none" aria-hidden="true">{body}</svg>'
    )


def units(time_ms: float, span_ms: int) -> float:
    return min(UNITS, UNITS * time_ms / max(1, span_ms))


class Layers:
    """What is always there, and for busy lanes a coarse drawing of the whole run and a fine one for those who zoom."""

    def __init__(self) -> None:
        self.always, self.coarse, self.fine = Paths(), Paths(), Paths()

    def lane(self, strip: Strip, y: float, height: float, span_ms: int) -> None:
        if strip.is_busy:
            lane(strip.lane, strip.coarse, y, height, span_ms, self.coarse)
        lane(strip.lane, strip.pieces, y, height, span_ms, self.fine if strip.is_busy else self.always)

    def svg(self) -> str:
        coarse = self.coarse.svg()
        layers = f'<g class="coarse">{coarse}</g><g class="fine">{self.fine.svg()}</g>' if coarse else ""
        return layers + self.always.svg()


def lane(name: str, pieces: Iterable[Piece], y: float, height: float, span_ms: int, paths: Paths) -> None:
    """Normal from below, trouble from above: a piece of many changes shows how much of it each had."""
    for piece in pieces:
        x = units(piece.start_ms, span_ms)
        width = units(piece.end_ms, span_ms) - x
        shares: dict[str, float] = {}
        for state, lasted_ms in piece.shares.items():
            seen = look(name, state)
            shares[seen] = shares.get(seen, 0) + lasted_ms / (piece.end_ms - piece.start_ms)
        if "ok" in shares:
            paths.rectangle(f"ok l-{name}", x, y, width, height)
        top = y
        for trouble in TROUBLES:
            if trouble in shares:
                part = max(shares[trouble] * height, 1.0)
                paths.rectangle(trouble, x, top, width, part)
                top += part


def marks(of: Sequence[Mark], height: float, span_ms: int, paths: Paths, ticks_max: int = TICKS_MAX) -> None:
    """A dot for each; a tick, where dots would hide each other; where too many were joined, how many there were."""
    if len(of) > ticks_max or any(mark.count > 1 for mark in of):
        mark_density(of, height, span_ms, paths)
        return
    for mark in of:
        is_end, x = mark.kind == "heal", units(mark.time_ms, span_ms)
        if len(of) <= DOTS_MAX:
            paths.dot("heal" if is_end else "fault", x, height / 2)
        elif is_end:
            paths.line("tick-heal", x, height - 4, 4)
        else:
            paths.line("tick", x, 1, height - 1)


def mark_density(of: Sequence[Mark], height: float, span_ms: int, paths: Paths) -> None:
    counts = [
        sum(number for kind, number in column.items() if kind != "heal") for column in faults_in_columns(of, span_ms)
    ]
    highest = max(counts, default=0)
    width = UNITS / len(counts)
    for at, number in enumerate(counts):
        if number:
            part = max(2.0, height * number / highest)
            paths.rectangle("faults", at * width, height - part, width * 0.8, part)


def violations(times_ms: Iterable[int | None], height: float, span_ms: int, paths: Paths) -> None:
    for time_ms in times_ms:
        if time_ms is not None:
            paths.line("violation", units(time_ms, span_ms), 0, height)


def heat(of: Heat, row_height: float, over: Paths) -> str:
    """Each row's cells of one level beside each other are one stroke."""
    parts: dict[int, list[str]] = {level: [] for level in range(5)}
    for row, (_, levels) in enumerate(of.rows):
        y, start = (row + 0.5) * row_height, 0
        for column in range(1, len(levels) + 1):
            if column == len(levels) or levels[column] != levels[start]:
                x, end = UNITS * start // of.columns, UNITS * column // of.columns
                parts[levels[start]].append(f"M{x} {_y(y)}H{end}")
                start = column
    stroke = f' stroke-width="{_y(row_height * (0.85 if row_height > 4 else 1))}"'
    paths = (f'<path class="h{level}" d="{"".join(found)}"{stroke}/>' for level, found in parts.items() if found)
    return drawing("".join(paths) + over.svg(), row_height * len(of.rows), " heat")


def chart(of: Chart, span_ms: int) -> str:
    highest = of.ticks[-1]
    parts = [f'<path class="grid" d="{"".join(f"M0 {_height(tick, highest)}h{UNITS}" for tick in of.ticks)}"/>']
    for curve in of.curves:
        points = curve_path(curve, of.width_ms, highest, span_ms)
        if curve.is_filled:
            parts.append(f'<path class="fill-{curve.look}" d="M0 {CHART_HEIGHT}{points}V{CHART_HEIGHT}z"/>')
        else:
            parts.append(f'<path class="line-{curve.look}" d="{points.replace("L", "M", 1)}"/>')
    paths = Paths()
    for time_ms in of.peaks_ms():
        paths.dot("peak", units(time_ms, span_ms), 0)
    for time_ms, value, came_true in of.stems:
        x, top = units(time_ms, span_ms), float(_height(value, highest))
        paths.line("stem" if came_true else "stem-open", x, top, CHART_HEIGHT - top)
        paths.dot("reached" if came_true else "open", x, top)
    return drawing("".join(parts) + paths.svg(), CHART_HEIGHT, " chart")


def curve_path(curve: Curve, width_ms: float, highest: float, span_ms: int) -> str:
    """As steps where filled (a bucket's own value), else as a line through the buckets' ends (what has come so far)."""
    if not curve.is_filled:
        points = (
            f"L{units((at + 1) * width_ms, span_ms):.0f} {_height(value, highest)}"
            for at, value in enumerate(curve.values)
        )
        return f"L0 {CHART_HEIGHT}" + "".join(points)
    parts, last = [], ""
    for at, value in enumerate(curve.values):
        y = _height(value, highest)
        if y != last:
            parts.append(f"L{units(at * width_ms, span_ms):.0f} {last}V{y}" if last else f"L0 {y}")
            last = y
    return "".join(parts) + f"H{UNITS}"


def sparkline(values: Sequence[int], width_ms: float, span_ms: int, y: float, height: float) -> str:
    """One node's backlog below its lanes, against its own highest."""
    highest = max(values, default=0)
    if highest <= 0:
        return ""
    parts, last = [f"M0 {_y(y + height)}"], ""
    for at, value in enumerate(values):
        level = _y(y + height * (1 - value / highest))
        if level != last:
            parts.append(f"H{units(at * width_ms, span_ms):.0f}V{level}")
            last = level
    return f'<path class="fill-b" d="{"".join(parts)}H{UNITS}V{_y(y + height)}z"/>'


def _height(value: float, highest: float) -> str:
    return _y(CHART_HEIGHT * (1 - min(1.0, value / highest)))


def _y(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
