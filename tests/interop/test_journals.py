"""A journal is the same for every runtime and release: what one has written, another reads, goes on writing, and gives
back."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pairing
import pytest
import releases
from releases import RELEASES, TODAY

from edgelite_sim.qemu import agents

PROGRAM = Path(__file__).parent / "journal_program.py"

# Who wrote it first, and who takes it over: release and runtime.
HOST = (TODAY, agents.HOST)
MICROPYTHON = (TODAY, "MicroPython amd64")
ARMV7 = [(TODAY, "CPython armv7"), (TODAY, "MicroPython armv7")]
EARLIER = [(release, agents.HOST) for release in RELEASES]
PAIRS = [(HOST, MICROPYTHON), (MICROPYTHON, HOST)]
PAIRS += [(HOST, other) for other in ARMV7] + [(ARMV7[1], HOST)]
PAIRS += [(earlier, mine) for earlier in EARLIER for mine in (HOST, MICROPYTHON)]
PAIRS += [(HOST, earlier) for earlier in EARLIER]  # a downgrade


def run(who: tuple[str, str], *arguments: str) -> list[str]:
    """The lines that tell what the journal holds."""
    release, runtime = who
    pairing.interpreter_or_skip(runtime)
    checkout = releases.checkout(release)
    rooms = agents.micropython_path(checkout)
    options = ("-X", "heapsize=4m") if agents.is_micropython(runtime) else ("-S",)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": rooms, "MICROPYPATH": rooms}
    command = [*agents.interpreter(runtime, *options), str(PROGRAM), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, f"{runtime} of {release}: {done.stdout[-500:]} {done.stderr[-2000:]}"
    return done.stdout.splitlines()


NAMES = [" then ".join(" ".join(who) for who in pair) for pair in PAIRS]


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=NAMES)
def test_the_second_goes_on_where_the_first_ended(
    first: tuple[str, str], second: tuple[str, str], tmp_path: Path
) -> None:
    folder = str(tmp_path / "journal")
    written = run(first, "write", folder, "1")
    assert len(written) > 100
    assert run(second, "read", folder) == written
    longer = run(second, "write", folder, "2")
    assert longer != written
    assert run(first, "read", folder) == longer
