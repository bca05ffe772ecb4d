"""A peripheral from a file on Bumble's virtual controllers, in whatever asyncio loop runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from bumble import att
from bumble.device import AdvertisingType, Connection, Device
from bumble.gatt import Characteristic as GattCharacteristic
from bumble.gatt import CharacteristicValue, Service
from bumble.hci import HCI_REMOTE_USER_TERMINATED_CONNECTION_ERROR

from edgelite.driver import ConfigurationError
from edgelite_sim.devices.ble_air import Air
from edgelite_sim.devices.ble_file import Characteristic, Peripheral

Properties = GattCharacteristic.Properties
Told = Callable[[dict[str, object]], object]


class BumblePeripheral:
    """`now_ms()` is the time, `told` gets the values that leave. `delay_ms()` is how long it takes to answer a read."""

    def __init__(
        self, air: Air, model: Peripheral, now_ms: Callable[[], int], told: Told, delay_ms: Callable[[], int]
    ) -> None:
        self.model = model
        self.device: Device = air.device(model.name or "peripheral", model.address)
        self.is_away = False
        self.restarts = 0  # of its condition's, those that it has been through
        self._now_ms = now_ms
        self._told = told
        self._delay_ms = delay_ms
        self._tasks: list[asyncio.Task[None]] = []
        self._notified: list[tuple[Characteristic, GattCharacteristic[bytes]]] = []
        for uuid, characteristics in model.services:
            self.device.add_service(Service(uuid, [self._characteristic(one) for one in characteristics]))
        self.device.on("connection", self._connected)

    async def power_on(self) -> None:
        await self.device.power_on()
        await self._advertise()
        for one, made in self._notified:
            self._begin(self._notify(one, made))
        if self.model.bthome:
            self._begin(self._refresh())

    async def go_away(self) -> None:
        """Out of reach: no advertisements, no connections."""
        self.is_away = True
        if self.device.is_advertising:
            await self.device.stop_advertising()
        await self.drop()

    async def drop(self) -> None:
        for connection in list(self.device.connections.values()):
            await connection.disconnect(HCI_REMOTE_USER_TERMINATED_CONNECTION_ERROR)

    async def come_back(self) -> None:
        self.is_away = False
        await self._advertise()

    def end(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.ensure_future(work))

    def _characteristic(self, one: Characteristic) -> GattCharacteristic[bytes]:
        properties = Properties(0)
        permissions = GattCharacteristic.Permissions(0)
        if "r" in one.access:
            properties |= Properties.READ
            permissions |= GattCharacteristic.READABLE
        if "w" in one.access:
            properties |= Properties.WRITE | Properties.WRITE_WITHOUT_RESPONSE
            permissions |= GattCharacteristic.WRITEABLE
        if one.notify_s:
            properties |= Properties.NOTIFY
        made = GattCharacteristic[bytes](
            one.uuid,
            properties,
            permissions,
            CharacteristicValue(read=lambda _: self._read(one), write=lambda _, data: _write(one, data)),
        )
        if one.notify_s:
            self._notified.append((one, made))
        return made

    async def _read(self, one: Characteristic) -> bytes:
        delay_ms = self._delay_ms()
        if delay_ms:
            await asyncio.sleep(delay_ms / 1000)
        try:
            data = one.now(self._now_ms())
        except ConfigurationError as error:
            raise att.ATT_Error(att.ErrorCode.UNLIKELY_ERROR) from error
        one.reads += 1
        self._told({one.name: one.told()})
        return data

    async def _notify(self, one: Characteristic, made: GattCharacteristic[bytes]) -> None:
        while True:
            await asyncio.sleep(one.notify_s)
            if not self._has_subscribers(made):
                continue
            try:
                data = one.now(self._now_ms())
            except ConfigurationError:
                continue
            one.reads += 1
            self._told({one.name: one.told()})
            await self.device.notify_subscribers(made, data)

    def _has_subscribers(self, made: GattCharacteristic[bytes]) -> bool:
        subscribers = self.device.gatt_server.subscribers
        return any(rows.get(made.handle, b"")[:1] == b"\1" for rows in subscribers.values())

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(self.model.refresh_s)
            if not self.is_away:
                await self._advertise()

    def _connected(self, connection: Connection) -> None:
        connection.on("disconnection", lambda _reason: asyncio.ensure_future(self._advertise()))

    async def _advertise(self) -> None:
        """Begin, or go on with what it measures now."""
        if self.is_away or (self.model.is_connectable and self.device.connections):
            return
        if self.device.is_advertising:
            await self.device.stop_advertising()
        try:
            data, told = self.model.advertisement(self._now_ms())
        except ConfigurationError:
            return
        self.model.packets += 1
        if told:
            self._told(told)
        kind = AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE
        await self.device.start_advertising(
            advertising_type=kind if self.model.is_connectable else AdvertisingType.UNDIRECTED,
            advertising_data=data,
            advertising_interval_min=self.model.interval_ms,
            advertising_interval_max=self.model.interval_ms,
        )


def _write(one: Characteristic, data: bytes) -> None:
    if one.codec is not None and len(data) != len(one.data):
        raise att.ATT_Error(att.ErrorCode.INVALID_ATTRIBUTE_LENGTH)
    one.data = bytes(data)
    one.written += 1
