"""What the node says of itself in hello: the hub shows it, and plans with it."""

import sys

from edgelite import __version__
from edgelite_ports.micropython import files
from edgelite_ports.micropython.unix import libc
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def capabilities(drivers: "tuple[str, ...]", runtimes: "list[str]", cannot: "dict[str, str]") -> "dict[str, object]":
    """`cannot`: what the hub might ask for and this port has not, and why ("runtime-process": "no ffi")."""
    release, machine = libc.system_names()
    implementation: Any = sys.implementation  # a tuple under MicroPython
    version = implementation[1]
    told: dict[str, object] = {
        "agent": __version__,
        "architecture": machine,
        "kernel": release,
        "os": sys.platform,
        "os_image": _os_name(),
        "runtime": "%s %d.%d.%d" % (implementation[0], version[0], version[1], version[2]),
        "runtimes": sorted(runtimes),
        "drivers": sorted(drivers),
        "memory_bytes": libc.system_figure(libc.SC_PAGE_SIZE) * libc.system_figure(libc.SC_PHYS_PAGES),
        "cores": libc.system_figure(libc.SC_NPROCESSORS_ONLN),
    }
    if cannot:
        told["cannot"] = cannot
    return told


def _os_name() -> str:
    """PRETTY_NAME of os-release(5); "Linux" where there is none."""
    try:
        text = files.read_bytes("/etc/os-release", 16384).decode()
    except (PlatformError, UnicodeError):
        return "Linux"
    for line in text.split("\n"):
        if line.startswith("PRETTY_NAME="):
            return line[len("PRETTY_NAME=") :].strip("\"'")
    return "Linux"
