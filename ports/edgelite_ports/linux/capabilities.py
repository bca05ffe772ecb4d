"""What the node says of itself in hello: the hub shows it, and plans with it."""

import os
import sys

from edgelite import __version__
from edgelite_ports.linux import files
from edgelite_protocol.errors import PlatformError

CANNOT = {
    "runtime-container": "this port starts no containers",
    "runtime-task": "tasks run inside agents on MicroPython",
}


def capabilities(drivers: "tuple[str, ...]") -> "dict[str, object]":
    name = os.uname()
    return {
        "agent": __version__,
        "architecture": name.machine,
        "kernel": name.release,
        "os": sys.platform,
        "os_image": _os_name(),
        "runtime": "%s %d.%d.%d" % (sys.implementation.name, *sys.version_info[:3]),
        "runtimes": ["process"],
        "drivers": sorted(drivers),
        "cannot": CANNOT,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "cores": os.cpu_count() or 1,
    }


def _os_name() -> str:
    """PRETTY_NAME of os-release(5); "Linux" where there is none."""
    try:
        text = files.read_bytes("/etc/os-release", 16384).decode("utf-8", "replace")
    except PlatformError:
        return "Linux"
    for line in text.split("\n"):
        if line.startswith("PRETTY_NAME="):
            return line[len("PRETTY_NAME=") :].strip("\"'")
    return "Linux"
