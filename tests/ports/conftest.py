"""Puts this folder's helper modules on the path, and looks that no test leaves a process behind."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

GRACE_S = 2.0  # what was killed last may still be dying


def processes_of(folder: Path) -> list[str]:
    """What runs in that folder, and agents whose state is there; each with its command line."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            command = Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = os.readlink(f"/proc/{entry}/cwd")
        except OSError:
            continue  # it ended, or is a zombie
        if where.startswith(f"{folder}/") or f"--state {folder}/" in command:
            found.append(f"{entry} in {where}: {command}")
    return found


@pytest.fixture(scope="session", autouse=True)
def nothing_outlives_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.getbasetemp()
    yield
    end_s = time.monotonic() + GRACE_S
    while processes_of(folder) and time.monotonic() < end_s:
        time.sleep(0.05)
    assert processes_of(folder) == []
