"""The part of the page that shares one axis of time: faults, hubs, nodes, and curves."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from edgelite_sim.report import plan, shapes, words
from edgelite_sim.report.axis import time_ticks
from edgelite_sim.report.charts import Chart, charts
from edgelite_sim.report.plan import HEAT_COLUMNS, LOOK_NAMES, NodePlan, Strip
from edgelite_sim.report.recording import Recording, Verdict
from edgelite_sim.report.series import held
from edgelite_sim.report.shapes import Layers, Paths

KEYS = "Timeline. Plus and minus zoom, arrows move, 0 shows all, Alt with an arrow tells what is there."
LANE = 14  # pixels from one lane to the next
BAR = 10  # of them drawn on
MARKS = 12
FAULTS = 22
SPARK = 24
HEAT_HEIGHT_MAX = 420
HEAT_ROW_MAX = 12
NAMED_ROW = 9  # a row as high as this has room for its name


@dataclass(frozen=True, slots=True)
class Contents:
    """A recording and what was worked out from it."""

    recording: Recording
    nodes: list[NodePlan]
    hubs: list[Strip]
    charts: list[Chart]
    heat: plan.Heat | None

    @classmethod
    def of(cls, recording: Recording) -> Contents:
        shares = [plan.away_shares(node, recording.span_ms, HEAT_COLUMNS) for node in recording.nodes]
        nodes = plan.node_plans(recording)
        heat = plan.heat(recording, shares) if len(recording.nodes) > len(nodes) else None
        return cls(recording, nodes, plan.hub_strips(recording), charts(recording, shares), heat)

    def place_of(self, violation: str) -> str:
        """The anchor of the node that a violation speaks of, where it is drawn."""
        names = [planned.node.name for planned in self.nodes]
        found = plan.names_in(violation, names)
        return f"node-{names.index(found[0])}" if found else "timeline"


def section(contents: Contents) -> str:
    recording = contents.recording
    blocks = "".join(_node(contents, at) for at in range(len(contents.nodes)))
    chosen = ""
    if contents.heat is not None:
        chosen = (
            f'<p class="chosen">{len(contents.nodes)} of {words.plural(len(recording.nodes), "node")} in detail: those '
            "with violations, then those that were away the longest. All nodes are in the table below.</p>"
        )
    return f"""<section id="timeline" tabindex="0" aria-label="{KEYS}">
<div class="section-head"><h2>Timeline</h2>{_legend()}{_controls()}</div>
<div class="lines">
{_axis(recording)}
{_overview(contents)}
{_heat(contents)}
{chosen}
{blocks}
</div>
</section>"""


def curves_section(contents: Contents) -> str:
    rows = "".join(_chart(one, contents.recording.span_ms) for one in contents.charts)
    return f"""<section id="curves"><div class="section-head"><h2>Curves</h2></div>
<div class="lines">
{_axis(contents.recording)}
{rows}
</div>
</section>"""


def _legend() -> str:
    items = "".join(f'<li><i class="sw {look}"></i>{name}</li>' for look, name in LOOK_NAMES.items())
    marks = '<li><i class="sw-dot fault"></i>fault</li><li><i class="sw-dot heal"></i>its end</li>'
    return f'<ul class="legend">{items}{marks}<li><i class="sw-line"></i>violation</li></ul>'


def _controls() -> str:
    buttons = "".join(
        f'<button type="button" data-do="{do}" title="{title}" aria-label="{title}">{text}</button>'
        for do, title, text in (
            ("left", "Earlier (left arrow)", "◀"),
            ("in", "Zoom in (+)", "+"),
            ("out", "Zoom out (-)", "&minus;"),
            ("right", "Later (right arrow)", "▶"),
            ("all", "Show the whole run (0)", "All"),
        )
    )
    return (
        f'<div class="controls"><input type="search" id="filter" placeholder="filter nodes" aria-label="Filter nodes">'
        f'<label><input type="checkbox" id="troubled"> with violations</label>{buttons}</div>'
    )


def _axis(recording: Recording) -> str:
    ticks = "".join(
        f'<span style="left:{100 * time_ms / max(1, recording.span_ms):.3f}%">{escape(label)}</span>'
        for time_ms, label in time_ticks(recording.start_unix_ms, recording.span_ms)
        if time_ms < recording.span_ms * 0.985
    )
    return f'<div class="row axis"><div class="label"></div><div class="plot ticks">{ticks}</div></div>'


def _row(classes: str, label: str, plot: str, end: str = "", lane_id: str = "") -> str:
    data = f' data-lane="{lane_id}"' if lane_id else ""
    return (
        f'<div class="row {classes}"><div class="label">{label}</div><div class="plot"{data}>{plot}</div>'
        f'<div class="end">{end}</div></div>'
    )


def _overview(contents: Contents) -> str:
    recording = contents.recording
    broken = [one for one in recording.verdicts if not one.passed and one.time_ms is not None]
    times_ms = [one.time_ms for one in broken]
    paths = Paths()
    shapes.marks(recording.marks, FAULTS, recording.span_ms, paths, ticks_max=shapes.DOTS_MAX)
    shapes.violations(times_ms, FAULTS, recording.span_ms, paths)
    total = f"{words.count(plan.faults(recording))} in all"
    rows = [_flag(one, recording) for one in broken]
    rows.append(_row("marks", "faults", shapes.drawing(paths.svg(), FAULTS), total, "marks"))
    rows += [_hub(strip, f"hub{at}", recording.span_ms, times_ms) for at, strip in enumerate(contents.hubs)]
    return "".join(rows)


def _flag(broken: Verdict, recording: Recording) -> str:
    time_ms = broken.time_ms or 0
    place = time_ms / max(1, recording.span_ms)
    flag = (
        f'<a class="flag{" before" if place > 0.7 else ""}" href="#broken" data-at="{time_ms}"'
        f' title="{escape(broken.violation)}" style="left:{100 * place:.3f}%">'
        f"<span>{escape(words.duration(time_ms))} in</span></a>"
    )
    return _row("flags", escape(broken.name), flag)


def _hub(strip: Strip, lane_id: str, span_ms: int, times_ms: list[int | None]) -> str:
    layers, paths = Layers(), Paths()
    layers.lane(strip, 2, BAR, span_ms)
    shapes.violations(times_ms, LANE, span_ms, paths)
    label = strip.name if strip.name.startswith("hub") else f"hub {strip.name}"
    return _row(
        "lane",
        escape(label),
        shapes.drawing(layers.svg() + paths.svg(), LANE),
        words.share(strip.normal_share),
        lane_id,
    )


def _heat(contents: Contents) -> str:
    heat = contents.heat
    if heat is None:
        return ""
    row_height = min(HEAT_ROW_MAX, max(2, HEAT_HEIGHT_MAX // len(heat.rows)))
    label = f"{words.plural(len(contents.recording.nodes), 'node')}<small>session away"
    label += f", {heat.nodes_a_row} nodes a row" if heat.nodes_a_row > 1 else ""
    levels = ("never", "&lt; 25 %", "&lt; 50 %", "&lt; 90 %", "all the time")
    scale = "".join(f'<span><i class="sw h{level}"></i>{text}</span>' for level, text in enumerate(levels))
    over = Paths()
    times_ms = [one.time_ms for one in contents.recording.verdicts if not one.passed]
    shapes.violations(times_ms, row_height * len(heat.rows), contents.recording.span_ms, over)
    drawn = shapes.heat(heat, row_height, over)
    names = ""
    if row_height >= NAMED_ROW:
        style = f"height:{row_height}px;line-height:{row_height}px"
        names = "".join(f'<span class="row-name" style="{style}">{escape(name)}</span>' for name, _ in heat.rows)
    return _row("heat-row", f"{label}</small><small class=scale>{scale}</small>", drawn, names, "heat")


def _node(contents: Contents, at: int) -> str:
    planned, span_ms = contents.nodes[at], contents.recording.span_ms
    backlog = held(planned.node.gauges["reports_waiting"])
    layers, paths = Layers(), Paths()
    for number, strip in enumerate(planned.strips):
        layers.lane(strip, MARKS + 2 + number * LANE, BAR, span_ms)
    lanes_end = MARKS + 2 + len(planned.strips) * LANE
    height = lanes_end + SPARK + 4
    shapes.marks(planned.marks, MARKS, span_ms, paths)
    shapes.violations([one.time_ms for one in planned.violations], height, span_ms, paths)
    spark = shapes.sparkline(backlog, contents.recording.gauge_width_ms, span_ms, lanes_end, SPARK)
    plot = shapes.drawing(spark + layers.svg() + paths.svg(), height)
    names = "".join(f'<span class="lane-name">{escape(strip.name)}</span>' for strip in planned.strips)
    ends = "".join(f"<span>{words.share(strip.normal_share)}</span>" for strip in planned.strips)
    broken = ", ".join(escape(one.name) for one in planned.violations)
    badges = f'<b class="badge" title="{broken}">{len(planned.violations)} broken</b>' if broken else ""
    label = f'<h3>{escape(planned.node.name)} {badges}</h3>{names}<span class="lane-name">waiting</span>'
    end = f"<b></b>{ends}<span>≤ {words.count(max(backlog, default=0))}</span>"
    return (
        f'<div class="row node" id="node-{at}" data-name="{escape(planned.node.name.lower())}"'
        f' data-violations="{len(planned.violations)}"><div class="label">{label}</div>'
        f'<div class="plot" data-node="{at}">{plot}</div><div class="end">{end}</div></div>'
    )


def _chart(chart: Chart, span_ms: int) -> str:
    legend = "".join(f'<span><i class="sw fill-{curve.look}"></i>{escape(curve.name)}</span>' for curve in chart.curves)
    if chart.stems:
        legend = '<span><i class="sw-dot reached"></i>reached</span><span><i class="sw-dot open"></i>not reached</span>'
    notes = "".join(f"<small>{note}</small>" for note in chart.notes)
    ends = "".join(
        f'<span style="top:{100 * (1 - tick / chart.ticks[-1]):.1f}%">{chart.tell(tick)}</span>' for tick in chart.ticks
    )
    label = f"<h3>{chart.title}</h3><div class=keys>{legend}</div>{notes}"
    return (
        f'<div class="row curve"><div class="label">{label}</div><div class="plot" data-chart="{chart.key}">'
        f'{shapes.chart(chart, span_ms)}</div><div class="end scale-y">{ends}</div></div>'
    )
