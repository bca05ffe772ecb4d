"""The radio seam on Bumble: the driver's own logic on virtual controllers, or on whatever transport Bumble knows."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from bumble import att, core
from bumble.device import Advertisement as Report
from bumble.device import Connection, Device, Peer
from bumble.gatt_client import CharacteristicProxy
from bumble.hci import HCI_REMOTE_USER_TERMINATED_CONNECTION_ERROR, Address

from edgelite_drivers.ble import radio as seam
from edgelite_drivers.ble.advertisements import Advertisement, take_structures
from edgelite_drivers.ble.radio import Characteristic, Radio
from edgelite_drivers.ble.uuids import parse_uuid
from edgelite_sim.devices.ble_air import Air

CENTRAL_ADDRESS = "C4:00:00:00:00:01"


class BumbleRadio(Radio):
    """Runs in the asyncio loop that calls it."""

    def __init__(self, air: Air, address: str = CENTRAL_ADDRESS) -> None:
        super().__init__()
        self._device: Device = air.device("central", address)
        self._device.on("advertisement", self._reported)
        self._is_on = False
        self._peers: dict[str, Peer] = {}
        self._attempts: dict[str, asyncio.Task[None]] = {}
        self._found: dict[str, dict[int, CharacteristicProxy[bytes]]] = {}
        self._names: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # ---- the seam

    def start(self) -> None:
        self._run(self._start())

    def scan(self, active: bool) -> None:
        self._run(self._scan(active))

    def stop_scan(self) -> None:
        self._run(self._stop_scan())

    def connect(self, address: str, is_random: bool | None) -> None:
        self._attempts[address] = self._run(self._connect(address, is_random))

    def disconnect(self, address: str) -> None:
        self._run(self._disconnect(address))

    def discover(self, address: str) -> None:
        self._run(self._discover(address))

    def read(self, address: str, handle: int) -> None:
        self._run(self._read(address, handle))

    def write(self, address: str, handle: int, data: bytes, with_response: bool) -> None:
        self._run(self._write(address, handle, data, with_response))

    def subscribe(self, address: str, handle: int, on: bool) -> None:
        self._run(self._subscribe(address, handle, on))

    # ---- inside

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _start(self) -> None:
        if not self._is_on:
            await self._device.power_on()
            self._is_on = True
        self.tell(seam.UP)

    async def _scan(self, active: bool) -> None:
        await self._stop_scan()
        await self._device.start_scanning(legacy=True, active=active)

    async def _stop_scan(self) -> None:
        if self._device.is_scanning:
            await self._device.stop_scanning()

    def _reported(self, report: Report) -> None:
        address = _text(report.address)
        advertisement = Advertisement(address, report.address.is_random, report.rssi)
        advertisement.is_connectable = report.is_connectable
        take_structures(advertisement, bytes(report.data))
        self.tell(seam.ADVERTISED, advertisement)

    async def _connect(self, address: str, is_random: bool | None) -> None:
        kind = Address.PUBLIC_DEVICE_ADDRESS if is_random is False else Address.RANDOM_DEVICE_ADDRESS
        try:
            connection = await self._device.connect(Address(address, kind))
        except (core.BaseError, asyncio.CancelledError) as error:
            self.tell(seam.DISCONNECTED, address, str(error) or "given up")
            return
        finally:
            self._attempts.pop(address, None)
        self._peers[address] = Peer(connection)
        connection.on("disconnection", lambda reason: self._lost(address, connection, reason))
        self.tell(seam.CONNECTED, address)

    def _lost(self, address: str, connection: Connection, reason: int) -> None:
        self._peers.pop(address, None)
        self._found.pop(address, None)
        self.tell(seam.DISCONNECTED, address, "the connection has ended (%#x)" % reason)

    async def _disconnect(self, address: str) -> None:
        peer = self._peers.get(address)
        if peer is not None:
            await peer.connection.disconnect(HCI_REMOTE_USER_TERMINATED_CONNECTION_ERROR)
        elif address in self._attempts:
            await self._device.cancel_connection()  # type: ignore[no-untyped-call]
        else:
            self.tell(seam.DISCONNECTED, address, "there was no connection")

    async def _discover(self, address: str) -> None:
        peer = self._peers.get(address)
        if peer is None:
            return
        found: list[Characteristic] = []
        proxies: dict[int, CharacteristicProxy[bytes]] = {}
        try:
            for service in await peer.discover_services():
                for one in await peer.discover_characteristics(service=service):
                    proxies[one.handle] = one
                    uuids = [parse_uuid(uuid.to_hex_str()) for uuid in (service.uuid, one.uuid)]
                    found.append(Characteristic(uuids[0], uuids[1], one.handle, int(one.properties)))
        except (TimeoutError, core.BaseError) as error:
            self.tell(seam.DISCOVERED, address, [], str(error))
            return
        self._found[address] = proxies
        self.tell(seam.DISCOVERED, address, found[: seam.CHARACTERISTICS_MAX], "")

    async def _read(self, address: str, handle: int) -> None:
        try:
            data: bytes | None = bytes(await self._proxy(address, handle).read_value())
            reason = ""
        except _ERRORS as error:
            data, reason = None, _reason(error)
        self.tell(seam.READ, address, handle, data, reason)

    async def _write(self, address: str, handle: int, data: bytes, with_response: bool) -> None:
        try:
            await self._proxy(address, handle).write_value(data, with_response=with_response)
            reason = ""
        except _ERRORS as error:
            reason = _reason(error)
        self.tell(seam.WRITTEN, address, handle, reason)

    async def _subscribe(self, address: str, handle: int, on: bool) -> None:
        try:
            proxy = self._proxy(address, handle)
            await self._peers[address].discover_descriptors(proxy)
            if on:
                await proxy.subscribe(lambda data: self.tell(seam.NOTIFIED, address, handle, bytes(data)))
            else:
                await proxy.unsubscribe(force=True)
            reason = ""
        except _ERRORS as error:
            reason = _reason(error)
        self.tell(seam.SUBSCRIBED, address, handle, reason)

    def _proxy(self, address: str, handle: int) -> CharacteristicProxy[bytes]:
        return self._found[address][handle]


_ERRORS = (core.BaseError, asyncio.TimeoutError, KeyError)


def _reason(error: Exception) -> str:
    if isinstance(error, att.ATT_Error):
        return "ATT error %d: %s" % (error.error_code, att.ErrorCode(error.error_code).name.lower().replace("_", " "))
    return "the connection has ended" if isinstance(error, KeyError) else str(error)


def _text(address: Address) -> str:
    return str(address).partition("/")[0].upper()
