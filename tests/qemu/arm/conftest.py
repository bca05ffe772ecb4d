"""Puts helpers on the path, shows what is being built, and says at the end what was covered and what was not."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgelite_sim.qemu import cache

TESTS = Path(__file__).parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(TESTS / "interop")]

# As docs/testing-on-arm.md says it too.
COVERED = (
    "armv7 (Raspberry Pi 2 and later): CPython 3.13 and MicroPython 1.25 of Debian armhf, on an emulated Cortex-A7",
    "ARMv6 (Raspberry Pi 1 and Zero): CPython 3.13 and MicroPython 1.25 of Debian armel (soft float), emulated ARM1176",
    "Cortex-M3: MicroPython 1.25 without an operating system on QEMU's mps2-an385, behind a gateway",
)
NOT_COVERED = (
    "ESP32 and RP2: their board code runs on fakes of machine and network (tests/ports/portable), never on the chips",
    "ARMv6 with hardware floats: Debian armhf needs ARMv7, and Raspberry Pi OS's own packages were not run",
    "an ARM kernel: programs are ARM's, system calls are this machine's; ./dev test-guest boots one",
)


@pytest.fixture(scope="session", autouse=True)
def builds_are_told(request: pytest.FixtureRequest) -> Iterator[None]:
    """A build takes its time, and pytest would keep its line for itself."""
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    kept = cache.tell
    if reporter is not None:
        cache.tell = lambda text: reporter.write_line(f"edgelite: {text}")
    yield
    cache.tell = kept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for head, lines in (("this suite covers", COVERED), ("it does not cover", NOT_COVERED)):
        for line in lines:
            terminalreporter.write_line(f"{head}: {line}")
