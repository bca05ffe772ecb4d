"""An agent of another release or runtime takes over a node: its identity, journal, telemetry, running workloads."""

from __future__ import annotations

from pathlib import Path

import pairing
import pytest
import releases
from releases import RELEASES, TODAY

from edgelite_sim.qemu import agents

HOST = (TODAY, agents.HOST)
MICROPYTHON = (TODAY, "MicroPython amd64")

TAKEOVERS = [(HOST, MICROPYTHON), (MICROPYTHON, HOST)]
TAKEOVERS += [((release, agents.HOST), mine) for release in RELEASES for mine in (HOST, MICROPYTHON)]  # an upgrade
TAKEOVERS += [(HOST, (release, agents.HOST)) for release in RELEASES]  # and back
NAMES = [" then ".join(" ".join(who) for who in pair) for pair in TAKEOVERS]


@pytest.mark.parametrize(("first", "second"), TAKEOVERS, ids=NAMES)
def test_takeover(first: tuple[str, str], second: tuple[str, str], tmp_path: Path) -> None:
    one, other = [(releases.checkout(release), runtime) for release, runtime in (first, second)]
    pairing.play_takeover(tmp_path, one, other)
