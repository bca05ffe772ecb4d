"""Simulated devices as real endpoints, polled by the real drivers over real sockets, terminals and programs."""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import subprocess
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgelite.driver import Request, Result
from edgelite_drivers import ble, modbus, serial
from edgelite_drivers.testing_process import Program
from edgelite_protocol.messages import PROPERTY_TYPE, PROPERTY_WRITABLE
from edgelite_sim.devices.running import RunningDevice, real_device

ROOT = Path(__file__).parents[2]
DEVICES = ROOT / "sim" / "devices"
PATIENCE_S = 20.0
SPEEDS = {300: termios.B300, 9600: termios.B9600}


class Port:
    """A driver's bus on a real descriptor, in real time: what an agent's port does, in short."""

    def __init__(self, driver: Any, protocol: object, descriptor: int) -> None:
        self.protocol = driver.check_protocol(protocol)
        self.bus = driver.make_bus(driver.target(self.protocol), random.Random(1).randbytes)
        self.driver = driver
        self._descriptor = descriptor
        self._number = 0
        if os.isatty(descriptor):
            self._set(driver.target(self.protocol)[2])
        self.bus.opened(self.now_ms())

    def now_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def ask(self, visitors: dict[str, object], value: Any = None, listens: bool = False) -> Result:
        self._number += 1
        request = Request(self._number, self.protocol, visitors, value)
        (self.bus.listen if listens else self.bus.submit)(request, self.now_ms())
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            self.bus.step(self.now_ms())
            data = self.bus.data_to_send(4096)
            if data:
                os.write(self._descriptor, data)
            settings = self.bus.wants_settings(self.now_ms())
            if settings is not None:
                time.sleep(0.1)  # what was sent still goes out, at 300 baud
                self._set(settings)
                self.bus.step(self.now_ms())
            if select.select([self._descriptor], [], [], 0.01)[0]:
                self.bus.received(os.read(self._descriptor, 4096), self.now_ms())
            result: Result | None = self.bus.next_result()
            if result is not None:
                return result
        raise AssertionError("no result")

    def _set(self, settings: dict[str, Any]) -> None:
        tty.setraw(self._descriptor)
        attributes = termios.tcgetattr(self._descriptor)
        attributes[4] = attributes[5] = SPEEDS[settings["baud"]]
        termios.tcsetattr(self._descriptor, termios.TCSANOW, attributes)


@contextmanager
def opened(address: str) -> Iterator[int]:
    if ":" in address:
        host, _, port = address.rpartition(":")
        with socket.create_connection((host, int(port))) as connection:
            yield connection.fileno()
        return
    descriptor = os.open(address, os.O_RDWR | os.O_NOCTTY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def visitor(driver: Any, kind: str, config: object, is_writable: bool = False) -> object:
    return driver.check_visitor(config, {PROPERTY_TYPE: kind, PROPERTY_WRITABLE: is_writable})


@pytest.mark.parametrize(
    ("name", "listen", "unit", "config", "low", "high"),
    [
        ("energy-meter", "tcp:127.0.0.1:0", 1, {"register": "InputRegister", "offset": 0, "limit": 2}, 228.4, 231.6),
        ("solar-inverter", "tcp:127.0.0.1:0", 1, {"register": "HoldingRegister", "offset": 40103, "limit": 1,
                                                  "scale": 0.1}, 7.0, 45.0),
        ("tank", "pty", 11, {"register": "InputRegister", "offset": 0, "limit": 1, "type": "uint16", "scale": 0.001},
         0.0, 3.0),
    ],
)  # fmt: skip
def test_modbus_devices(name: str, listen: str, unit: int, config: dict[str, Any], low: float, high: float) -> None:
    source = real_device(DEVICES / f"{name}.toml")
    told: list[dict[str, object]] = []
    source.on_answered = lambda values, now_ms: told.append(values)
    with RunningDevice(source, listen) as device, opened(device.address) as descriptor:
        protocol: dict[str, Any] = {"slaveID": unit, "ip": "127.0.0.1"}
        if listen == "pty":
            protocol = {"slaveID": unit, "serialPort": device.address, "baudRate": 9600}
        port = Port(modbus, protocol, descriptor)
        result = port.ask({"value": visitor(modbus, "FLOAT", config)})
    value = result.values["value"]
    assert isinstance(value, float) and low <= value <= high
    assert list(told[0].values()) == [pytest.approx(value, rel=1e-6)]


def test_a_fault_comes_and_goes_while_it_runs() -> None:
    with RunningDevice(real_device(DEVICES / "energy-meter.toml"), "tcp:127.0.0.1:0") as device:
        reads = {"value": visitor(modbus, "INT", {"register": "InputRegister", "offset": 0x200, "limit": 2})}
        with opened(device.address) as descriptor:
            port = Port(modbus, {"ip": "127.0.0.1", "timeoutMs": 300}, descriptor)
            assert port.ask(reads).values == {"value": 1}
            device.fail("dead")
            time.sleep(0.1)
            assert not port.ask(reads).answered
            device.fail("restart", boot_ms=0)
            device.heal()
            assert select.select([descriptor], [], [], PATIENCE_S)[0] and os.read(descriptor, 100) == b"", "dropped"
        with opened(device.address) as descriptor:
            port = Port(modbus, {"ip": "127.0.0.1"}, descriptor)
            assert port.ask(reads).values == {"value": 2}, "what was not answered does not count"


@pytest.mark.parametrize(
    ("name", "example", "wanted"),
    [("scale", "scale", "weight"), ("meter62056", "electricity-meter", "energy_import"), ("gps", "gps", "longitude")],
)
def test_instruments_on_terminals(name: str, example: str, wanted: str) -> None:
    """As the documented example reads them; the meter changes its baud rate on the way."""
    _, device = yaml.safe_load_all((ROOT / "examples" / f"{example}.yaml").read_text())
    (row,) = [one for one in device["spec"]["properties"] if one["name"] == wanted]
    config = row["visitors"]["configData"]
    source = real_device(DEVICES / f"{name}.toml")
    told: list[dict[str, object]] = []
    source.on_answered = lambda values, now_ms: told.append(values)
    with RunningDevice(source, "pty") as running, opened(running.address) as descriptor:
        port = Port(serial, device["spec"]["protocol"]["configData"], descriptor)
        result = port.ask({wanted: visitor(serial, "DOUBLE", config)}, listens=name == "gps")
    assert not result.errors and result.values[wanted] in [pytest.approx(row[wanted], abs=2e-6) for row in told]


def test_bluetooth_as_the_process_of_a_nodes_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an agent starts and connects to: its half of the driver here, the other with the peripherals there."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(one for one in sys.path if one.startswith(str(ROOT))))
    command = [sys.executable, "-m", "edgelite_sim.devices.command", "ble-thermometer", "--listen", "driver"]
    temperature = {"characteristicUUID": "2A6E", "type": "int16", "scale": 0.01}
    with Program(command, "ble", str(tmp_path)) as process, process.connect() as connection:
        port = Port(ble, {"macAddress": "C4:11:22:33:44:55"}, connection.fileno())
        result = port.ask({"temperature": visitor(ble, "FLOAT", temperature)})
    assert result.values == {"temperature": pytest.approx(21.5, abs=0.02)}


@contextmanager
def program(*words: str) -> Iterator[subprocess.Popen[str]]:
    rooms = os.pathsep.join([str(ROOT), *(one for one in sys.path if one.startswith(str(ROOT)))])
    # Whoever runs tests in the background may have SIGINT ignored, and a new process inherits that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "edgelite_sim.devices.command", *words],
        env={**os.environ, "PYTHONPATH": rooms, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    signal.signal(signal.SIGINT, before)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE_S)


def test_the_program_says_where_it_listens_and_what_it_answers(tmp_path: Path) -> None:
    link = tmp_path / "tank"
    with program(str(DEVICES / "tank.toml"), "--listen", "pty", "--link", str(link), "--seed", "7") as process:
        assert process.stdout is not None and process.stdout.readline() == f"ready {link}\n"
        with opened(str(link)) as descriptor:
            port = Port(modbus, {"slaveID": 12, "serialPort": str(link), "baudRate": 9600}, descriptor)
            pump = {"pump": visitor(modbus, "BOOLEAN", {"register": "DiscreteInputRegister", "offset": 0})}
            assert port.ask(pump).values == {"pump": False}
        assert process.stdout.readline().split()[1:] == ["12/pump_runs=False"]
    assert process.returncode == 130 and not link.exists(), "its name goes with it"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nowhere.toml",), "nowhere.toml: No such file"),
        ((str(DEVICES / "tank.toml"), "--listen", "udp:1"), "must be tcp:HOST:PORT or pty"),
        ((str(DEVICES / "tank.toml"), "--fault", "melt"), "'melt' is none of dead, slow"),
        ((str(DEVICES / "tank.toml"), "--fault", "slow:delay_ms=x"), "is no NAME=NUMBER"),
        ((str(DEVICES / "gps.toml"), "--fault", "exceptions"), "'exceptions' is none of dead, slow, noise, restart"),
        ((str(DEVICES / "gps.toml"), "--framing", "rtu"), "nothing for a device of kind gps"),
        ((str(DEVICES / "ble-thermometer.toml"), "--listen", "pty"), "--listen driver"),
        ((str(DEVICES / "ble-thermometer.toml"),), "EDGELITE_DRIVER_SOCKET is not set"),
        ((str(DEVICES / "tank.toml"), "--listen", "tcp:127.0.0.1:0", "--link", "/tmp/x"), "pseudo terminal"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgelite_sim.devices.command import main

    monkeypatch.delenv("EDGELITE_DRIVER_SOCKET", raising=False)
    assert main(list(words)) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1


@pytest.mark.parametrize("file", sorted(DEVICES.glob("*.toml")), ids=lambda file: file.stem)
def test_every_file_that_comes_with_it_holds(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from edgelite_sim.devices.command import main

    assert main([str(file), "--check"]) == 0
    assert f"{file}: " in capsys.readouterr().out
