"""What a report shows of a recording, worked out once for the page and for the picture."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgelite_sim.report.marks import condensed as condensed_marks
from edgelite_sim.report.recording import Lane, Mark, NodeRecord, Recording, Verdict
from edgelite_sim.report.series import held
from edgelite_sim.report.track import Piece, condensed, joined
from edgelite_sim.report.words import DAY_MS

DETAIL_MAX = 16  # nodes with lanes of their own; of a larger fleet, those that are worth it
DETAIL_OF_FLEET = 10
HUB_MARKS = ("hub crashed", "hub restored", "hub emptied", "hub stopped")
MARKS_TOLD = 2_000  # of the nodes in detail together
FAULT_COLUMNS = 240
BUSY_PIECES = 300  # of one lane
COARSE_COLUMNS = 400
PIECES_DRAWN = 16_000  # on all lanes of a page together
HEAT_ROWS_MAX = 200
HEAT_COLUMNS = 240
NORMAL = {"power": "on", "agent": "up", "link": "up", "session": "live"}
RUNNING = "running"

# What a state looks like; a word that is not here is trouble.
LOOKS = {
    "up": "ok",
    "live": "ok",
    "on": "ok",
    "running": "ok",
    "absent": "none",
    "not yet": "none",
    "not started": "none",
    "off": "none",
    "stop": "none",
    "stopped": "none",
    "exited 0": "none",
    "silent": "silent",
    "one-way-up": "oneway",
    "one-way-down": "oneway",
    "power cut": "dark",
    "lost power": "dark",
    "watchdog": "dark",
    "shutdown": "dark",
}
LOOK_NAMES = {
    "ok": "as it should be",
    "silent": "silent, no session",
    "oneway": "one way only",
    "bad": "refused, crashed, failed, hub down",
    "dark": "no power",
}


def look(lane: str, state: str) -> str:
    found = LOOKS.get(state, "bad")
    if lane == "hub" and state == "stopped":
        return "bad"
    # That a session is away is most often no fault of its own.
    return "silent" if lane == "session" and found in ("bad", "dark") else found


@dataclass(frozen=True, slots=True)
class Strip:
    """A lane as it is drawn; `pieces` are few enough. `coarse` is for the whole run at once, where short pieces beside
    each other would look like more than they are: there they are one, filled as far as each state lasted."""

    lane: str
    name: str
    pieces: list[Piece]
    coarse: list[Piece]
    normal_share: float

    @property
    def is_busy(self) -> bool:
        return self.coarse is not self.pieces


@dataclass(frozen=True, slots=True)
class NodePlan:
    node: NodeRecord
    strips: list[Strip]
    marks: list[Mark]
    violations: list[Verdict]


@dataclass(frozen=True, slots=True)
class Figures:
    """One node in a row of the table."""

    name: str
    live: float
    outages: int
    longest_ms: int
    attempts: int
    stored: int
    waiting_max: int
    late_max_ms: int
    up_bytes: int
    down_bytes: int
    flash_bytes: int


@dataclass(frozen=True, slots=True)
class Heat:
    """How much of each column's time the session was away: 0 (never) to 4 (always), a row for some nodes each."""

    rows: list[tuple[str, list[int]]]
    columns: int
    nodes_a_row: int


def names_in(text: str, names: Sequence[str]) -> list[str]:
    """The nodes that a violation speaks of, as whole words."""
    words = set(re.findall(r"[\w.-]+", text))
    words |= {word.rstrip(".:-") for word in words}
    return [name for name in names if name in words]


def violations_of(recording: Recording) -> dict[str, list[Verdict]]:
    names = [node.name for node in recording.nodes]
    found: dict[str, list[Verdict]] = {}
    for verdict in recording.verdicts:
        if not verdict.passed:
            for name in names_in(verdict.violation, names):
                found.setdefault(name, []).append(verdict)
    return found


def away_ms(node: NodeRecord) -> int:
    session = node.lanes["session"]
    return sum(session.totals_ms.values()) - session.totals_ms.get("live", 0)


def detailed(recording: Recording) -> list[NodeRecord]:
    """All nodes of a small fleet; of a large one those with violations, then those that were away the longest."""
    if len(recording.nodes) <= DETAIL_MAX:
        return recording.nodes
    blamed = violations_of(recording)
    ranked = sorted(recording.nodes, key=lambda node: (node.name not in blamed, -away_ms(node), node.name))
    return ranked[: max(DETAIL_OF_FLEET, min(DETAIL_MAX, len(blamed)))]


def node_plans(recording: Recording) -> list[NodePlan]:
    nodes = detailed(recording)
    lanes = sum(4 + len(node.workloads) for node in nodes)
    pieces_max = max(60, PIECES_DRAWN // max(1, lanes))
    blamed = violations_of(recording)
    marks: dict[str, list[Mark]] = {}
    for mark in recording.marks:
        marks.setdefault(mark.target.rpartition("@")[2], []).append(mark)  # "node" or "workload@node"
    marks_max = MARKS_TOLD // max(1, len(nodes))
    return [
        NodePlan(
            node,
            strips_of(node, pieces_max),
            condensed_marks(marks.get(node.name, []), marks_max)[0],
            blamed.get(node.name, []),
        )
        for node in nodes
    ]


def faults_in_columns(marks: Sequence[Mark], span_ms: int) -> list[dict[str, int]]:
    """How many of each kind fell in each column of time."""
    found: list[dict[str, int]] = [{} for _ in range(FAULT_COLUMNS)]
    for mark in marks:
        column = found[min(FAULT_COLUMNS - 1, mark.time_ms * FAULT_COLUMNS // max(1, span_ms))]
        column[mark.kind] = column.get(mark.kind, 0) + mark.count
    return found


def strips_of(node: NodeRecord, pieces_max: int) -> list[Strip]:
    """A node that never lost its power needs no lane for it."""
    lanes = [name for name in ("power", "agent", "link", "session") if name != "power" or _was_off(node.lanes["power"])]
    strips = [_strip(name, name, node.lanes[name], NORMAL[name], pieces_max) for name in lanes]
    return strips + [_strip("workload", name, lane, RUNNING, pieces_max) for name, lane in node.workloads.items()]


def hub_strips(recording: Recording) -> list[Strip]:
    return [_strip("hub", name, lane, "up", 500) for name, lane in recording.hubs.items()]


def _was_off(power: Lane) -> bool:
    return any(state not in ("on", "off") for state in power.totals_ms)


def _strip(lane: str, name: str, of: Lane, normal: str, pieces_max: int) -> Strip:
    pieces = coarse = condensed(of.pieces, pieces_max)[0]
    if len(pieces) > BUSY_PIECES:
        coarse = list(joined(pieces, max(1, (pieces[-1].end_ms - pieces[0].start_ms) // COARSE_COLUMNS)))
    return Strip(lane, name, pieces, coarse, of.share(normal))


def figures(node: NodeRecord) -> Figures:
    session, link = node.lanes["session"], node.lanes["link"]
    away = [piece.shares for piece in session.pieces]
    return Figures(
        name=node.name,
        live=session.share("live"),
        outages=sum(number for state, number in link.entries.items() if state != "up"),
        longest_ms=max((ms for shares in away for state, ms in shares.items() if state != "live"), default=0),
        attempts=sum(node.curves["attempts"]),
        stored=sum(node.curves["stored"]),
        waiting_max=max(0, max(node.gauges["reports_waiting"], default=0)),
        late_max_ms=max(0, max(node.curves["late"], default=0)),
        up_bytes=sum(node.curves["up"]),
        down_bytes=sum(node.curves["down"]),
        flash_bytes=sum(node.curves["flash"]),
    )


def faults(recording: Recording) -> int:
    """How many there were, without their ends and without what hubs did because of them."""
    return sum(number for kind, number in recording.mark_counts.items() if kind != "heal" and kind not in HUB_MARKS)


# ---- the fleet


def fleet_sum(recording: Recording, curve: str) -> list[int]:
    return [sum(values) for values in zip(*(node.curves[curve] for node in recording.nodes), strict=True)]


def fleet_highest(recording: Recording, curve: str) -> list[int]:
    return [max(values) for values in zip(*(node.curves[curve] for node in recording.nodes), strict=True)]


def fleet_gauge(recording: Recording, gauge: str) -> list[int]:
    return [sum(values) for values in zip(*(held(node.gauges[gauge]) for node in recording.nodes), strict=True)]


def days(recording: Recording) -> float:
    return max(recording.span_ms, 1) / DAY_MS


def away_shares(node: NodeRecord, span_ms: int, columns: int) -> list[float]:
    """How much of each column's time the node had no session."""
    found = [0.0] * columns
    width_ms = max(span_ms, 1) / columns
    for piece in node.lanes["session"].pieces:
        lasted_ms = piece.end_ms - piece.start_ms
        away = 1 - piece.shares.get("live", 0) / lasted_ms
        if not away:
            continue
        first, last = int(piece.start_ms / width_ms), min(columns - 1, int((piece.end_ms - 1) / width_ms))
        for column in range(first, last + 1):
            begin_ms, end_ms = max(piece.start_ms, column * width_ms), min(piece.end_ms, (column + 1) * width_ms)
            found[column] += away * max(0.0, end_ms - begin_ms) / width_ms
    return [min(1.0, value) for value in found]


def heat(recording: Recording, shares: list[list[float]]) -> Heat:
    """`shares` are `away_shares` of each node. Neighbours share a row, where there are too many for one each."""
    nodes = recording.nodes
    a_row = -(-len(nodes) // HEAT_ROWS_MAX) or 1
    rows = []
    for at in range(0, len(nodes), a_row):
        group = shares[at : at + a_row]
        levels = [_level(sum(column) / len(group)) for column in zip(*group, strict=True)]
        last = nodes[min(at + a_row, len(nodes)) - 1].name
        rows.append((nodes[at].name if a_row == 1 else f"{nodes[at].name} … {last}", levels))
    return Heat(rows, HEAT_COLUMNS, a_row)


def _level(share: float) -> int:
    return 0 if share < 0.01 else 1 if share < 0.25 else 2 if share < 0.5 else 3 if share < 0.9 else 4
