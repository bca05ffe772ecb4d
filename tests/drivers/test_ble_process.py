"""The driver's process, a real one over its socket: on simulated Bluetooth, and where there is no bleak."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgelite.driver import Request, Result
from edgelite_drivers import ble
from edgelite_drivers.process_server import PATH_VARIABLE
from edgelite_drivers.testing import CHECKS, Subject
from edgelite_drivers.testing_process import Program
from edgelite_ports.linux.ble.main import AbsentRadio
from edgelite_ports.linux.ble.scan import scan
from edgelite_protocol.errors import PlatformError
from edgelite_protocol.messages import PROPERTY_TYPE, PROPERTY_WRITABLE
from edgelite_sim.devices import ble_peripheral as peripheral

SIMULATED = [sys.executable, "-m", "edgelite_sim.devices.ble_process"]
THERMOMETER = {"macAddress": peripheral.THERMOMETER_ADDRESS}
ROOT = Path(__file__).parents[2]
PATHS = os.pathsep.join(str(ROOT / room) for room in ("", "protocol", "drivers", "ports", "sim"))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = PATHS
    with Program(SIMULATED, "ble", str(tmp_path_factory.mktemp("ble"))) as program:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
        yield program


def subject(program: Program) -> Subject:
    temperature = {"characteristicUUID": peripheral.TEMPERATURE, "type": "int16", "scale": 0.01}
    period = {"characteristicUUID": peripheral.PERIOD, "type": "uint16"}
    return Subject(
        ble,
        THERMOMETER,
        {
            "period": (period, {PROPERTY_TYPE: "INT", PROPERTY_WRITABLE: True}),
            "temperature": (temperature, {PROPERTY_TYPE: "FLOAT"}),
        },
        {"temperature": 21.5, "period": 60},
        program.peer,
        (({}, "protocol.configData.macAddress"), ({"macAddress": "nowhere"}, "protocol.configData.macAddress")),
        (({"characteristicUUID": "?"}, "visitors.configData.characteristicUUID"),),
        ("period", 60),
    )


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_process_keeps_the_drivers_contract(check: Any, program: Program) -> None:
    check(subject(program))


class Wire:
    """The agent's bus on a socket to the process."""

    def __init__(self, program: Program) -> None:
        self.bus = ble.make_bus(("driver", "ble"), os.urandom)
        self.connection = program.connect()
        self.connection.settimeout(0.02)
        self.bus.opened(now_ms())

    def ask(self, request: Request) -> Result:
        self.bus.submit(request, now_ms())
        return self.result()

    def result(self) -> Result:
        end_ms = now_ms() + 20_000
        while now_ms() < end_ms:
            data = self.bus.data_to_send(65536)
            if data:
                self.connection.sendall(data)
            try:
                self.bus.received(self.connection.recv(65536), now_ms())
            except TimeoutError:
                pass
            self.bus.step(now_ms())
            result = self.bus.next_result()
            if result is not None:
                return result
        raise AssertionError("no result within 20 s")


def now_ms() -> int:
    return int(time.monotonic() * 1000)


def visitor(kind: str, **config: object) -> object:
    return ble.check_visitor(config, {PROPERTY_TYPE: kind})


def test_what_the_devices_send_by_themselves_comes_through_the_socket(program: Program) -> None:
    wire = Wire(program)
    heard = {"temperature": visitor("FLOAT", advertisement="BTHome", object="temperature")}
    wire.bus.listen(Request(1, ble.check_protocol({"macAddress": peripheral.SENSOR_ADDRESS}), heard), now_ms())
    result = wire.result()
    assert (result.number, result.values, result.answered) == (1, {"temperature": 25.0}, True)
    wire.bus.ignore(1, now_ms())
    notified = {"t": visitor("FLOAT", characteristicUUID="2A6E", type="int16", scale=0.01, notify=True)}
    wire.bus.listen(Request(2, ble.check_protocol(THERMOMETER), notified), now_ms())
    result = wire.result()
    while result.number == 1:  # one may have been on its way
        result = wire.result()
    assert (result.number, result.values) == (2, {"t": 21.5})
    wire.connection.close()


def test_without_bleak_each_device_says_what_to_install(tmp_path: Path) -> None:
    """As on a node whose Python has no bleak: the program runs on, and says it once for each request."""
    (tmp_path / "bleak.py").write_text("raise ImportError('No module named bleak', name='bleak')\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), PATHS])}
    environment[PATH_VARIABLE] = str(tmp_path / "ble.sock")
    process = subprocess.Popen([sys.executable, "-m", "edgelite_ports.linux.ble.main"], env=environment)
    try:
        program = Program.__new__(Program)
        program.path, program.process = environment[PATH_VARIABLE], process
        request = Request(
            1, ble.check_protocol(THERMOMETER), {"t": visitor("INT", characteristicUUID="2A6E", type="int8")}
        )
        result = Wire(program).ask(request)
        assert not result.answered and "pip install 'edgelite[ble]'" in result.errors["t"]
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(10) == 0


def test_a_scan_without_bleak_says_what_to_install() -> None:
    async def look() -> None:
        async for _ in scan(1, AbsentRadio()):
            raise AssertionError("there is no radio")

    with pytest.raises(PlatformError, match=r"pip install 'edgelite\[ble\]'"):
        asyncio.run(look())
