"""The driver's logic over a real GATT exchange, on Bumble's virtual controllers: no radio hardware."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

import pytest

from edgelite.driver import Request, Result
from edgelite_drivers import ble
from edgelite_drivers.ble import radio as seam
from edgelite_drivers.ble.central import Central, run
from edgelite_drivers.ble.uuids import parse_uuid
from edgelite_ports.linux.ble.scan import Sighting, scan
from edgelite_ports.testing.radio_contract import CHECKS, ContractBroken, check_reading
from edgelite_protocol.errors import PlatformError
from edgelite_protocol.messages import PROPERTY_TYPE, PROPERTY_WRITABLE
from edgelite_sim.devices import ble_peripheral as peripheral
from edgelite_sim.devices.ble_air import Air, InLoop
from edgelite_sim.devices.bumble_radio import BumbleRadio

PATIENCE_S = 20.0
BY_NAME = {"name": "Thermometer"}


class BumbleSubject:
    """The radio contract's subject on a virtual air."""

    seam = seam
    address = peripheral.THERMOMETER_ADDRESS
    absent = "C4:99:99:99:99:99"
    is_random = True
    name = "Thermometer"
    temperature = parse_uuid(peripheral.TEMPERATURE)
    period = parse_uuid(peripheral.PERIOD)
    alarm = parse_uuid(peripheral.ALARM)
    secret = parse_uuid(peripheral.SECRET)
    value = struct.pack("<h", 2150)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        loop.run_until_complete(self._begin())
        self.radio: Any = InLoop(self.bumble, loop)

    async def _begin(self) -> None:
        air = Air()
        self.thermometer = peripheral.Thermometer(air)
        await self.thermometer.power_on()
        self.bumble = BumbleRadio(air)

    def wait(self, condition: Callable[[], object]) -> bool:
        end_s = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > end_s:
                return False
            self.loop.run_until_complete(asyncio.sleep(0.005))
        return True

    def settle(self) -> None:
        self.loop.run_until_complete(asyncio.sleep(0.15))

    def notify(self, data: bytes) -> None:
        (hundredths,) = struct.unpack("<h", data)
        self.loop.run_until_complete(self.thermometer.set_temperature(hundredths / 100))

    def drop(self) -> None:
        self.loop.run_until_complete(self.thermometer.drop())


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.run_until_complete(end_tasks())
    loop.close()


async def end_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_bumbles_radio_keeps_the_contract(check: Callable[[Any], None], loop: asyncio.AbstractEventLoop) -> None:
    check(BumbleSubject(loop))


def test_the_suite_notices_a_radio_that_reads_wrong(loop: asyncio.AbstractEventLoop) -> None:
    subject = BumbleSubject(loop)
    tell = subject.bumble.tell

    def forge(*event: Any) -> None:
        tell(*((*event[:3], b"\0\0", "") if event[0] == seam.READ else event))

    subject.bumble.tell = forge  # type: ignore[method-assign]
    with pytest.raises(ContractBroken, match="what was read"):
        check_reading(subject)


class World:
    """A central on the air, with a thermometer and a sensor that broadcasts."""

    def __init__(self) -> None:
        self.air = Air()
        self.thermometer = peripheral.Thermometer(self.air)
        self.radio = BumbleRadio(self.air)
        self.central = Central(self.radio, lambda count: b"\0" * count)
        self.results: list[Result] = []
        self._number = 0

    async def begin(self) -> None:
        await self.thermometer.power_on()

    def request(
        self, protocol: Mapping[str, object], value: Any = None, **visitors: tuple[str, Mapping[str, object]]
    ) -> Request:
        self._number += 1
        checked: dict[str, object] = {}
        for name, (kind, config) in visitors.items():
            row: dict[int, object] = {PROPERTY_TYPE: kind, PROPERTY_WRITABLE: value is not None}
            checked[name] = ble.check_visitor(config, row)
        return Request(self._number, ble.check_protocol(protocol), checked, value)

    async def ask(self, request: Request) -> Result:
        self.central.submit(request, self.now_ms())
        return await self.result(request.number)

    async def result(self, number: int) -> Result:
        found: list[Result] = []

        def is_there() -> bool:
            found.extend([one for one in self.results if one.number == number][:1])
            return bool(found)

        await self.until(is_there)
        self.results.remove(found[0])
        return found[0]

    async def until(self, condition: Callable[[], object]) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end_s, [(one.number, one.values, one.errors) for one in self.results]
            run(self.radio, self.central, self.now_ms())
            result = self.central.next_result()
            while result is not None:
                self.results.append(result)
                result = self.central.next_result()
            await asyncio.sleep(0.005)

    def now_ms(self) -> int:
        return int(time.monotonic() * 1000)


TEMPERATURE = ("FLOAT", {"characteristicUUID": peripheral.TEMPERATURE, "type": "int16", "scale": 0.01})
NOTIFIED = ("FLOAT", {**TEMPERATURE[1], "notify": True})
PERIOD = ("INT", {"characteristicUUID": peripheral.PERIOD, "type": "uint16"})


def play(story: Callable[[World], Coroutine[Any, Any, None]], loop: asyncio.AbstractEventLoop) -> None:
    async def whole() -> None:
        world = World()
        await world.begin()
        await story(world)

    loop.run_until_complete(whole())


def test_a_thermometer_is_found_by_name_read_and_written(loop: asyncio.AbstractEventLoop) -> None:
    async def story(world: World) -> None:
        secret = ("INT", {"characteristicUUID": peripheral.SECRET, "type": "uint8"})
        missing = ("INT", {"characteristicUUID": "2A00", "serviceUUID": "181A", "type": "uint8"})
        request = world.request(BY_NAME, t=TEMPERATURE, p=PERIOD, secret=secret, missing=missing)
        result = await world.ask(request)
        assert result.values == {"t": 21.5, "p": 60} and result.answered
        assert result.errors["secret"] == "ATT error 2: read not permitted"
        assert result.errors["missing"].startswith("the device has no characteristic 00002a00")
        written = await world.ask(world.request(BY_NAME, 300, p=PERIOD))
        assert written.answered and not written.errors and world.thermometer.period == 300
        assert (await world.ask(world.request(BY_NAME, p=PERIOD))).values == {"p": 300}
        assert world.thermometer.connections == 1

    play(story, loop)


def test_a_device_that_goes_away_is_offline_and_back_by_itself(loop: asyncio.AbstractEventLoop) -> None:
    async def story(world: World) -> None:
        request = world.request(BY_NAME, t=NOTIFIED)
        world.central.listen(request, world.now_ms())
        assert (await world.result(request.number)).values == {"t": 21.5}
        await world.thermometer.set_temperature(30)
        assert (await world.result(request.number)).values == {"t": 30.0}
        await world.thermometer.go_away()
        gone = await world.result(request.number)
        assert not gone.answered and "t" in gone.errors
        await world.thermometer.come_back()
        assert (await world.result(request.number)).values == {"t": 30.0}

    play(story, loop)


def test_a_device_that_disconnects_amid_a_read(loop: asyncio.AbstractEventLoop) -> None:
    async def story(world: World) -> None:
        slow = ("INT", {"characteristicUUID": peripheral.SLOW, "type": "uint8"})
        request = world.request(BY_NAME, slow=slow)
        world.central.submit(request, world.now_ms())
        await world.until(lambda: "read" in str(world.central._peers) or world.thermometer.connections)
        await asyncio.sleep(0.5)
        run(world.radio, world.central, world.now_ms())
        await world.thermometer.drop()
        result = await world.result(request.number)
        assert not result.answered and "slow" in result.errors

    play(story, loop)


def test_a_read_that_never_ends_costs_its_timeout_and_the_device_is_read_again(
    loop: asyncio.AbstractEventLoop,
) -> None:
    async def story(world: World) -> None:
        slow = ("INT", {"characteristicUUID": peripheral.SLOW, "type": "uint8"})
        protocol: dict[str, object] = {**BY_NAME, "timeoutMs": 300}
        result = await world.ask(world.request(protocol, slow=slow))
        assert not result.answered and result.errors == {"slow": "no answer within 300 ms"}
        world.thermometer.release.set()
        while not result.values:  # in its pause, each request is answered at once
            result = await world.ask(world.request(protocol, slow=slow))
            await asyncio.sleep(0.1)
        assert result.values == {"slow": 1}

    play(story, loop)


def test_advertisements_are_values_while_another_device_is_read(loop: asyncio.AbstractEventLoop) -> None:
    async def story(world: World) -> None:
        sensor = peripheral.Broadcaster(world.air, peripheral.BTHOME_ADVERTISEMENT)
        await sensor.power_on()
        visitors = {
            "t": ("FLOAT", {"advertisement": "BTHome", "object": "temperature"}),
            "h": ("FLOAT", {"advertisement": "BTHome", "object": "humidity"}),
            "rssi": ("INT", {"advertisement": "rssi"}),
        }
        request = world.request({"macAddress": sensor.address}, **visitors)
        world.central.listen(request, world.now_ms())
        assert (await world.result(request.number)).values == {"t": 25.0, "h": 50.55, "rssi": -50}
        assert (await world.ask(world.request(BY_NAME, t=TEMPERATURE))).values == {"t": 21.5}
        world.results.clear()
        await sensor.send(bytes.fromhex("020106 0a16d2fc4002ca0903bf13"))
        await world.until(lambda: any(one.values.get("t") == 25.06 for one in world.results))

    play(story, loop)


def test_a_device_that_is_not_there_does_not_delay_one_that_is(loop: asyncio.AbstractEventLoop) -> None:
    async def story(world: World) -> None:
        absent: dict[str, object] = {"macAddress": BumbleSubject.absent, "scanTimeoutMs": 1000}
        gone = world.request(absent, t=TEMPERATURE)
        world.central.submit(gone, world.now_ms())
        assert (await world.ask(world.request(BY_NAME, t=TEMPERATURE))).values == {"t": 21.5}
        assert gone.number not in [one.number for one in world.results]
        assert (await world.result(gone.number)).errors == {"t": "not seen within 1000 ms"}

    play(story, loop)


def test_a_scan_tells_what_is_around(loop: asyncio.AbstractEventLoop) -> None:
    async def look() -> dict[str, Sighting]:
        air = Air()
        thermometer = peripheral.Thermometer(air)
        await thermometer.power_on()
        for index, data in enumerate((peripheral.BTHOME_ADVERTISEMENT, peripheral.IBEACON_ADVERTISEMENT)):
            await peripheral.Broadcaster(air, data, "C4:11:22:33:44:%02X" % (0x66 + index)).power_on()
        return {sighting.address: sighting async for sighting in scan(1, BumbleRadio(air))}

    found = loop.run_until_complete(look())
    assert sorted(found) == [peripheral.THERMOMETER_ADDRESS, "C4:11:22:33:44:66", "C4:11:22:33:44:67"]
    thermometer = found[peripheral.THERMOMETER_ADDRESS]
    assert (thermometer.name, thermometer.services, thermometer.rssi) == ("Thermometer", ["181a"], -50)
    assert found["C4:11:22:33:44:66"].says == {"BTHome": {"temperature": "25.0", "humidity": "50.55"}}
    assert found["C4:11:22:33:44:67"].says == {
        "iBeacon": {"uuid": "e2c56db5-dffb-48d2-b060-d0f5a71096e0", "major": "1", "minor": "258", "power": "-59"}
    }


def test_a_scan_without_bluetooth_says_why(loop: asyncio.AbstractEventLoop) -> None:
    class Absent(BumbleRadio):
        def start(self) -> None:
            self.tell(seam.DOWN, "no adapter")

    async def look() -> list[Sighting]:
        return [sighting async for sighting in scan(1, Absent(Air()))]

    with pytest.raises(PlatformError, match="no Bluetooth: no adapter"):
        loop.run_until_complete(look())
