"""Simulated BLE devices on a virtual radio: a thermometer with a GATT service, and a sensor that only broadcasts.

    air = Air()
    thermometer = Thermometer(air)
    await thermometer.power_on()
    await thermometer.set_temperature(21.5)     notifies whoever subscribed

Values and what was written are plain attributes, so that a test or the simulator can set and look at them.
"""

from __future__ import annotations

import asyncio
import struct

from bumble import att
from bumble.device import AdvertisingType, Connection
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.hci import HCI_REMOTE_USER_TERMINATED_CONNECTION_ERROR

from edgelite_sim.devices.ble_air import INTERVAL_MS, Air

THERMOMETER_ADDRESS = "C4:11:22:33:44:55"
SENSOR_ADDRESS = "C4:11:22:33:44:66"

ENVIRONMENT = "181A"
TEMPERATURE = "2A6E"  # int16, hundredths of a degree; read, notify
PERIOD = "2A21"  # uint16, seconds; read, write
ALARM = "2A06"  # uint8; written without a response
SECRET = "00002a99-0000-1000-8000-00805f9b34fb"  # refuses to be read
SLOW = "f000aa01-0451-4000-b000-000000000000"  # answers a read when `release` is set
DEVICE_NAME = "2A00"

# bthome.io, "Format": temperature 25.0 and humidity 50.55, as recorded
BTHOME_ADVERTISEMENT = bytes.fromhex("020106 0b094449592d73656e736f72 0a16d2fc4002c40903bf13")
# Apple's layout; UUID e2c56db5-dffb-48d2-b060-d0f5a71096e0, major 1, minor 258, -59 dBm at 1 m
IBEACON_ADVERTISEMENT = bytes.fromhex("020106 1aff4c000215 e2c56db5dffb48d2b060d0f5a71096e0 0001 0102 c5")


class Thermometer:
    """`temperature` in degrees, `period` in seconds, `alarms` that were written, `reads` of the temperature."""

    def __init__(self, air: Air, address: str = THERMOMETER_ADDRESS, name: str = "Thermometer") -> None:
        self.address = address
        self.temperature = 21.5
        self.period = 60
        self.alarms: list[int] = []
        self.reads = 0
        self.slow_reads = 0
        self.connections = 0
        self.release = asyncio.Event()
        self.device = air.device(name, address)
        self._name = name
        self._is_away = False
        self._characteristic = self._add_service()
        self.device.on("connection", self._connected)

    async def power_on(self) -> None:
        await self.device.power_on()
        await self._advertise()

    async def set_temperature(self, degrees: float) -> None:
        self.temperature = degrees
        await self.device.notify_subscribers(self._characteristic, self._temperature_bytes())

    async def drop(self) -> None:
        """End the connection, as a battery that is too low does; advertise on."""
        for connection in list(self.device.connections.values()):
            await connection.disconnect(HCI_REMOTE_USER_TERMINATED_CONNECTION_ERROR)

    async def go_away(self) -> None:
        self._is_away = True
        await self.device.stop_advertising()
        await self.drop()

    async def come_back(self) -> None:
        self._is_away = False
        await self._advertise()

    def _add_service(self) -> Characteristic[bytes]:
        read, write = Characteristic.Properties.READ, Characteristic.Properties.WRITE
        temperature = Characteristic[bytes](
            TEMPERATURE,
            read | Characteristic.Properties.NOTIFY,
            Characteristic.READABLE,
            CharacteristicValue(read=self._read_temperature),
        )
        rows = [
            temperature,
            Characteristic[bytes](
                PERIOD,
                read | write,
                Characteristic.READABLE | Characteristic.WRITEABLE,
                CharacteristicValue(read=lambda _: struct.pack("<H", self.period), write=self._write_period),
            ),
            Characteristic[bytes](
                ALARM,
                Characteristic.Properties.WRITE_WITHOUT_RESPONSE,
                Characteristic.WRITEABLE,
                CharacteristicValue(write=lambda _, data: self.alarms.append(data[0])),
            ),
            Characteristic[bytes](SECRET, read, Characteristic.READABLE, CharacteristicValue(read=_refuse)),
            Characteristic[bytes](SLOW, read, Characteristic.READABLE, CharacteristicValue(read=self._read_slowly)),
        ]
        self.device.add_service(Service(ENVIRONMENT, rows))
        return temperature

    def _temperature_bytes(self) -> bytes:
        return struct.pack("<h", round(self.temperature * 100))

    def _read_temperature(self, _connection: Connection) -> bytes:
        self.reads += 1
        return self._temperature_bytes()

    def _write_period(self, _connection: Connection, data: bytes) -> None:
        if len(data) != 2:
            raise att.ATT_Error(att.ErrorCode.INVALID_ATTRIBUTE_LENGTH)
        (self.period,) = struct.unpack("<H", data)

    async def _read_slowly(self, _connection: Connection) -> bytes:
        self.slow_reads += 1
        await self.release.wait()
        return b"\1"

    def _connected(self, connection: Connection) -> None:
        self.connections += 1
        connection.on("disconnection", lambda _reason: asyncio.ensure_future(self._advertise()))

    async def _advertise(self) -> None:
        if self._is_away or self.device.is_advertising:
            return
        name = self._name.encode()
        await self.device.start_advertising(
            advertising_data=bytes.fromhex("020106 03031a18") + bytes([len(name) + 1, 0x09]) + name,
            advertising_interval_min=INTERVAL_MS,
            advertising_interval_max=INTERVAL_MS,
        )


class Broadcaster:
    """Sends `data` (AD structures) again and again; nobody can connect to it."""

    def __init__(self, air: Air, data: bytes, address: str = SENSOR_ADDRESS) -> None:
        self.address = address
        self.data = data
        self.device = air.device("broadcaster", address)

    async def power_on(self) -> None:
        await self.device.power_on()
        await self.send(self.data)

    async def send(self, data: bytes) -> None:
        """From now on these."""
        self.data = data
        if self.device.is_advertising:
            await self.device.stop_advertising()
        await self.device.start_advertising(
            advertising_type=AdvertisingType.UNDIRECTED,
            advertising_data=data,
            advertising_interval_min=INTERVAL_MS,
            advertising_interval_max=INTERVAL_MS,
        )

    async def stop(self) -> None:
        await self.device.stop_advertising()


def _refuse(_connection: Connection) -> bytes:
    raise att.ATT_Error(att.ErrorCode.READ_NOT_PERMITTED)
