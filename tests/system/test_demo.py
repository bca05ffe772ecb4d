"""The main job as a user runs it: it must come out well, and leave nothing behind."""

import contextlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

DEMO_TIMEOUT_S = 150  # two minutes is what the README's reader was promised, and this machine may be busy


def processes_naming(text: str) -> list[str]:
    """The command lines of all processes that name it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in found if text in line]


@pytest.mark.timeout(DEMO_TIMEOUT_S + 30)
def test_the_demo_loses_nothing_and_cleans_up(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    command = [sys.executable, "-m", "edgelite_cli", "demo", "--keep", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEMO_TIMEOUT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASSED: every answered read is stored once" in done.stdout
    answered, stored, twice = map(
        int, re.findall(r"(\d+) reads answered, (\d+) stored, (\d+) stored twice", done.stdout)[0]
    )
    assert answered >= stored > 100
    assert twice == 0
    assert "found again" in done.stdout
    assert processes_naming(str(folder)) == []
