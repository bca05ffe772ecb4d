"""tests/ports/unix under MicroPython with ffi; pytest itself runs it under CPython."""

from __future__ import annotations

import re
import subprocess

import micropython_site

RUNNER = "tests/micropython/run_portable.py"


def test_the_same_tests_pass_under_micropython() -> None:
    command = [*micropython_site.micropython(), "-X", "heapsize=8m", RUNNER, "tests/ports/unix"]
    told = subprocess.run(
        command,
        cwd=micropython_site.ROOT,
        env=micropython_site.environment(),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    passed = re.search(r"(\d+) passed, 0 failed", told.stdout)
    assert passed is not None and int(passed[1]) > 20, told.stdout
