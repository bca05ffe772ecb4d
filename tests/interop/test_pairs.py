"""Every hub with every agent: releases and runtimes. Those of 32-bit ARM are in tests/qemu/arm."""

from __future__ import annotations

from pathlib import Path

import pairing
import pytest
import releases
from releases import RELEASES, TODAY

from edgelite_sim.qemu import agents

RUNTIMES = (agents.HOST, "MicroPython amd64")

# hub, agent, runtime of the agent. Earlier agents are CPython's: the first release had no other.
PAIRS = [(TODAY, TODAY, runtime) for runtime in RUNTIMES]
PAIRS += [(TODAY, release, agents.HOST) for release in RELEASES]
PAIRS += [(release, TODAY, runtime) for release in RELEASES for runtime in RUNTIMES]


NAMES = [f"{hub} hub, {agent} {runtime}" for hub, agent, runtime in PAIRS]


@pytest.mark.parametrize(("hub", "agent", "runtime"), PAIRS, ids=NAMES)
def test_pair(hub: str, agent: str, runtime: str, tmp_path: Path) -> None:
    pairing.play(tmp_path, releases.checkout(hub), releases.checkout(agent), runtime)
