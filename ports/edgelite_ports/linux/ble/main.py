"""The driver process for Bluetooth on Linux:  python -m edgelite_ports.linux.ble.main

The agent starts it when a device names the driver `ble`, by itself and as long as one does. EDGELITE_DRIVER_SOCKET is
where it listens; EDGELITE_BLE_ADAPTER names an adapter ("hci1") where it is not to be BlueZ's default, for a
`driver_python` that is a script.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from edgelite_drivers.ble import radio as seam
from edgelite_drivers.ble.radio import Radio
from edgelite_ports.linux.ble.serving import Serving
from edgelite_protocol.errors import MisuseError

ADAPTER_VARIABLE = "EDGELITE_BLE_ADAPTER"
ABSENT = "bleak is not installed for %s: pip install 'edgelite[ble]'"


class AbsentRadio(Radio):
    """Where there is no bleak: each device says what to install, and no program starts again and again."""

    def start(self) -> None:
        self.tell(seam.DOWN, ABSENT % sys.executable)


def make_radio() -> Radio:
    try:
        import bleak  # noqa: F401
    except ImportError as error:
        if error.name != "bleak":
            raise
        return AbsentRadio()
    from edgelite_ports.linux.ble.bleak_radio import BleakRadio

    return BleakRadio(os.environ.get(ADAPTER_VARIABLE, ""))


async def serve(radio: Radio, path: str = "") -> None:
    """Until SIGTERM or SIGINT."""
    task = asyncio.ensure_future(Serving(radio).run(path))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        pass
    finally:
        close = getattr(radio, "close", None)
        if close is not None:
            await close()


def run_program(name: str, work: Coroutine[Any, Any, None]) -> int:
    """The exit code: 2, with the reason, where a person starts what an agent should."""
    try:
        asyncio.run(work)
    except MisuseError as error:
        sys.stderr.write(f"{name}: {error}; the agent starts this program by itself\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(run_program("edgelite_ports.linux.ble.main", serve(make_radio())))
