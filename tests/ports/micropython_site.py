"""The agent under a MicroPython that has ffi and TLS: Debian's, in a tree of its own, for this machine's architecture.

Where the tools for that cannot be had, the tests are skipped and say why; under CI that is a failure.
"""

from __future__ import annotations

import functools
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from agent_site import AgentSite

from edgelite_sim.qemu import debian, emulators

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("", "protocol", "drivers", "ports")
HEAP = ["-X", "heapsize=2m"]  # on 64 bits an object is twice as large as on a device
MODULE = "edgelite_ports.micropython.unix.agent"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armhf"}


@functools.cache
def micropython() -> tuple[str, ...]:
    """What starts MicroPython here."""
    try:
        architecture = _ARCHITECTURES[platform.machine()]
        tree = debian.tree(architecture, ["micropython"])
        return tuple(emulators.command(tree, architecture, "usr/bin/micropython"))
    except (emulators.UnavailableError, KeyError) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no MicroPython with ffi for {platform.machine()}: {error}")


def environment() -> dict[str, str]:
    return {**os.environ, "MICROPYPATH": ":".join([*(str(ROOT / room) for room in ROOMS), ".frozen"])}


def run_script(script: str, *arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """A script under MicroPython, which finds the rooms of this checkout."""
    return subprocess.run(
        [*micropython(), *HEAP, "-c", script, *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def agent_words() -> list[str]:
    """The agent's command line, to be followed by its own arguments."""
    return ["env", f"MICROPYPATH={environment()['MICROPYPATH']}", *micropython(), *HEAP, "-m", MODULE]


class MicroPythonSite(AgentSite):
    def start(self, **more: str) -> MicroPythonSite:
        words = [*micropython(), *HEAP, "-m", MODULE, "--state", str(self.state), "--log-level", "debug"]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(words, stderr=log, env={**environment(), **more})
        return self


def main() -> int:
    """By hand: python tests/ports/micropython_site.py SCRIPT.py ARGUMENTS..."""
    return subprocess.run([*micropython(), *HEAP, *sys.argv[1:]], env=environment(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
