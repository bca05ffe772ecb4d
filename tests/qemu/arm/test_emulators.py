"""That what is called emulated is emulated, children too; and what is said where it cannot be had."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import runtimes

from edgelite_sim.qemu import agents
from edgelite_sim.qemu.emulators import UnavailableError

pytestmark = pytest.mark.timeout(240)

# Of the kernel, as far as QEMU lets it be seen; a child that this machine's CPython ran would tell x86_64 or aarch64.
TELL = "import os, sys; print(os.uname().machine, sys.implementation.name, sys.version_info[1])"
CHILD = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {TELL!r}]).returncode)"
MACHINES = {"CPython armv7": "armv7l", "CPython ARMv6": "armv6l"}


@pytest.mark.parametrize("code", [TELL, CHILD], ids=["itself", "its child by sys.executable"])
@pytest.mark.parametrize("runtime", MACHINES)
def test_cpython_is_emulated(runtime: str, code: str) -> None:
    try:
        command = runtimes.command(runtime)
    except UnavailableError as error:
        runtimes.skip_or_fail(error)
        raise
    told = subprocess.run([*command, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout.split() == [MACHINES[runtime], "cpython", "13"]


def test_what_is_built_for_armv7_does_not_pass_for_armv6() -> None:
    """Otherwise the runs on an ARM1176 would show nothing."""
    try:
        armv7 = agents.tree("armhf") / "usr" / "bin" / "python3.13"
        emulator = agents.emulators.command(agents.tree("armhf"), "armhf", "usr/bin/python3.13", agents.emulators.ARMV6)
    except UnavailableError as error:
        runtimes.skip_or_fail(error)
        raise
    assert emulator[-1] == str(armv7)
    assert subprocess.run([*emulator, "-c", ""], capture_output=True, timeout=60, check=False).returncode != 0


@pytest.mark.parametrize(("ci", "outcome"), [("", "1 skipped"), ("true", "1 failed")])
def test_a_machine_that_cannot_says_so_and_fails_in_ci(ci: str, outcome: str, tmp_path: Path) -> None:
    """On a stand-in for a machine with neither emulators nor apt: an empty PATH and an empty cache."""
    test = f"{Path(__file__).parent}/test_divergences.py::test_imports_nest_eight_deep_on_armv7"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-ra", "-k", "imported", test],
        cwd=runtimes.ROOT,
        env={**os.environ, "PATH": str(tmp_path), "EDGELITE_CACHE": str(tmp_path / "cache"), "CI": ci},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome in done.stdout, done.stdout + done.stderr
    assert "not available here: missing: mmdebstrap" in done.stdout
