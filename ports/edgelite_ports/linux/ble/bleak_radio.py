"""The radio seam on bleak: BlueZ over D-Bus, in the asyncio loop that calls it."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Coroutine
from typing import Any

from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakDBusError, BleakError, BleakGATTProtocolError

from edgelite_drivers.ble import radio as seam
from edgelite_drivers.ble.advertisements import Advertisement
from edgelite_drivers.ble.radio import Characteristic, Radio
from edgelite_drivers.ble.uuids import parse_uuid

SEEN_MAX = 512  # devices whose D-Bus object is remembered, to connect to; the oldest are forgotten
CONNECT_S = 60  # the central gives up long before

_ERRORS = (BleakError, OSError, EOFError, KeyError)  # EOFError: the D-Bus daemon has gone
_NO_SERVICE = "org.freedesktop.DBus.Error.ServiceUnknown"
_PROPERTIES = {
    "read": seam.CAN_READ,
    "write-without-response": seam.CAN_WRITE_WITHOUT_RESPONSE,
    "write": seam.CAN_WRITE,
    "notify": seam.CAN_NOTIFY,
    "indicate": seam.CAN_INDICATE,
}


class BleakRadio(Radio):
    """`adapter`: BlueZ's name of one ("hci1"), "" for its default."""

    connections_max = 7  # what controllers and BlueZ hold together without trouble

    def __init__(self, adapter: str = "") -> None:
        super().__init__()
        self._adapter = adapter
        self._scanner: BleakScanner | None = None
        self._seen: dict[str, BLEDevice] = {}
        self._clients: dict[str, BleakClient] = {}
        self._attempts: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._scanning = asyncio.Lock()

    # ---- the seam

    def start(self) -> None:
        self.tell(seam.UP)  # whether there is an adapter is known when it is to scan

    def scan(self, active: bool) -> None:
        self._run(self._scan())

    def stop_scan(self) -> None:
        self._run(self._stop_scan())

    def connect(self, address: str, is_random: bool | None) -> None:
        self._attempts[address] = self._run(self._connect(address))

    def disconnect(self, address: str) -> None:
        attempt = self._attempts.get(address)
        if attempt is not None:
            attempt.cancel()
        elif address in self._clients:
            self._run(self._disconnect(address))
        else:
            self.tell(seam.DISCONNECTED, address, "there was no connection")

    def discover(self, address: str) -> None:
        """bleak has done it while connecting."""
        client = self._clients.get(address)
        if client is None:
            return  # DISCONNECTED is on its way
        found = [
            Characteristic(parse_uuid(one.service_uuid), parse_uuid(one.uuid), one.handle, _properties(one))
            for service in client.services
            for one in service.characteristics
        ]
        self.tell(seam.DISCOVERED, address, found[: seam.CHARACTERISTICS_MAX], "")

    def read(self, address: str, handle: int) -> None:
        self._run(self._read(address, handle))

    def write(self, address: str, handle: int, data: bytes, with_response: bool) -> None:
        self._run(self._write(address, handle, data, with_response))

    def subscribe(self, address: str, handle: int, on: bool) -> None:
        self._run(self._subscribe(address, handle, on))

    async def close(self) -> None:
        """End the scan and every connection: BlueZ would keep them."""
        await self._stop_scan()
        for address in list(self._clients):
            await self._disconnect(address)

    # ---- inside

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        """What nobody foresaw is told as what it is, and everything begins anew."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            traceback.print_exception(error, file=sys.stderr)
            self._down(repr(error))

    def _down(self, reason: str) -> None:
        for attempt in self._attempts.values():
            attempt.cancel()
        for address in list(self._clients):
            self._run(self._disconnect(address))
        self.tell(seam.DOWN, reason)

    async def _scan(self) -> None:
        async with self._scanning:
            await self._end_scan()
            # BlueZ would tell nothing of a sensor whose values do not change: it would count as silent.
            bluez: Any = {"filters": {"DuplicateData": True}}
            if self._adapter:
                bluez["adapter"] = self._adapter
            scanner = BleakScanner(self._advertised, scanning_mode="active", bluez=bluez)
            try:
                await scanner.start()
            except _ERRORS as error:
                self._down(_reason(error))
                return
            self._scanner = scanner

    async def _stop_scan(self) -> None:
        async with self._scanning:
            await self._end_scan()

    async def _end_scan(self) -> None:
        scanner, self._scanner = self._scanner, None
        if scanner is None:
            return
        try:
            await scanner.stop()
        except _ERRORS:
            pass  # the daemon that scanned is gone: so is the scan

    def _advertised(self, device: BLEDevice, data: AdvertisementData) -> None:
        address = device.address.upper()
        self._seen.pop(address, None)
        self._seen[address] = device
        if len(self._seen) > SEEN_MAX:
            del self._seen[next(iter(self._seen))]
        self.tell(seam.ADVERTISED, advertisement_of(device, data))

    async def _connect(self, address: str) -> None:
        device = self._seen.get(address)
        try:
            if device is None:
                self.tell(seam.DISCONNECTED, address, "it was not seen by this radio")
                return
            client = BleakClient(device, lambda _client: self._lost(address, client), timeout=CONNECT_S)
            await client.connect()
        except _ERRORS as error:
            self.tell(seam.DISCONNECTED, address, _reason(error))
            return
        except asyncio.CancelledError:
            self.tell(seam.DISCONNECTED, address, "given up")
            return
        finally:
            self._attempts.pop(address, None)
        self._clients[address] = client
        self.tell(seam.CONNECTED, address)

    def _lost(self, address: str, client: BleakClient) -> None:
        if self._clients.get(address) is client:
            del self._clients[address]
            self.tell(seam.DISCONNECTED, address, "the connection has ended")

    async def _disconnect(self, address: str) -> None:
        client = self._clients.get(address)
        if client is None:
            return
        try:
            await client.disconnect()
        except _ERRORS:
            pass  # gone already
        self._lost(address, client)

    async def _read(self, address: str, handle: int) -> None:
        data: bytes | None = None
        reason = ""
        try:
            data = bytes(await self._clients[address].read_gatt_char(self._characteristic(address, handle)))
        except _ERRORS as error:
            reason = _reason(error)
        self.tell(seam.READ, address, handle, data, reason)

    async def _write(self, address: str, handle: int, data: bytes, with_response: bool) -> None:
        reason = ""
        try:
            characteristic = self._characteristic(address, handle)
            await self._clients[address].write_gatt_char(characteristic, data, response=with_response)
        except _ERRORS as error:
            reason = _reason(error)
        self.tell(seam.WRITTEN, address, handle, reason)

    async def _subscribe(self, address: str, handle: int, on: bool) -> None:
        reason = ""
        try:
            characteristic = self._characteristic(address, handle)
            if on:
                await self._clients[address].start_notify(
                    characteristic, lambda _, data: self.tell(seam.NOTIFIED, address, handle, bytes(data))
                )
            else:
                await self._clients[address].stop_notify(characteristic)
        except _ERRORS as error:
            reason = _reason(error)
        self.tell(seam.SUBSCRIBED, address, handle, reason)

    def _characteristic(self, address: str, handle: int) -> BleakGATTCharacteristic:
        characteristic = self._clients[address].services.get_characteristic(handle)
        if characteristic is None:
            raise BleakError("the device has no characteristic with handle %d" % handle)
        return characteristic


def advertisement_of(device: BLEDevice, data: AdvertisementData) -> Advertisement:
    kind = (device.details or {}).get("props", {}).get("AddressType")
    advertisement = Advertisement(device.address.upper(), None if kind is None else kind == "random", data.rssi)
    advertisement.name = data.local_name
    advertisement.tx_power = data.tx_power
    advertisement.services = [parse_uuid(uuid) for uuid in data.service_uuids]
    advertisement.manufacturer_data = dict(data.manufacturer_data)
    advertisement.service_data = {parse_uuid(uuid): content for uuid, content in data.service_data.items()}
    return advertisement


def _properties(characteristic: BleakGATTCharacteristic) -> int:
    bits = 0
    for name in characteristic.properties:
        bits |= _PROPERTIES.get(name, 0)
    return bits


def _reason(error: BaseException) -> str:
    """One text for one cause: BlueZ's, without what differs from time to time."""
    if isinstance(error, KeyError):
        return "the connection has ended"
    if isinstance(error, BleakGATTProtocolError):
        code, text = error.args
        return "ATT error %d: %s" % (code, str(text).rpartition(": ")[2].lower())
    if isinstance(error, BleakDBusError) and error.dbus_error == _NO_SERVICE:
        return "BlueZ does not run: start bluetooth.service, or install bluez"
    text = str(error) or type(error).__name__
    return text.replace("\n", " ")[:200]
