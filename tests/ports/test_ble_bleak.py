"""bleak's own path: the driver's radio on BlueZ's D-Bus interfaces, served by a mock on a private bus (bluez_template),
without a radio and without touching this machine's Bluetooth."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus

from edgelite.driver import Request, Result
from edgelite_drivers import ble
from edgelite_drivers.ble import radio as seam
from edgelite_drivers.ble.central import Central, run
from edgelite_drivers.ble.uuids import parse_uuid
from edgelite_drivers.testing import Subject, check_read, check_write
from edgelite_drivers.testing_process import Program
from edgelite_ports.linux.ble.bleak_radio import BleakRadio
from edgelite_ports.linux.ble.scan import Sighting, scan
from edgelite_ports.testing.radio_contract import CHECKS
from edgelite_protocol.errors import PlatformError
from edgelite_protocol.messages import PROPERTY_TYPE, PROPERTY_WRITABLE
from edgelite_sim.devices.ble_air import InLoop
from edgelite_sim.qemu import emulators

PATIENCE_S = 20.0
ADDRESS_VARIABLE = "DBUS_SYSTEM_BUS_ADDRESS"
TEMPLATE = Path(__file__).parent / "bluez_template.py"
THERMOMETER = "C4:11:22:33:44:55"
VALUE = b"\x66\x08"
CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>
"""


class Bus:
    """A private system bus, and BlueZ's mock on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"unix:path={folder}/bus.sock"
        self.processes: list[subprocess.Popen[bytes]] = []

    def begin(self) -> None:
        (self.folder / "bus.conf").write_text(CONFIG % (self.folder / "bus.sock"))
        self._start(["dbus-daemon", f"--config-file={self.folder}/bus.conf", "--nofork", "--nopidfile"])
        self.begin_mock()

    def begin_mock(self) -> None:
        log = str(self.folder / "mock.log")
        words = ["-m", "dbusmock", "--system", "--template", str(TEMPLATE), "-l", log]
        self._start(["/usr/bin/python3", *words])
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            try:
                asyncio.run(self._call("Begin"))
                return
            except (OSError, MockError):
                time.sleep(0.1)
        raise AssertionError("the mock of BlueZ did not start: " + (self.folder / "errors.txt").read_text())

    def end_mock(self) -> None:
        self._end(self.processes.pop())

    def end(self) -> None:
        while self.processes:
            self._end(self.processes.pop())

    async def is_connected(self) -> bool:
        reply = await self._call("IsConnected")
        return bool(reply[0])

    async def call(self, member: str, signature: str = "", *arguments: object) -> None:
        await self._call(member, signature, *arguments)

    async def _call(self, member: str, signature: str = "", *arguments: object) -> list[Any]:
        bus = await MessageBus(bus_address=self.address, bus_type=BusType.SYSTEM).connect()
        try:
            message = Message(
                destination="org.bluez",
                path="/",
                interface="org.bluez.Mock",
                member=member,
                signature=signature,
                body=list(arguments),
            )
            reply = await asyncio.wait_for(bus.call(message), 5)
            if reply is None or reply.message_type == MessageType.ERROR:
                raise MockError(str(reply.body if reply else ""))
            return list(reply.body)
        finally:
            bus.disconnect()

    def _start(self, words: list[str]) -> None:
        environment = {**os.environ, ADDRESS_VARIABLE: self.address}
        for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
            environment.pop(name, None)
        with (self.folder / "errors.txt").open("ab") as errors:
            self.processes.append(subprocess.Popen(words, env=environment, stderr=errors))

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        process.wait(10)


class MockError(Exception):
    """The mock is not there, or refused."""


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    emulators.require("dbus-daemon", "python3-dbusmock")
    bus = Bus(tmp_path_factory.mktemp("bluez"))
    before = os.environ.get(ADDRESS_VARIABLE)
    os.environ[ADDRESS_VARIABLE] = bus.address
    try:
        bus.begin()
        yield bus
    finally:
        bus.end()
        if before is None:
            del os.environ[ADDRESS_VARIABLE]
        else:
            os.environ[ADDRESS_VARIABLE] = before


class BleakSubject:
    """The radio contract's subject on BlueZ's mock."""

    seam = seam
    address = THERMOMETER
    absent = "C4:99:99:99:99:99"  # it advertises, and takes no connection
    is_random = True
    name = "Thermometer"
    temperature = parse_uuid("2a6e")
    period = parse_uuid("2a21")
    alarm = parse_uuid("2a06")
    secret = parse_uuid("2a99")
    value = VALUE

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.loop = asyncio.new_event_loop()
        self.bleak = BleakRadio()
        self.radio: Any = InLoop(self.bleak, self.loop)
        self.notify(VALUE)

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
        self.loop.run_until_complete(self.bus.call("Notify", "ay", data))

    def drop(self) -> None:
        self.loop.run_until_complete(self.bus.call("Drop"))

    def close(self) -> None:
        self.loop.run_until_complete(self._close())
        self.loop.close()

    async def _close(self) -> None:
        await self.bleak.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_bleaks_radio_keeps_the_contract(check: Callable[[Any], None], bus: Bus) -> None:
    subject = BleakSubject(bus)
    try:
        check(subject)
    finally:
        subject.close()


class World:
    """A central on bleak's radio."""

    def __init__(self, bus: Bus) -> None:
        self.subject = BleakSubject(bus)
        self.central = Central(self.subject.radio, lambda count: b"\0" * count)
        self.results: list[Result] = []

    def ask(self, request: Request) -> Result:
        self.central.submit(request, now_ms())
        return self.result(request.number)

    def result(self, number: int) -> Result:
        found: list[Result] = []

        def is_there() -> bool:
            run(self.subject.radio, self.central, now_ms())
            result = self.central.next_result()
            while result is not None:
                if result.number == number:
                    found.append(result)
                result = self.central.next_result()
            return len(found) > 0

        assert self.subject.wait(is_there), "no result"
        return found[0]


def now_ms() -> int:
    return int(time.monotonic() * 1000)


def visitor(kind: str, **config: object) -> object:
    return ble.check_visitor(config, {PROPERTY_TYPE: kind})


@pytest.fixture
def world(bus: Bus) -> Iterator[World]:
    world = World(bus)
    yield world
    world.subject.close()


def temperature(**more: object) -> dict[str, object]:
    return {"t": visitor("FLOAT", characteristicUUID="2A6E", type="int16", scale=0.01, **more)}


def test_the_driver_reads_a_thermometer_through_bluez(world: World) -> None:
    protocol = ble.check_protocol({"name": "Thermometer"})
    visitors = {**temperature(), "secret": visitor("INT", characteristicUUID="2A99", type="uint8")}
    result = world.ask(Request(1, protocol, visitors))
    assert result.values == {"t": 21.5} and result.answered
    assert result.errors == {"secret": "ATT error 2: read not permitted"}


def test_the_driver_hears_a_sensor_and_a_notification_through_bluez(world: World) -> None:
    heard = {"t": visitor("FLOAT", advertisement="BTHome", object="temperature")}
    world.central.listen(Request(1, ble.check_protocol({"serviceUUID": "FCD2"}), heard), now_ms())
    assert world.result(1).values == {"t": 25.0}
    protocol = ble.check_protocol({"macAddress": THERMOMETER})
    world.central.listen(Request(2, protocol, temperature(notify=True)), now_ms())
    assert world.result(2).values == {"t": 21.5}
    world.subject.notify(b"\xb8\x0b")
    assert world.result(2).values == {"t": 30.0}
    world.subject.drop()
    assert not world.result(2).answered
    assert world.result(2).values == {"t": 30.0}  # connected to again


def test_a_device_that_never_answers_a_read_costs_its_timeout(world: World) -> None:
    protocol = ble.check_protocol({"name": "Thermometer", "timeoutMs": 300})
    slow = visitor("INT", characteristicUUID="f000aa0104514000b000000000000000", type="uint8")
    result = world.ask(Request(1, protocol, {"slow": slow}))
    assert not result.answered and result.errors == {"slow": "no answer within 300 ms"}


def test_a_device_that_takes_no_connection_costs_its_timeout(world: World) -> None:
    protocol = ble.check_protocol({"name": "Wall", "connectTimeoutMs": 300})
    result = world.ask(Request(1, protocol, temperature()))
    assert not result.answered and result.errors == {"t": "no connection within 300 ms"}


def test_where_bluez_ends_and_comes_back_the_device_is_offline_and_back(world: World, bus: Bus) -> None:
    protocol = ble.check_protocol({"name": "Thermometer", "scanTimeoutMs": 500, "idleDisconnectMs": 0})
    assert world.ask(Request(1, protocol, temperature())).values == {"t": 21.5}
    bus.end_mock()
    number = 2
    result = world.ask(Request(number, protocol, temperature()))
    while "BlueZ does not run" not in result.errors.get("t", ""):
        assert not result.answered
        number += 1
        result = world.ask(Request(number, protocol, temperature()))
        world.subject.settle()
    bus.begin_mock()
    while not result.values:
        number += 1
        result = world.ask(Request(number, protocol, temperature()))
        world.subject.settle()
    assert result.values == {"t": 21.5}


def test_the_drivers_process_reads_and_writes_through_bluez_and_leaves_no_connection(bus: Bus, tmp_path: Path) -> None:
    """What a node runs, but for the radio: the program, its socket, bleak, D-Bus."""
    rooms = [str(Path(__file__).parents[2] / room) for room in ("", "protocol", "drivers", "ports")]
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join([*rooms, before])
    period = {"characteristicUUID": "2A21", "type": "uint16"}
    subject: dict[str, Any] = {
        "protocol": {"macAddress": THERMOMETER},
        "visitors": {"period": (period, {PROPERTY_TYPE: "INT", PROPERTY_WRITABLE: True})},
        "values": {"period": 77},
        "write": ("period", 77),
    }
    try:
        with Program([sys.executable, "-m", "edgelite_ports.linux.ble.main"], "ble", str(tmp_path)) as program:
            made = Subject(ble, make_peer=program.peer, **subject)
            check_write(made)
            check_read(made)
            assert asyncio.run(bus.is_connected())
            program.process.terminate()
            assert program.process.wait(10) == 0
    finally:
        os.environ["PYTHONPATH"] = before
    assert not asyncio.run(bus.is_connected())


def test_a_scan_through_bluez(bus: Bus) -> None:
    async def look() -> dict[str, Sighting]:
        return {sighting.address: sighting async for sighting in scan(1, BleakRadio())}

    found = asyncio.run(look())
    assert found[THERMOMETER].name == "Thermometer" and found[THERMOMETER].services == ["181a"]
    assert found["C4:11:22:33:44:66"].says == {"BTHome": {"temperature": "25.0", "humidity": "50.55"}}


def test_an_adapter_that_is_not_there_is_named(bus: Bus) -> None:
    async def look() -> list[Sighting]:
        return [sighting async for sighting in scan(5, BleakRadio("hci7"))]

    with pytest.raises(PlatformError, match="hci7"):
        asyncio.run(look())
