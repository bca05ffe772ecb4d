"""The BLE driver's process on simulated Bluetooth: what the agent runs in place of edgelite_ports.linux.ble.main.

    EDGELITE_DRIVER_SOCKET=… python -m edgelite_sim.devices.ble_process

A thermometer (C4:11:22:33:44:55, name "Thermometer") and a BTHome sensor (C4:11:22:33:44:66) are around. With
EDGELITE_BLE_CONTROL, the path of a datagram socket that it makes, each message is one command:

    temperature 30.5        the thermometer measures and notifies this
    drop                    it ends the connection
    away, back              it is out of reach, and in reach again
    crash, hang             the process ends at once; it stops doing anything
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from edgelite_ports.linux.ble.main import run_program, serve
from edgelite_sim.devices import ble_peripheral as peripheral
from edgelite_sim.devices.ble_air import Air
from edgelite_sim.devices.bumble_radio import BumbleRadio

CONTROL_VARIABLE = "EDGELITE_BLE_CONTROL"
HANG_S = 3600


class Control(asyncio.DatagramProtocol):
    """Commands, one a datagram; one that is not known is not answered."""

    def __init__(self, thermometer: peripheral.Thermometer) -> None:
        self._commands: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
            "temperature": lambda degrees: thermometer.set_temperature(float(degrees)),
            "drop": thermometer.drop,
            "away": thermometer.go_away,
            "back": thermometer.come_back,
            "crash": _crash,
            "hang": _hang,
        }
        self._tasks: set[asyncio.Task[None]] = set()

    def datagram_received(self, data: bytes, addr: object) -> None:
        words = data.decode(errors="replace").split()
        if words and words[0] in self._commands:
            task = asyncio.ensure_future(self._commands[words[0]](*words[1:]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _crash() -> None:
    os._exit(3)


async def _hang() -> None:
    time.sleep(HANG_S)


async def run(path: str = "") -> None:
    """`path` of the driver's socket, as EDGELITE_DRIVER_SOCKET has it."""
    air = Air()
    thermometer = peripheral.Thermometer(air)
    sensor = peripheral.Broadcaster(air, peripheral.BTHOME_ADVERTISEMENT)
    await thermometer.power_on()
    await sensor.power_on()
    control = os.environ.get(CONTROL_VARIABLE)
    if control:
        await _listen(control, thermometer)
    await serve(BumbleRadio(air), path)


async def _listen(path: str, thermometer: peripheral.Thermometer) -> None:
    import socket

    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(path)
    listener.setblocking(False)
    await asyncio.get_running_loop().create_datagram_endpoint(lambda: Control(thermometer), sock=listener)


if __name__ == "__main__":
    sys.exit(run_program("edgelite_sim.devices.ble_process", run()))
