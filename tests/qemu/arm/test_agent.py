"""The real agent on emulated processors with a real hub: what tests/interop asks of every pair, and a device on
each side of a release."""

from __future__ import annotations

from pathlib import Path

import pairing
import pytest
import releases
from releases import RELEASES, TODAY

RUNTIMES = ("CPython armv7", "MicroPython armv7", "CPython ARMv6", "MicroPython ARMv6")

PAIRS = [(TODAY, runtime) for runtime in RUNTIMES]
PAIRS += [(release, runtime) for release in RELEASES for runtime in RUNTIMES[:2]]  # a processor adds nothing there


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("hub", "runtime"), PAIRS, ids=[f"{hub} hub, {runtime}" for hub, runtime in PAIRS])
def test_pair(hub: str, runtime: str, tmp_path: Path) -> None:
    pairing.play(tmp_path, releases.checkout(hub), releases.checkout(TODAY), runtime)
