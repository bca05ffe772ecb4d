"""What Bluetooth devices are around:

async for sighting in scan(seconds=5):
    print(sighting.address, sighting.rssi, sighting.name, sighting.services, sighting.says)

PlatformError says why there is no Bluetooth, or what to install.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from edgelite_drivers.ble import bthome
from edgelite_drivers.ble import radio as seam
from edgelite_drivers.ble.advertisements import Advertisement, eddystone, ibeacon
from edgelite_drivers.ble.radio import Radio
from edgelite_drivers.ble.values import ValueRefused
from edgelite_ports.linux.ble.main import make_radio
from edgelite_protocol.errors import PlatformError
from edgelite_protocol.values import to_text

_BASE_TAIL = "-0000-1000-8000-00805f9b34fb"


class Sighting:
    """One device, as of its last advertisement. `services` are UUIDs, short where they can be; `says` has
    {"BTHome": {"temperature": "25.0"}, "iBeacon": {...}, "Eddystone": {...}, "manufacturer 0x0499": hex,
    "service 181a": hex}: values as text, or why there are none."""

    def __init__(self, advertisement: Advertisement) -> None:
        self.address = advertisement.address
        self.is_random = advertisement.is_random
        self.name = advertisement.name or ""
        self.rssi = advertisement.rssi
        self.tx_power = advertisement.tx_power
        self.services = [short_uuid(uuid) for uuid in advertisement.services]
        self.says = said(advertisement)


async def scan(seconds: float, radio: Radio | None = None) -> AsyncIterator[Sighting]:
    """Each device when it is first seen and whenever it says something new, for so many seconds."""
    radio = radio or make_radio()
    wakened = asyncio.Event()
    radio.wake = wakened.set
    radio.start()
    told: dict[str, tuple[object, ...]] = {}
    is_up = False
    end_s = time.monotonic() + seconds
    try:
        while time.monotonic() < end_s:
            event = radio.next_event()
            if event is None:
                await _wait(wakened, end_s - time.monotonic())
            elif event[0] == seam.UP:
                is_up = True
                radio.scan(True)
            elif event[0] == seam.DOWN:
                raise PlatformError("no Bluetooth: " + str(event[1]))
            elif event[0] == seam.ADVERTISED:
                sighting = Sighting(event[1])
                content = (sighting.name, tuple(sighting.services), str(sighting.says))
                if told.get(sighting.address) != content:
                    told[sighting.address] = content
                    yield sighting
    finally:
        if is_up:
            radio.stop_scan()
        close = getattr(radio, "close", None)
        if close is not None:
            await close()


async def _wait(wakened: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(wakened.wait(), max(seconds, 0))
    except TimeoutError:
        pass
    wakened.clear()


def said(advertisement: Advertisement) -> dict[str, dict[str, str] | str]:
    """What an advertisement says, decoded where its format is known."""
    says: dict[str, dict[str, str] | str] = {}
    beacon = ibeacon(advertisement)
    if beacon is not None:
        says["iBeacon"] = {name: to_text(value) for name, value in beacon.items()}
    try:
        frame = eddystone(advertisement)
        if frame is not None:
            says["Eddystone"] = {name: to_text(value) for name, value in frame.items()}
    except ValueRefused as error:
        says["Eddystone"] = str(error)
    data = advertisement.service_data.get(bthome.UUID)
    if data is not None:
        try:
            objects = bthome.payload(data, advertisement.address, None)
            says["BTHome"] = {name: to_text(value) for name, value in bthome.measurements(objects)}
        except ValueRefused as error:
            says["BTHome"] = str(error)
    for company, content in advertisement.manufacturer_data.items():
        if beacon is None:
            says["manufacturer 0x%04x" % company] = content.hex()
    for uuid, content in advertisement.service_data.items():
        if uuid != bthome.UUID and "Eddystone" not in says:
            says["service " + short_uuid(uuid)] = content.hex()
    return says


def short_uuid(uuid: str) -> str:
    return uuid[4:8] if uuid[:4] == "0000" and uuid[8:] == _BASE_TAIL else uuid
