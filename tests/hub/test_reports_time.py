"""When something was read, told by clocks that differ, and what the hub gives of it to whoever asks."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from edgelite_hub import telemetry
from edgelite_protocol import messages as m
from tests.hub.hub_world import START_UNIX_MS, Node, World, asked, reporting_world, sample, values


@pytest.fixture
def world(tmp_path: Path) -> World:
    return reporting_world(tmp_path)


@pytest.fixture
def node(world: World) -> Node:
    return world.join("n1").connect()


# ---- time


def times(world: World) -> list[tuple[int, int]]:
    found = world.store.read(lambda tx: tx.samples("default/d", None, None, None, 100))
    return [(one.time_ms - START_UNIX_MS, one.dated_by) for one in found]


def test_a_sample_of_this_boot_is_dated_by_the_hub(world: World, node: Node) -> None:
    """The hello said 5,000 ms of monotonic time at START."""
    node.report(m.LANE_TELEMETRY, (1, sample(1, [4_000, m.TIME_MONOTONIC, node.boot_id])))
    assert times(world) == [(-1_000, m.TIME_MONOTONIC)]


def test_a_sample_of_an_earlier_boot_that_had_a_session_is_dated_by_it(world: World, node: Node) -> None:
    earlier = node.boot_id
    node.cut()
    world.unix_ms += 3_600_000
    node.boot_id = b"a-later-boot-id!"
    node.connect()
    node.report(m.LANE_TELEMETRY, (1, sample(1, [7_000, m.TIME_MONOTONIC, earlier])))
    assert times(world) == [(2_000, m.TIME_MONOTONIC)]


def test_samples_of_a_boot_that_never_had_a_session_keep_their_distances(world: World, node: Node) -> None:
    unknown = b"never-seen-boot!"
    first, second = ([ms, m.TIME_MONOTONIC, unknown] for ms in (70_000, 71_500))
    node.report(m.LANE_TELEMETRY, (1, sample(1, first)))
    node.report(m.LANE_TELEMETRY, (2, sample(2, second)))
    (first_ms, _), (second_ms, _) = times(world)
    assert second_ms - first_ms == 1_500 and second_ms <= 0


def test_a_time_beyond_all_calendars_is_cut_and_never_breaks_an_answer(world: World, node: Node) -> None:
    node.report(m.LANE_TELEMETRY, (1, sample(1, [1 << 60, m.TIME_UNIX])))
    assert node.acknowledged() == [(m.LANE_TELEMETRY, 1)]
    answer = world.store.read(partial(asked, telemetry.Query("default/d")))
    assert answer["items"][0]["time"].startswith("9999-")


# ---- queries


def test_pages_of_telemetry_leave_nothing_out_and_show_nothing_twice(world: World, node: Node) -> None:
    for number in range(1, 31):  # ten milliseconds, three samples each
        node.report(m.LANE_TELEMETRY, (number, sample(number, [START_UNIX_MS + number // 3, m.TIME_UNIX])))
    pages: list[list[int]] = []
    text = ""
    while True:
        query = telemetry.Query("default/d", limit=4, continue_text=text)
        answer = world.store.read(partial(asked, query))
        pages.insert(0, [item["value"] for item in answer["items"]])
        text = answer["metadata"].get("continue", "")
        if not text:
            break
    assert [value for page in pages for value in page] == list(range(1, 31))


def test_a_query_by_property_and_time(world: World, node: Node) -> None:
    for number in range(1, 6):
        node.report(m.LANE_TELEMETRY, (number, sample(number, [START_UNIX_MS + number, m.TIME_UNIX])))
    query = telemetry.Query("default/d", "power", START_UNIX_MS + 2, START_UNIX_MS + 4)
    answer = world.store.read(partial(asked, query))
    assert [item["value"] for item in answer["items"]] == [2, 3, 4]
    assert answer["items"][0] == {
        "time": "2026-09-21T14:13:20.002Z",
        "timeMs": START_UNIX_MS + 2,
        "property": "power",
        "value": 2,
        "datedBy": "node",
        "node": "n1",
    }


@pytest.mark.parametrize(
    "query",
    [
        telemetry.Query("default/d", limit=0),
        telemetry.Query("default/d", limit=10_001),
        telemetry.Query("default/d", continue_text="x"),
        telemetry.Query("default/d", continue_text="1.x"),
        telemetry.Query("default/d", continue_text="1.99999999"),
    ],
)
def test_bad_queries(world: World, query: telemetry.Query) -> None:
    with pytest.raises(telemetry.InvalidQuery):
        world.store.read(lambda tx: telemetry.answer(tx, query))


def test_telemetry_has_a_retention_and_a_bound(world: World, node: Node) -> None:
    settings = world.environment.settings
    old = [START_UNIX_MS - settings.telemetry_retention_ms - 1, m.TIME_UNIX]
    node.report(m.LANE_TELEMETRY, (1, sample(1, old)), (2, sample(2)), (3, sample(3)))
    assert world.store.transact(lambda tx: telemetry.trim(tx, settings, world.unix_ms)) == 1
    settings.telemetry_rows_max = 1
    assert world.store.transact(lambda tx: telemetry.trim(tx, settings, world.unix_ms)) == 1
    assert values(world) == [3]
