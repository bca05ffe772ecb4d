"""Processes and artifacts under the emulated interpreters: the C library is called as this architecture wants it, the
programs that run are this machine's."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
import runtimes

from edgelite_sim.qemu import agents
from edgelite_sim.qemu.emulators import UnavailableError

RUNNER = "tests/qemu/arm/run_emulated.py"
EMULATED = ("MicroPython ARMv6", "MicroPython armv7", "CPython armv7")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("runtime", EMULATED)
def test_processes_and_artifacts(runtime: str) -> None:
    try:
        command = runtimes.command(runtime)
    except UnavailableError as error:
        runtimes.skip_or_fail(error)
        raise
    environment = {
        "PATH": os.environ["PATH"],
        "MICROPYPATH": agents.micropython_path(runtimes.ROOT),
        "LC_ALL": "C.UTF-8",
    }
    told = subprocess.run(
        [*command, RUNNER, "tests/ports/unix"],
        cwd=runtimes.ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
        check=False,
    )
    assert told.returncode == 0, told.stdout[-3000:]
    passed = re.search(r"(\d+) passed, 0 failed", told.stdout)
    assert passed is not None and int(passed[1]) > 20, told.stdout[-3000:]
