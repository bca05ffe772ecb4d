"""Two pseudo terminals that are one line: what is written to either is read from the other."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgelite_sim.qemu.emulators import require

START_S = 10


@contextmanager
def pair() -> Iterator[tuple[str, str]]:
    """The paths of both ends. They do not pace by a baud rate."""
    require("socat")
    with tempfile.TemporaryDirectory(prefix="edgelite-line-") as folder:
        paths = [Path(folder) / name for name in ("one", "other")]
        ends = [f"pty,raw,echo=0,link={path}" for path in paths]
        process = subprocess.Popen(["socat", *ends])
        try:
            end = time.monotonic() + START_S
            while not all(path.exists() for path in paths):
                assert process.poll() is None and time.monotonic() < end, "socat made no pair of terminals"
                time.sleep(0.01)
            yield str(paths[0]), str(paths[1])
        finally:
            process.terminate()
            process.wait()
