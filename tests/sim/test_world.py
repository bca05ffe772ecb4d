"""The world as a program has it: named shortly, loaded late, the same from the same seed."""

from __future__ import annotations

import subprocess
import sys

import pytest

import edgelite_sim
from edgelite_sim import World

PROGRAM = """
import sys, edgelite_sim
assert not [name for name in sys.modules if name.startswith(("edgelite_hub", "edgelite_sim.world"))]
world = edgelite_sim.World(int(sys.argv[1]))
world.add_hub()
for number in range(3):
    world.add_node(f"node-{number}", "flaky-lte")
world.run("2h")
print(world.trace.digest)
"""


def digest(seed: int, salt: str) -> str:
    environment = {"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": salt}
    command = [sys.executable, "-c", PROGRAM, str(seed)]
    return subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout


def test_one_seed_gives_one_trace_in_every_process_and_another_seed_another() -> None:
    first = digest(7, "1")
    assert len(first.strip()) == 64
    assert digest(7, "2") == first
    assert digest(8, "1") != first


def test_what_is_not_there_is_named() -> None:
    assert World.__name__ == "World"
    with pytest.raises(AttributeError, match="Planet"):
        _ = edgelite_sim.Planet  # type: ignore[attr-defined]


def test_sleep_does_not_mend_an_agent_that_hangs() -> None:
    world = World(1)
    world.add_hub()
    node = world.add_node("node-1")
    world.run("1m")
    node.hang()
    node.suspend()
    world.run("10s")
    node.resume()
    assert node.hangs
    world.run("2m")
    assert node.watchdog.bites == 1
    assert node.node is not None
    assert node.node.link.live
