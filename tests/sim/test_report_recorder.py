"""What a recorder keeps of a run: bounded, cheap, and the same again from a file."""

from __future__ import annotations

import gc
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from report_story import DAY_MS, HOUR_MS, MINUTE_MS, START_UNIX_MS, YEAR_MS, Story, green, recorded

from edgelite_hub.store.contract import Sample
from edgelite_sim.report import Recorder, Recording, RecordingError
from edgelite_sim.report.marks import MARKS_MAX, Marks
from edgelite_sim.report.series import UNSEEN, WIDTHS_MS, Grid, held
from edgelite_sim.report.track import Track, condensed
from edgelite_sim.world.observer import Observer


def world(nodes: int = 1) -> Any:
    return SimpleNamespace(start_unix_ms=START_UNIX_MS, now_ms=0, nodes=dict.fromkeys(range(nodes)))


def one_hour(tell: Any = lambda recorder: None) -> Recording:
    recorder = Recorder()
    recorder.begin(world())
    tell(recorder)
    recorder.end(world(), HOUR_MS)
    return recorder.recording(green())


# ---- curves


def test_every_width_divides_the_next() -> None:
    assert all(wider % width == 0 for width, wider in pairwise(WIDTHS_MS))


def test_a_curve_that_widens_keeps_its_sum_and_a_gauge_its_highest() -> None:
    grid = Grid(10)
    counts, levels = grid.sum(), grid.gauge()
    for second in range(1_000):
        if second * 1000 >= grid.limit_ms:
            grid.widen(second * 1000)
        counts[second * 1000 // grid.width_ms] += second
        at = second * 1000 // grid.width_ms
        levels[at] = max(levels[at], second % 77)
    assert (grid.width_ms, len(counts)) == (300_000, 10)
    assert list(counts[:4]) == [sum(range(at, min(at + 300, 1000))) for at in range(0, 1000, 300)]
    assert levels[0] == 76 and list(levels[4:]) == [UNSEEN] * 6


def test_a_backlog_stays_while_nobody_looks() -> None:
    assert held([UNSEEN, 3, UNSEEN, UNSEEN, 0]) == [0, 3, 3, 3, 0]


# ---- tracks


def alternating(changes: int, lasts_ms: int, pieces_max: int) -> Track:
    track = Track("up", 0)
    for number in range(1, changes + 1):
        track.change("silent" if number % 2 else "up", number * lasts_ms, pieces_max)
    track.end((changes + 1) * lasts_ms)
    return track


def test_a_track_is_exact_below_its_bound() -> None:
    track = alternating(9, MINUTE_MS, 100)
    assert [(piece.start_ms, piece.end_ms, piece.state) for piece in track.pieces[:2]] == [
        (0, MINUTE_MS, "up"),
        (MINUTE_MS, 2 * MINUTE_MS, "silent"),
    ]
    assert len(track.pieces) == 10 and not any(piece.is_mixed for piece in track.pieces)


def test_a_condensed_track_loses_no_time_and_leaves_no_hole() -> None:
    track = alternating(10_001, 700, 100)
    assert len(track.pieces) <= 100
    assert sum(sum(piece.shares.values()) for piece in track.pieces) == 10_002 * 700
    assert all(a.end_ms == b.start_ms for a, b in pairwise(track.pieces))
    assert track.totals_ms == {"up": 5_001 * 700, "silent": 5_001 * 700}
    assert track.entries["silent"] == 5_001


def test_a_long_piece_stays_exact_among_short_ones() -> None:
    track = Track("up", 0)
    for number in range(2_000):
        track.change("silent" if number % 2 == 0 else "up", 10_000 * (number + 1), 200)
    track.change("silent", DAY_MS, 200)
    track.change("up", 8 * DAY_MS, 200)
    for number in range(2_000):
        track.change("silent" if number % 2 == 0 else "up", 9 * DAY_MS + 10_000 * number, 200)
    long = [piece for piece in track.pieces if piece.shares == {"silent": 7 * DAY_MS}]
    assert [(piece.start_ms, piece.end_ms) for piece in long] == [(DAY_MS, 8 * DAY_MS)]


def test_condensing_for_a_drawing_keeps_to_its_bound() -> None:
    assert len(condensed(alternating(500, 5_000, 10_000).pieces, 7)[0]) <= 7


# ---- marks


def test_marks_are_joined_and_still_counted() -> None:
    marks = Marks()
    for number in range(3 * MARKS_MAX):
        marks.add("outage" if number % 3 else "heal", f"node-{number % 50}", "", number * 500)
    kept = marks.all()
    assert len(kept) <= MARKS_MAX
    assert sum(mark.count for mark in kept) == 3 * MARKS_MAX
    assert marks.counts == {"heal": MARKS_MAX, "outage": 2 * MARKS_MAX}
    assert [mark.time_ms for mark in kept] == sorted(mark.time_ms for mark in kept)


# ---- the recorder


def test_values_are_counted_and_news_among_them() -> None:
    def tell(recorder: Recorder) -> None:
        for number, value in enumerate([1, 1, 2, 2, 2, 3]):
            recorder.answered("gate", "default/meter", {"energy": value, "power": 5}, number * MINUTE_MS)

    curves = one_hour(tell).nodes[0].curves
    assert sum(curves["read"]) == 12
    assert sum(curves["new"]) == 2 + 1 + 1


def test_lateness_is_from_reading_to_storing() -> None:
    def tell(recorder: Recorder) -> None:
        sample = Sample("gate", "default/meter", "energy", START_UNIX_MS + 10 * MINUTE_MS, 1, 1)
        recorder.stored("hub", [sample], 25 * MINUTE_MS)

    curves = one_hour(tell).nodes[0].curves
    assert (max(curves["late"]), sum(curves["stored"])) == (15 * MINUTE_MS, 1)


def test_a_workload_runs_while_one_of_its_processes_does_and_not_without_power() -> None:
    def tell(recorder: Recorder) -> None:
        recorder.unit("gate", "default/blink", "a", "started", 1_000)
        recorder.unit("gate", "default/blink", "b", "started", 2_000)
        recorder.unit("gate", "default/blink", "a", "exited 1", 3_000)
        recorder.unit("gate", "default/blink", "b", "killed", 4_000)
        recorder.unit("gate", "default/blink", "c", "started", 6_000)
        recorder.power("gate", False, "power cut", 7_000)

    lane = one_hour(tell).nodes[0].workloads["default/blink"]
    assert [(piece.start_ms, piece.state) for piece in lane.pieces] == [
        (0, "absent"),
        (1_000, "running"),
        (4_000, "killed"),
        (6_000, "running"),
        (7_000, "lost power"),
    ]


def test_words_for_being_down_are_bounded() -> None:
    def tell(recorder: Recorder) -> None:
        for number in range(500):
            recorder.session("gate", number % 2 == 0, f"reason {number}", number * 1000)

    lane = one_hour(tell).nodes[0].lanes["session"]
    assert "other" in lane.totals_ms and len(lane.totals_ms) < 30


def wish(recorder: Recorder, new: dict[str, Any] | None, now_ms: int, resource: str = "pods") -> None:
    recorder.wanted("hub", resource, "default", "one", new, now_ms)


READY = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
DESIRED = {"spec": {"properties": [{"name": "limit", "desired": {"value": "7"}}]}}


def twin(value: str, **metadata: str) -> dict[str, Any]:
    observed = {"value": value, "metadata": metadata}
    return {**DESIRED, "status": {"twins": [{"propertyName": "limit", "observedDesired": observed}]}}


DAEMON_SET = {"metadata": {"generation": 2}, "status": {"desiredNumberScheduled": 3, "numberReady": 3}}


@pytest.mark.parametrize(
    ("resource", "not_yet", "reached"),
    [
        ("pods", {"status": {"phase": "Pending"}}, READY),
        (
            "pods",
            {"status": {"conditions": [{"type": "Ready", "status": "False"}]}},
            {"status": {"phase": "Succeeded"}},
        ),
        ("devices", twin("6"), twin("7")),
        ("devices", twin("7", error="refused"), twin("7")),
        ("devices", DESIRED, twin("7")),
        (
            "daemonsets",
            {**DAEMON_SET, "status": {**DAEMON_SET["status"], "observedGeneration": 1, "updatedNumberScheduled": 3}},
            {**DAEMON_SET, "status": {**DAEMON_SET["status"], "observedGeneration": 2, "updatedNumberScheduled": 3}},
        ),
    ],
)
def test_a_wish_is_open_until_the_hub_knows_that_it_is_so(
    resource: str, not_yet: dict[str, Any], reached: dict[str, Any]
) -> None:
    def tell(recorder: Recorder) -> None:
        wish(recorder, DESIRED, 1_000, resource)
        recorder.changed("hub", resource, "default", "one", not_yet, 2_000)
        recorder.changed("hub", resource, "default", "one", reached, 9_000)

    assert [(one.wanted_ms, one.reached_ms) for one in one_hour(tell).wishes] == [(1_000, 9_000)]


def test_a_deletion_is_a_wish_and_a_newer_wish_replaces_an_older_one() -> None:
    def tell(recorder: Recorder) -> None:
        wish(recorder, {}, 1_000)
        wish(recorder, None, 5_000)
        recorder.changed("hub", "pods", "default", "one", READY, 6_000)
        recorder.changed("hub", "pods", "default", "one", None, 7_000)

    found = [(one.wanted_ms, one.reached_ms, one.replaced_ms) for one in one_hour(tell).wishes]
    assert found == [(1_000, None, 5_000), (5_000, 7_000, None)]


# ---- cost and bounds


def test_a_year_of_one_node_is_bounded_and_costs_little() -> None:
    gc.collect()
    alone = _seconds(Observer())
    recorder = Recorder()
    spent = _seconds(recorder) - alone
    events = Story(1, YEAR_MS // 8).span_ms // MINUTE_MS * 5
    assert spent / events < 5e-6  # about 0.5 us on a quiet machine; two cores are shared with other tests
    recording = recorder.recording(green())
    node = recording.nodes[0]
    assert all(len(curve) <= 1_500 for curve in [*node.curves.values(), *node.gauges.values()])
    assert all(len(lane.pieces) <= 4_001 for lane in node.lanes.values())
    assert len(recording.marks) <= MARKS_MAX


def _seconds(observer: Observer) -> float:
    story = Story(1, YEAR_MS // 8)
    began = time.process_time()
    story.tell(observer)
    return time.process_time() - began


def test_nodes_of_a_fleet_share_the_memory_of_a_few() -> None:
    few, many = Recorder(), Recorder()
    few.begin(world(4))
    many.begin(world(2_000))
    assert many._grid.buckets_max * 2_000 <= 500_000
    assert few._grid.buckets_max == 1_500
    assert many._pieces_max < few._pieces_max


# ---- files


def test_a_saved_recording_is_the_same_when_loaded(tmp_path: Path) -> None:
    recording = recorded(Story(3, 6 * HOUR_MS)).recording(green())
    recording.save(tmp_path / "run.recording")
    assert Recording.load(tmp_path / "run.recording") == recording
    recording.save(tmp_path / "again.recording")
    assert (tmp_path / "run.recording").read_bytes() == (tmp_path / "again.recording").read_bytes()


@pytest.mark.parametrize("content", [b"", b"hello", b"\x1f\x8b" + bytes(20)])
def test_what_is_no_recording_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(RecordingError, match="is no recording"):
        Recording.load(tmp_path / "other")


def test_another_version_and_a_damaged_one_are_named(tmp_path: Path) -> None:
    import gzip
    import json

    path = tmp_path / "run.recording"
    one_hour().save(path)
    found = json.loads(gzip.decompress(path.read_bytes()))
    path.write_bytes(gzip.compress(json.dumps({**found, "version": 9}).encode()))
    with pytest.raises(RecordingError, match="version 9"):
        Recording.load(path)
    del found["nodes"]
    path.write_bytes(gzip.compress(json.dumps(found).encode()))
    with pytest.raises(RecordingError, match="damaged"):
        Recording.load(path)
