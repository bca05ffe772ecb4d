"""The BLE driver's process with the peripherals of a file around it, in real time: what an agent runs in place of
edgelite_ports.linux.ble.main, by a `driver_python` that is a script.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from edgelite_ports.linux.ble.main import serve
from edgelite_sim.devices.ble_air import Air
from edgelite_sim.devices.ble_source import BleSource, feel, make_around
from edgelite_sim.devices.bumble_radio import BumbleRadio
from edgelite_sim.devices.serving import monotonic_ms

FEEL_S = 0.2  # between two looks at the device's condition


async def run(source: BleSource, path: str = "", on_turn: Callable[[int], object] | None = None) -> None:
    """Until SIGTERM or SIGINT. `path` of the driver's socket: what the agent says by EDGELITE_DRIVER_SOCKET. `on_turn`
    is called now and then, with the time."""
    air = Air()
    around = make_around(air, [source], monotonic_ms)
    for _, one in around:
        await one.power_on()
    tasks: set[asyncio.Task[Any]] = set()

    def spawn(work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def watch() -> None:
        while True:
            feel(around, monotonic_ms(), spawn)
            if on_turn is not None:
                on_turn(monotonic_ms())
            await asyncio.sleep(FEEL_S)

    spawn(watch())
    try:
        await serve(BumbleRadio(air), path)
    finally:
        for task in list(tasks):
            task.cancel()
