"""Power cuts at random moments of machines at work; power_cuts.py says what is judged and by whom.

EDGELITE_POWER_CUTS=500 asks for more of them than the 24 of an ordinary run (test_journal.py has 8 more);
EDGELITE_SEED chooses the moments of an earlier run again, though the guest's own timing differs.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

import pytest

from edgelite_sim.qemu.image import Image

sys.path.insert(0, str(Path(__file__).parent))
import power_cuts

CUTS = int(os.environ.get("EDGELITE_POWER_CUTS", "24"))
SECONDS_A_CUT = 40  # two machines share two cores with whatever else runs; 12 where nothing does
MACHINES = [("guest-c", "cpython"), ("guest-m", "micropython")]


@pytest.mark.timeout(300 + CUTS * SECONDS_A_CUT)
def test_what_was_confirmed_is_there_after_any_power_cut(
    tmp_path: Path, built: Image, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("EDGELITE_SEED", "0")) or random.randrange(1 << 31)
    with capsys.disabled():
        sys.stdout.write(f"\nEDGELITE_SEED={seed}: {CUTS} power cuts of {len(MACHINES)} machines\n")
    cuts = -(-CUTS // len(MACHINES))
    rounds = asyncio.run(power_cuts.play(tmp_path, built, MACHINES, cuts, seed))
    with capsys.disabled():
        sys.stdout.write("".join(one.summary() + "\n" for one in rounds))
    complaints = [text for one in rounds for text in one.complaints]
    assert not complaints, f"seed {seed}:\n" + "\n".join(complaints)
