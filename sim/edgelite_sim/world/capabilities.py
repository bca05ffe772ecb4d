"""What simulated nodes tell of themselves in hello."""

from __future__ import annotations

from edgelite import __version__
from edgelite.config import Config

DRIVERS = ["ble", "modbus", "serial"]
CAPABILITIES: dict[str, object] = {
    "agent": __version__,
    "architecture": "armv6l",
    "kernel": "6.6.51",
    "os": "linux",
    "os_image": "simulated",
    "runtime": "cpython 3.13.0",
    "runtimes": ["process"],
    "drivers": DRIVERS,
    "cannot": {},
    "memory_bytes": 512 * 1024 * 1024,
    "cores": 1,
}


def capabilities(config: Config) -> dict[str, object]:
    """What its hello tells: drivers of others too, as the ports do."""
    return {**CAPABILITIES, "drivers": sorted({*DRIVERS, *config.drivers})}
