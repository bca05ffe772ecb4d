"""What the page's script tells under the pointer, as JSON: the same pieces and values that are drawn."""

from __future__ import annotations

import json
from typing import Any

from edgelite_sim.report.page_timeline import Contents
from edgelite_sim.report.plan import Strip, faults_in_columns
from edgelite_sim.report.track import Piece


def data_of(contents: Contents) -> str:
    """Safe inside a script element: `<` is written as an escape."""
    recording = contents.recording
    texts: dict[str, int] = {}
    found: dict[str, Any] = {
        "span": recording.span_ms,
        "start": recording.start_unix_ms,
        "hubs": [_strip(strip, texts) for strip in contents.hubs],
        "nodes": [
            {
                "name": one.node.name,
                "lanes": [_strip(strip, texts) for strip in one.strips],
                "marks": [[mark.time_ms, mark.kind, mark.detail, mark.count] for mark in one.marks],
            }
            for one in contents.nodes
        ],
        "charts": {
            chart.key: {
                "width": chart.width_ms,
                "tell": chart.tell.__name__,
                "curves": [[curve.name, [_short(value) for value in curve.values]] for curve in chart.curves],
                "stems": [[time_ms, value, int(came_true)] for time_ms, value, came_true in chart.stems],
            }
            for chart in contents.charts
        },
        "wishes": [f"{wish.resource} {wish.name}" for wish in recording.wishes],
        "faults": [
            ", ".join(f"{kind}: {number}" for kind, number in column.items())
            for column in faults_in_columns(recording.marks, recording.span_ms)
        ],
        "heat": [name for name, _ in contents.heat.rows] if contents.heat else [],
    }
    found["texts"] = list(texts)
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def _strip(strip: Strip, texts: dict[str, int]) -> list[Any]:
    """[name, ends of the pieces, texts of the pieces]."""
    told = [texts.setdefault(_told(piece), len(texts)) for piece in strip.pieces]
    return [strip.name, [piece.end_ms for piece in strip.pieces], told]


def _told(piece: Piece) -> str:
    if not piece.is_mixed:
        return piece.state
    whole_ms = piece.end_ms - piece.start_ms
    parts = sorted(piece.shares.items(), key=lambda one: -one[1])[:4]
    return ", ".join(f"{state} {round(100 * ms / whole_ms)} %" for state, ms in parts) + f" ({piece.changes} changes)"


def _short(value: float) -> float:
    return int(value) if value == int(value) else round(value, 1)
