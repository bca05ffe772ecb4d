"""The invariants of readings on hand-made sequences: those that keep them, and those that break them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from invariant_parts import HOUR, HUB, NODE, FakeWorld, read, sample, store, texts

from edgelite_hub.store.contract import Position
from edgelite_sim.invariants import make
from edgelite_sim.invariants.objects import DEVICES, NODES

# ---- readings


@pytest.mark.parametrize("name", ["nothing-is-stored-twice", "order-per-device-holds"])
def test_what_is_stored_once_and_in_order_is_well(name: str) -> None:
    invariant = make(name)
    read(invariant, 1, 2, 3, 4)
    store(invariant, 1, 2)
    store(invariant, 4)  # 3 was lost, which is another's matter
    assert texts(invariant) == []


def test_a_reading_that_is_stored_again_is_told() -> None:
    invariant = make("nothing-is-stored-twice")
    read(invariant, 1, 2)
    store(invariant, 1, 2, 1)
    assert texts(invariant) == ["hub stored default/meter reads = 1 again; it was read once, at 0 ms"]


def test_a_value_that_comes_twice_may_be_stored_twice_and_no_more() -> None:
    invariant = make("nothing-is-stored-twice")
    read(invariant, 5, 5)
    store(invariant, 5, 5)
    assert texts(invariant) == []
    store(invariant, 5)
    assert len(texts(invariant)) == 1


def test_what_nobody_read_is_told() -> None:
    invariant = make("nothing-is-stored-twice")
    read(invariant, 1)
    store(invariant, 7)
    assert texts(invariant) == ["hub stored default/meter reads = 7, which the device never gave"]


def test_a_float_is_the_same_in_32_bits() -> None:
    invariant = make("nothing-is-stored-twice")
    read(invariant, 230.1)
    store(invariant, 230.10000610351562)
    assert texts(invariant) == []


def test_an_older_reading_behind_a_newer_one_is_told() -> None:
    invariant = make("order-per-device-holds")
    read(invariant, 1, 2, 3)
    store(invariant, 1, 3, 2)
    assert texts(invariant) == ["hub stored default/meter reads = 2, read at 0 ms, behind 3, read at 0 ms"]


@pytest.mark.parametrize("name", ["nothing-is-stored-twice", "order-per-device-holds"])
def test_a_restored_hub_may_get_again_what_it_forgot(name: str) -> None:
    invariant = make(name)
    invariant.begin(FakeWorld(1))  # type: ignore[arg-type]
    read(invariant, 1, 2, 3)
    store(invariant, 1, 2, 3)
    invariant.hub(HUB, "restored", 10)
    store(invariant, 2, 3)
    assert texts(invariant) == []
    store(invariant, 2)
    assert len(texts(invariant)) == (1 if name == "nothing-is-stored-twice" else 0)


def lost(*stored: Any, read_ms: int = 0, end_ms: int = HOUR, **bounds: Any) -> Any:
    """Readings 1, 2 and 3 at `read_ms`, of which the hub commits what is given."""
    invariant = make("nothing-acknowledged-is-lost", **bounds)
    world = FakeWorld(*stored)
    invariant.begin(world)  # type: ignore[arg-type]
    read(invariant, 1, 2, 3, at_ms=read_ms)
    store(invariant, *stored)
    return invariant, world


def test_what_is_all_stored_is_not_lost() -> None:
    invariant, world = lost(1, 2, 3)
    invariant.end(world, HOUR)
    assert texts(invariant) == []


def test_a_reading_that_never_arrives_is_told() -> None:
    invariant, world = lost(1, 3)
    invariant.end(world, HOUR)
    assert texts(invariant) == ["default/meter reads = 2, read at 0 ms, is in no hub's store"]


def test_a_reading_may_be_lost_within_the_commit_window_before_a_cut_and_not_sooner() -> None:
    for cut_ms, count in ((14_499, 0), (14_500, 1)):
        invariant, world = lost(1, 2, read_ms=10_000)
        invariant.power(NODE, False, "power cut", cut_ms)
        invariant.agent(NODE, False, "power cut", cut_ms)
        invariant.power(NODE, True, "on", cut_ms + 1)
        invariant.end(world, HOUR)
        assert len(texts(invariant)) == count, cut_ms


def test_nothing_is_asked_of_a_node_that_has_no_way_to_its_hub() -> None:
    invariant, world = lost(1)
    invariant.line(NODE, "silent", 5)
    invariant.end(world, HOUR)
    assert texts(invariant) == []
    invariant.line(NODE, "up", HOUR)
    invariant.end(world, HOUR + 389_999)
    assert texts(invariant) == []
    invariant.end(world, HOUR + 390_000)
    assert len(texts(invariant)) == 2


def test_what_a_quota_dropped_and_told_is_not_lost() -> None:
    invariant, world = lost(1)
    text = "2 reports of lane 1 were dropped by the quota of the node's outbox"
    node = {"metadata": {"name": NODE}, "status": {"conditions": [{"type": "ReportsDropped", "message": text}]}}
    invariant.changed(HUB, NODES, "", NODE, node, 10)
    invariant.changed(HUB, NODES, "", NODE, node, 11)  # the same word again counts once
    invariant.end(world, HOUR)
    assert texts(invariant) == []
    invariant, world = lost()
    invariant.changed(HUB, NODES, "", NODE, node, 10)
    invariant.end(world, HOUR)
    assert len(texts(invariant)) == 1  # three are missing, two were dropped


def test_what_a_device_holds_back_by_its_rules_is_not_lost() -> None:
    invariant = make("nothing-acknowledged-is-lost")
    spec = {"nodeName": NODE, "properties": [{"name": "reads", "deadband": 5}]}
    invariant.begin(FakeWorld())  # type: ignore[arg-type]
    metadata = {"name": "meter", "namespace": "default"}
    invariant.changed(HUB, DEVICES, "default", "meter", {"metadata": metadata, "spec": spec}, 0)
    read(invariant, 1, 2, 3)
    invariant.end(FakeWorld(), HOUR)  # type: ignore[arg-type]
    assert texts(invariant) == []


def test_a_crashed_hub_must_have_what_it_had_committed() -> None:
    invariant, world = lost(1, 2, 3)
    world.hubs[HUB].samples = lambda device, property: [sample(1)]
    invariant.hub(HUB, "crashed", 10)
    invariant.hub(HUB, "started", 20)
    assert texts(invariant) == ["hub had stored 2 readings of default/meter reads that are gone; the first is 2"]


def test_a_restored_hub_may_lack_what_it_names_as_a_gap() -> None:
    for names_gap in (True, False):
        invariant, world = lost(1, 2, 3)
        world.hubs[HUB].samples = lambda device, property: [sample(1)]
        invariant.hub(HUB, "restored", 10)
        if names_gap:
            line = f"node {NODE}: lost with an older store: lane 1, reports [1, 1] to [1, 3]"
            invariant.log(HUB, line, 20)
        invariant.end(world, HOUR)
        assert len(texts(invariant)) == (0 if names_gap else 2)


def test_a_gap_that_was_named_stays_named_when_the_hub_is_restored_again() -> None:
    invariant, world = lost(1, 2, 3)
    world.hubs[HUB].samples = lambda device, property: [sample(1)]
    invariant.hub(HUB, "restored", 10)
    invariant.log(HUB, f"node {NODE}: lost with an older store: lane 1, reports [1, 1] to [1, 3]", 20)
    invariant.hub(HUB, "restored", 30)
    invariant.end(world, HOUR)
    assert texts(invariant) == []


def test_the_words_for_a_gap_are_the_hub_s_own() -> None:
    source = (Path(__file__).parents[2] / "hub/edgelite_hub/nodes/hello_logic.py").read_text()
    assert 'f"lost with an older store: lane {row[0]}, reports {row[1:3]} to {row[3:5]}"' in source
    reports = (Path(__file__).parents[2] / "hub/edgelite_hub/nodes/reports.py").read_text()
    assert "reports of lane {lane} were dropped by the quota of the node's outbox" in reports
    assert "reports on device {key[:128]!r}, which is gone or none of its own" in reports


def test_an_acknowledgement_beyond_what_the_store_has_is_told() -> None:
    invariant, world = lost(1, 2, 3)
    invariant.acknowledged(NODE, HUB, 1, 1, 7, 5)
    lane = 1
    position = Position(1, 6)
    world.hubs[HUB].store.transact(lambda transaction: transaction.set_position(NODE, b"journal", lane, position))
    invariant.end(world, HOUR)
    assert texts(invariant) == ["hub acknowledged report (1, 7) of lane 1, and its store ends at (1, 6)"]
