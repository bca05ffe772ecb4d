"""A desired entry that rots in the flash stops nothing, and is asked for until the hub has told it again."""

from __future__ import annotations

import pytest
from mutation_scenes import MINUTE, SETTLE, Scene

from edgelite.journal import SPACE_DESIRED
from edgelite.journal.log import place_offset
from edgelite_sim.world.node import SimNode


def rot(scene: Scene, workload: str) -> None:
    """One bit of the entry turns."""
    node = scene.world.nodes["n1"]
    assert node.node is not None
    state = node.node.journal._state
    key = next(key for key in node.node.journal.keys(SPACE_DESIRED) if f"/{workload}/" in key)
    place = state.index.get(SPACE_DESIRED, key)
    assert place is not None
    scene.world.tell_fault("bit-rot", "n1")
    node.flash.bit_flip(state.log.name_of(place).split(",")[0], place_offset(place) + 60, 3)


def programs(node: SimNode) -> list[str]:
    return sorted(running.workload for running in node.processes.running())


@pytest.mark.parametrize("starts", [1, 3])
def test_what_runs_goes_on_and_comes_back_whatever_rots(starts: int) -> None:
    scene = Scene()
    node = scene.node()
    scene.run(MINUTE)
    for name in ("one", "two"):
        scene.program(name)
        scene.run(MINUTE)
    node.cut()
    rot(scene, "one")
    for _ in range(starts):
        node.crash()
        scene.run(5 * MINUTE)
        assert programs(node) == ["default/one", "default/two"]
    node.power_cycle()
    scene.run(5 * MINUTE)
    assert programs(node) == ["default/two"]
    node.heal()
    scene.run(SETTLE)
    assert programs(node) == ["default/one", "default/two"]
    scene.end()
    assert not [one.verdict() for one in scene.invariants if not one.verdict().passed]
    assert not [line for line in scene.world.trace.tail if "lost with an older store" in line]
