"""The agent's command line on every runtime that it has: this machine's CPython, emulated CPythons and MicroPythons."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from edgelite_sim.qemu import debian, emulators

CHECKOUT = Path(__file__).resolve().parents[3]
ROOMS = ("", "protocol", "drivers", "ports")
MICROPYTHON_MODULE = "edgelite_ports.micropython.unix.agent"

# CPython with TLS, MicroPython, and nothing else.
PACKAGES = ("python3-minimal", "libpython3.13-stdlib", "micropython")

HOST = "CPython"
# By name: CPython or not, Debian's architecture, QEMU's processor.
_EMULATED = {
    "CPython armv7": (True, "armhf", emulators.ARMV7),
    "CPython ARMv6": (True, "armel", emulators.ARMV6),
    "MicroPython amd64": (False, "amd64", ""),
    "MicroPython armv7": (False, "armhf", emulators.ARMV7),
    "MicroPython ARMv6": (False, "armel", emulators.ARMV6),
}
RUNTIMES = (HOST, *_EMULATED)
HEAP_BYTES_32_BIT = 1400 * 1024
HEAP_BYTES_64_BIT = 2800 * 1024  # an object is twice as large there


def tree(architecture: str) -> Path:
    return debian.tree(architecture, PACKAGES)


def interpreter(runtime: str, *options: str) -> list[str]:
    """What starts that runtime's interpreter; UnavailableError where it is not to be had. `options` are its own."""
    if runtime == HOST:
        return [sys.executable, *options]
    is_cpython, architecture, cpu = _EMULATED[runtime]
    if is_cpython:
        return [str(emulators.python(tree(architecture), architecture, cpu)), *options]
    return [*emulators.command(tree(architecture), architecture, "usr/bin/micropython", cpu), *options]


def is_micropython(runtime: str) -> bool:
    return runtime.startswith("MicroPython")


def micropython_path(checkout: Path = CHECKOUT) -> str:
    return ":".join([*(str(checkout / room) for room in ROOMS), ".frozen"])


def words(runtime: str, checkout: Path = CHECKOUT) -> list[str]:
    """Starts the agent of a checkout, as `edgelite agent` does; its own arguments (--state STATE) are to follow."""
    if not is_micropython(runtime):
        boot = checkout / "ports" / "edgelite_ports" / "linux" / "agent_boot.py"
        rooms = ":".join(str(checkout / room) for room in ROOMS)
        return [*interpreter(runtime, "-S", "-I"), str(boot), rooms]
    heap_bytes = HEAP_BYTES_64_BIT if "64" in runtime else HEAP_BYTES_32_BIT
    start = interpreter(runtime, "-X", f"heapsize={heap_bytes}", "-m", MICROPYTHON_MODULE)
    # What a program of this machine needs of its environment, an emulated one might misread.
    return ["env", "-i", f"PATH={os.environ['PATH']}", f"MICROPYPATH={micropython_path(checkout)}", *start]
