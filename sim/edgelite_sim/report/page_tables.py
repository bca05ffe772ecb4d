"""Figures in tables: the tiles at the head, and what is too much for the timeline below it."""

from __future__ import annotations

from html import escape

from edgelite_sim.report import plan, words
from edgelite_sim.report.page_timeline import Contents
from edgelite_sim.report.recording import Mark, Recording, Wish
from edgelite_sim.report.series import held

NODES_MAX = 2_000
OPEN_UNTIL = 24  # rows, above which a table is folded
WISHES_MAX = 200
MARKS_MAX = 300

Row = list[str]


def tiles(recording: Recording) -> list[tuple[str, str, str]]:
    """(name, value, note) of what one wants to know first."""
    held_count = sum(one.passed for one in recording.verdicts)
    nodes = max(1, len(recording.nodes))
    stored = sum(plan.fleet_sum(recording, "stored"))
    on_wire = sum(plan.fleet_sum(recording, "up")) + sum(plan.fleet_sum(recording, "down"))
    written = sum(plan.fleet_sum(recording, "flash"))
    a_node_day = nodes * plan.days(recording)
    away = sum(plan.away_ms(node) for node in recording.nodes) / nodes / max(1, recording.span_ms)
    waiting = sum((held(node.gauges["reports_waiting"]) or [0])[-1] for node in recording.nodes)
    late_ms = max((max(node.curves["late"], default=0) for node in recording.nodes), default=0)
    return [
        ("Invariants held", f"{held_count}/{len(recording.verdicts)}", "judged from outside"),
        ("Nodes", words.count(len(recording.nodes)), f"with a session {words.share(1 - away)} of the time"),
        ("Stored", words.count(stored), f"samples, {words.count(waiting)} still waiting"),
        ("Latest arrival", words.duration(max(0, late_ms)), "from reading to the hub's store"),
        ("On the wire", words.size(on_wire / a_node_day), "a node and day, headers included"),
        ("Flash", words.size(written / a_node_day), "written a node and day"),
        ("Wishes", *_wishes_tile(recording.wishes)),
    ]


def _wishes_tile(wishes: list[Wish]) -> tuple[str, str]:
    lags = sorted(one.reached_ms - one.wanted_ms for one in wishes if one.reached_ms is not None)
    if not lags:
        return ("none", "no desired state was changed") if not wishes else (f"0/{len(wishes)}", "none was reached")
    return f"{len(lags)}/{len(wishes)}", f"reached, the slowest in {words.duration(lags[-1])}"


def section(contents: Contents) -> str:
    recording = contents.recording
    return (
        '<section id="figures"><h2>Figures</h2>'
        + _nodes(recording)
        + _wishes(recording)
        + _counts(recording)
        + _marks(recording)
        + "</section>"
    )


def table(title: str, heads: list[str], rows: list[Row], is_open: bool, note: str = "") -> str:
    """The first column names the row; the others are figures, unless their head ends in "<"."""
    if not rows:
        return ""
    head = "".join(f"<th{_left(one)}>{one.removesuffix('<')}</th>" for one in heads)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(f"<td{_left(head)}>{cell}</td>" for head, cell in zip(heads[1:], row[1:], strict=True))
        + "</tr>"
        for row in rows
    )
    below = f"<p class=note>{note}</p>" if note else ""
    return (
        f"<details{' open' if is_open else ''}><summary>{title} <span>{words.count(len(rows))}</span></summary>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{below}</details>'
    )


def _left(head: str) -> str:
    return " class=l" if head.endswith("<") else ""


def _nodes(recording: Recording) -> str:
    heads = ["Node", "session", "outages", "longest away", "attempts", "stored", "most waiting", "latest"]
    heads += ["up / day", "down / day", "flash / day"]
    days = plan.days(recording)
    rows = []
    for node in recording.nodes[:NODES_MAX]:
        one = plan.figures(node)
        rows.append(
            [
                escape(one.name),
                words.share(one.live),
                words.count(one.outages),
                words.duration(one.longest_ms),
                words.count(one.attempts),
                words.count(one.stored),
                words.count(one.waiting_max),
                words.duration(one.late_max_ms),
                words.size(one.up_bytes / days),
                words.size(one.down_bytes / days),
                words.size(one.flash_bytes / days),
            ]
        )
    return table("Nodes", heads, rows, len(rows) <= OPEN_UNTIL)


def _wishes(recording: Recording) -> str:
    def lag_ms(wish: Wish) -> int:
        end_ms = wish.reached_ms if wish.reached_ms is not None else wish.replaced_ms or recording.span_ms
        return end_ms - wish.wanted_ms

    slowest = sorted(recording.wishes, key=lambda wish: (wish.reached_ms is not None, -lag_ms(wish)))
    rows = [
        [
            escape(f"{wish.resource} {wish.name}"),
            words.moment(recording.start_unix_ms + wish.wanted_ms),
            words.duration(lag_ms(wish)),
            "reached" if wish.reached_ms is not None else "replaced" if wish.replaced_ms is not None else "<b>open</b>",
        ]
        for wish in slowest[:WISHES_MAX]
    ]
    note = f"{words.count(recording.wishes_not_kept)} more were not kept" if recording.wishes_not_kept else ""
    return table("Desired state, the slowest first", ["Object", "wanted", "took", "then<"], rows, len(rows) <= 8, note)


def _counts(recording: Recording) -> str:
    rows = [[escape(kind), words.count(number)] for kind, number in sorted(recording.mark_counts.items())]
    return table("Kinds of faults", ["Kind", "times"], rows, len(rows) <= OPEN_UNTIL)


def _marks(recording: Recording) -> str:
    rows = [_mark(recording, mark) for mark in recording.marks[:MARKS_MAX]]
    left = len(recording.marks) - len(rows)
    note = f"and {words.count(left)} more, on the timeline" if left > 0 else ""
    return table("Faults in their order", ["At (UTC)", "kind<", "target<", "detail<"], rows, False, note)


def _mark(recording: Recording, mark: Mark) -> Row:
    kind = escape(mark.kind) + (f" ({words.count(mark.count)} times)" if mark.count > 1 else "")
    when = f'<a class="goto" href="#timeline" data-time="{mark.time_ms}">'
    when += f"{words.moment(recording.start_unix_ms + mark.time_ms)}</a>"
    return [when, kind, escape(mark.target), escape(mark.detail)]
