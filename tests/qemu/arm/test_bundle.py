"""The bundle of a device with MicroPython, as it is copied there: compiled modules, on emulated processors."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pairing
import pytest
import runtimes

from edgelite_cli.commands import bundle
from edgelite_sim.qemu import agents, micropython_build
from edgelite_sim.qemu.emulators import UnavailableError

RUNTIMES = ("MicroPython armv7", "MicroPython ARMv6")

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle, compiled by the compiler of the MicroPython that runs it."""
    try:
        compiler = micropython_build.mpy_cross()
    except UnavailableError as error:
        runtimes.skip_or_fail(error)
        raise
    arguments = ["--port", "micropython-linux", "--out", str(tmp_path / "device"), "--mpy-cross", str(compiler)]
    assert bundle.main(arguments) == 0
    return tmp_path / "device"


def words(folder: Path, runtime: str) -> list[str]:
    """Starts the bundle's agent under a runtime."""
    interpreter = folder.parent / "micropython"
    interpreter.write_text(f'#!/bin/sh\nexec {shlex.join(agents.interpreter(runtime))} "$@"\n')
    interpreter.chmod(0o755)
    environment = [f"PATH={os.environ['PATH']}", f"MICROPYTHON={interpreter}"]
    return ["env", "-i", *environment, str(folder / "bin" / "edgelite-agent")]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_agent_of_the_bundle_does_all_that_a_pair_must(folder: Path, runtime: str, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    pairing.play_words(site, words(folder, runtime))


def with_version(path: Path, version: int) -> None:
    content = bytearray(path.read_bytes())
    assert content[:2] == b"M\x06"
    content[1] = version
    path.write_bytes(content)


def start(folder: Path, runtime: str) -> subprocess.CompletedProcess[str]:
    command = [*words(folder, runtime), "--state", str(folder.parent / "none")]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_module_for_another_version_is_named(folder: Path, runtime: str) -> None:
    assert "is no node yet" in start(folder, runtime).stderr, "as it is made, it starts"
    wrong = folder / "lib" / "edgelite" / "node.mpy"
    with_version(wrong, 5)
    done = start(folder, runtime)
    assert done.returncode == 2
    assert (
        f"{wrong} is compiled for another MicroPython (version 5 of compiled modules, this one loads 6" in done.stdout
    )
    assert "edgelite bundle --port" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_module_cut_short_is_named(folder: Path) -> None:
    wrong = folder / "lib" / "edgelite" / "journal" / "files.mpy"
    wrong.write_bytes(b"")
    done = start(folder, RUNTIMES[0])
    assert done.returncode == 2
    assert f"{wrong} is compiled for another" in done.stdout
