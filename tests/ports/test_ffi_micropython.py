"""tests/ports/ffi under MicroPython: what only its port for Linux has."""

from __future__ import annotations

import re
import subprocess

import micropython_site

RUNNER = "tests/micropython/run_portable.py"


def test_they_pass() -> None:
    told = subprocess.run(
        [*micropython_site.micropython(), *micropython_site.HEAP, RUNNER, "tests/ports/ffi"],
        cwd=micropython_site.ROOT,
        env=micropython_site.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    passed = re.search(r"(\d+) passed, 0 failed", told.stdout)
    assert passed is not None and int(passed[1]) >= 9, told.stdout
