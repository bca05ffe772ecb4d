"""The report as one picture, for a README: the head, the timeline and the curves of the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgelite_sim.report import plan, words
from edgelite_sim.report.axis import time_ticks
from edgelite_sim.report.canvas import Canvas
from edgelite_sim.report.charts import Chart, Curve
from edgelite_sim.report.page import below_headline, headline
from edgelite_sim.report.page_timeline import Contents
from edgelite_sim.report.plan import LOOK_NAMES, NodePlan, Strip, faults_in_columns, look
from edgelite_sim.report.recording import Mark, Recording
from edgelite_sim.report.series import held
from edgelite_sim.report.shapes import DOTS_MAX, TICKS_MAX, TROUBLES

WIDTH = 1600
EDGE = 40
LEFT, RIGHT = 236, 1488  # of what is drawn over time
HEAD = 176
AXIS = 26
LEGEND = 28
LANE, BAR = 15, 11
MARKS, SPARK, FAULTS = 13, 24, 24
CHART, CHART_GAP = 84, 30
NODES_MAX = 8  # further ones make a picture that nobody looks at
VIOLATIONS_MAX = 4
HEAT_ROWS_MAX_PX = 360
CURVES = ("live", "delivery", "waiting", "late", "wire", "flash", "lag")


def write_png(recording: Recording, path: Path | str) -> None:
    """Writes the picture, 1600 pixels wide. Raises NoPillow where Pillow is not installed."""
    contents = Contents.of(recording)
    picture = _Picture(contents)
    picture.head()
    picture.timeline()
    picture.curves()
    picture.canvas.save(path)


class _Picture:
    def __init__(self, contents: Contents) -> None:
        self.recording = contents.recording
        self.contents = contents
        self.nodes = contents.nodes[:NODES_MAX]
        self.charts = [chart for chart in contents.charts if chart.key in CURVES]
        self.broken = [one for one in self.recording.verdicts if not one.passed][:VIOLATIONS_MAX]
        self.canvas = Canvas(WIDTH, self._height())
        self.y = 0.0

    def _height(self) -> int:
        heat = self.contents.heat
        hubs = len(self.contents.hubs) * LANE
        nodes = sum(_node_height(node) + 14 for node in self.nodes)
        top = (
            HEAD
            + 22 * len(self.broken)
            + LEGEND
            + AXIS
            + FAULTS
            + 6
            + hubs
            + (14 + _heat_height(heat) + 8 if heat else 0)
        )
        return round(top + 14 + nodes + 34 + AXIS + len(self.charts) * (CHART + CHART_GAP) + 16)

    def x(self, time_ms: float) -> float:
        return LEFT + (RIGHT - LEFT) * min(1.0, time_ms / max(1, self.recording.span_ms))

    # ---- head

    def head(self) -> None:
        recording, canvas = self.recording, self.canvas
        canvas.text(EDGE, 26, canvas.fitting(recording.name, 34, 700), 34, bold=True)
        facts = [
            f"seed {recording.seed}",
            f"trace {recording.digest[:12]}",
            f"{words.duration(recording.span_ms)} simulated in {words.duration(recording.real_s * 1000)}",
            words.plural(len(recording.nodes), "node"),
        ]
        canvas.text(WIDTH - EDGE, 38, " \u00b7 ".join(facts), 15, "soft", "ra")
        canvas.text(EDGE, 72, canvas.fitting(recording.description, 16, WIDTH - 2 * EDGE), 16, "soft")
        canvas.box(EDGE, 104, WIDTH - 2 * EDGE, 56, "pass" if recording.passed else "fail", 8)
        _sign(canvas, EDGE + 32, 132, recording.passed)
        canvas.text(EDGE + 64, 132, headline(recording), 23, "on-verdict", "lm", bold=True)
        canvas.text(WIDTH - EDGE - 20, 132, below_headline(recording), 16, "on-verdict", "rm")
        self.y = HEAD
        for one in self.broken:
            canvas.text(EDGE, self.y, one.name, 15, "violation", bold=True)
            text = canvas.fitting(one.violation, 15, RIGHT - LEFT)
            canvas.text(LEFT, self.y, text, 15)
            self.y += 22

    # ---- timeline

    def timeline(self) -> None:
        self._axis(with_legend=True)
        self.canvas.text(EDGE, self.y + FAULTS / 2, "faults", 13, "soft", "lm")
        self._marks(self.recording.marks, self.y, FAULTS, DOTS_MAX)
        total = words.count(plan.faults(self.recording))
        self.canvas.text(RIGHT + 10, self.y + FAULTS / 2, total, 12, "soft", "lm")
        top = self.y
        self.y += FAULTS + 6
        for strip in self.contents.hubs:
            self._lane(strip, strip.name if strip.name.startswith("hub") else f"hub {strip.name}")
        if self.contents.heat is not None:
            self._heat(self.contents.heat)
        self._violations([one.time_ms for one in self.broken], top, self.y)
        self.y += 14
        for node in self.nodes:
            self._node(node)

    def _axis(self, with_legend: bool = False) -> None:
        if with_legend:
            self._legend()
            self.y += LEGEND
        for time_ms, label in time_ticks(self.recording.start_unix_ms, self.recording.span_ms):
            x = self.x(time_ms)
            if x < RIGHT - 30:
                self.canvas.box(x, self.y + 4, 1, 16, "soft")
                self.canvas.text(x + 5, self.y + 5, label, 12, "soft")
        self.y += AXIS

    def _legend(self) -> None:
        x = float(RIGHT)
        for name, text in reversed(LOOK_NAMES.items()):
            x -= self.canvas.wide(text, 13)
            self.canvas.text(x, self.y + 9, text, 13, "soft", "lm")
            x -= 20
            self.canvas.box(x, self.y + 4, 14, 10, "ok-session" if name == "ok" else name, 2)
            x -= 18

    def _lane(self, strip: Strip, label: str) -> None:
        self.canvas.text(EDGE, self.y + LANE / 2, self.canvas.fitting(label, 12, LEFT - EDGE - 12), 12, "soft", "lm")
        self.canvas.text(RIGHT + 10, self.y + LANE / 2, words.share(strip.normal_share), 12, "soft", "lm")
        for piece in strip.coarse:
            x = self.x(piece.start_ms)
            width = self.x(piece.end_ms) - x
            shares: dict[str, float] = {}
            for state, lasted_ms in piece.shares.items():
                name = look(strip.lane, state)
                shares[name] = shares.get(name, 0) + lasted_ms / (piece.end_ms - piece.start_ms)
            if "ok" in shares:
                lane = "agent" if strip.lane == "power" else strip.lane
                self.canvas.box(x, self.y + 2, width, BAR, f"ok-{lane}")
        self._troubles(strip)
        self.y += LANE

    def _troubles(self, strip: Strip) -> None:
        """Over all that is normal, so that a short one is not covered by its neighbours."""
        for piece in strip.coarse:
            top, x = self.y + 2, self.x(piece.start_ms)
            whole_ms = piece.end_ms - piece.start_ms
            for name in TROUBLES:
                share = sum(ms for state, ms in piece.shares.items() if look(strip.lane, state) == name) / whole_ms
                if share:
                    self.canvas.box(x, top, max(1.0, self.x(piece.end_ms) - x), max(1.0, share * BAR), name)
                    top += share * BAR

    def _node(self, node: NodePlan) -> None:
        top, gauges = self.y, held(node.node.gauges["reports_waiting"])
        self.canvas.box(EDGE, top - 7, WIDTH - 2 * EDGE, 1, "rule")
        name = self.canvas.fitting(node.node.name, 14, LEFT - EDGE - 12)
        self.canvas.text(EDGE, top + MARKS / 2, name, 14, "violation" if node.violations else "ink", "lm", bold=True)
        self._marks(node.marks, top, MARKS, TICKS_MAX)
        self.y += MARKS + 2
        for strip in node.strips:
            self._lane(strip, strip.name)
        self._spark(gauges)
        self._violations([one.time_ms for one in node.violations], top, self.y)
        self.y += 14

    def _marks(self, marks: Sequence[Mark], top: float, height: float, ticks_max: int) -> None:
        if len(marks) > ticks_max or any(mark.count > 1 for mark in marks):
            self._density(marks, top, height)
            return
        for mark in marks:
            is_end, x = mark.kind == "heal", self.x(mark.time_ms)
            if len(marks) <= DOTS_MAX:
                self.canvas.dot(x, top + height / 2, 2 if is_end else 3.5, "fault")
            else:
                part = 3 if is_end else height - 2
                self.canvas.box(x - 0.75, top + height - part, 1.5, part, "fault")

    def _spark(self, values: Sequence[int]) -> None:
        highest = max(values, default=0)
        self.canvas.text(EDGE, self.y + LANE / 2, "waiting", 12, "soft", "lm")
        self.canvas.text(RIGHT + 10, self.y + LANE / 2, f"at most {words.count(highest)}", 12, "soft", "lm")
        if highest:
            curve = Curve("", "b", [float(one) for one in values])
            self._steps(curve, self.recording.gauge_width_ms, float(highest), self.y + 2, SPARK - 2)
        self.y += SPARK

    def _density(self, marks: Sequence[Mark], top: float, height: float) -> None:
        columns = faults_in_columns(marks, self.recording.span_ms)
        counts = [sum(number for kind, number in column.items() if kind != "heal") for column in columns]
        highest, width = max(counts, default=0), (RIGHT - LEFT) / len(counts)
        for at, number in enumerate(counts):
            if number:
                part = max(2.0, height * number / highest)
                self.canvas.box(LEFT + at * width, top + height - part, width * 0.8, part, "fault")

    def _violations(self, times_ms: Sequence[int | None], top: float, bottom: float) -> None:
        for time_ms in times_ms:
            if time_ms is not None:
                x = self.x(time_ms)
                self.canvas.box(x - 1, top - 4, 2, bottom - top + 4, "violation")
                self.canvas.area([(x, top - 9), (x + 5, top - 4), (x, top + 1), (x - 5, top - 4)], "violation")

    def _heat(self, heat: plan.Heat) -> None:
        self.y += 14
        row_height = _heat_height(heat) / len(heat.rows)
        self.canvas.text(EDGE, self.y, words.plural(len(self.recording.nodes), "node"), 14, bold=True)
        for level, text in enumerate(("never away", "< 25 %", "< 50 %", "< 90 %", "all the time")):
            self.canvas.box(EDGE, self.y + 26 + 17 * level, 14, 10, f"h{level}", 2)
            self.canvas.text(EDGE + 22, self.y + 31 + 17 * level, text, 12, "soft", "lm")
        width = (RIGHT - LEFT) / heat.columns
        for row, (_, levels) in enumerate(heat.rows):
            for column, level in enumerate(levels):
                top = self.y + row * row_height
                self.canvas.box(LEFT + column * width, top, width, row_height, f"h{level}")
        self.y += _heat_height(heat) + 8

    # ---- curves

    def curves(self) -> None:
        self.canvas.box(EDGE, self.y, WIDTH - 2 * EDGE, 1, "rule")
        self.y += 10
        self._axis()
        for chart in self.charts:
            self.y += CHART_GAP / 2
            self._chart(chart)
            self.y += CHART + CHART_GAP / 2

    def _chart(self, chart: Chart) -> None:
        highest = chart.ticks[-1]
        self.canvas.text(EDGE, self.y - 4, chart.title, 14, bold=True)
        for at, note in enumerate(chart.notes):
            self.canvas.text(EDGE, self.y + 17 + 16 * at, self.canvas.fitting(note, 12, LEFT - EDGE - 8), 12, "soft")
        for tick in chart.ticks:
            y = self.y + CHART * (1 - tick / highest)
            self.canvas.box(LEFT, y, RIGHT - LEFT, 1, "rule")
            self.canvas.text(RIGHT + 10, y, chart.tell(tick), 12, "soft", "lm")
        for curve in chart.curves:
            if curve.is_filled:
                self._steps(curve, chart.width_ms, highest, self.y, CHART)
            else:
                points = [(float(LEFT), self.y + CHART)]
                points += [
                    (self.x((at + 1) * chart.width_ms), self.y + CHART * (1 - value / highest))
                    for at, value in enumerate(curve.values)
                ]
                self.canvas.line(points, curve.look, 4 if curve.look == "b" else 2)
        for time_ms in chart.peaks_ms():
            self.canvas.dot(self.x(time_ms), self.y, 2.5, "ink")
        for time_ms, value, came_true in chart.stems:
            top = self.y + CHART * (1 - min(1.0, value / highest))
            self.canvas.box(self.x(time_ms) - 0.5, top, 1, self.y + CHART - top, "a" if came_true else "bad")
            self.canvas.dot(self.x(time_ms), top, 3.5, "a" if came_true else "bad")

    def _steps(self, curve: Curve, width_ms: float, highest: float, top: float, height: float) -> None:
        points = [(float(LEFT), top + height)]
        for at, value in enumerate(curve.values):
            y = top + height * (1 - min(1.0, value / highest))
            points += [(self.x(at * width_ms), y), (self.x((at + 1) * width_ms), y)]
        self.canvas.area([*points, (points[-1][0], top + height)], curve.look)


def _node_height(node: NodePlan) -> float:
    return MARKS + 2 + len(node.strips) * LANE + SPARK


def _heat_height(heat: plan.Heat) -> int:
    return min(HEAT_ROWS_MAX_PX, max(120, 12 * len(heat.rows)))


def _sign(canvas: Canvas, x: float, y: float, passed: bool) -> None:
    if passed:
        canvas.line([(x - 14, y), (x - 4, y + 11), (x + 14, y - 11)], "on-verdict", 5)
    else:
        canvas.line([(x - 11, y - 11), (x + 11, y + 11)], "on-verdict", 5)
        canvas.line([(x + 11, y - 11), (x - 11, y + 11)], "on-verdict", 5)
