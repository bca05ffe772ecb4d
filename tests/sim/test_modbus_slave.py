"""Simulated Modbus slaves: the map as it is written, each behaviour and each fault, over TCP and a pseudo terminal."""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgelite.driver import ConfigurationError
from edgelite_drivers.modbus import pdu
from edgelite_drivers.modbus.ascii import AsciiFraming
from edgelite_drivers.modbus.client import Client
from edgelite_drivers.modbus.rtu import RtuFraming
from edgelite_drivers.modbus.tcp import TcpFraming
from edgelite_protocol.errors import ProtocolError
from edgelite_sim.devices.modbus_map import parse_map
from edgelite_sim.devices.modbus_slave import RunningSlaves
from edgelite_sim.devices.serving import parse_listen

SIM = Path(__file__).parents[2] / "sim"
MAP = """
[[unit]]
number = 1
vendor = "Example"
product = "M-1"
revision = "1.2"
exception_status = 5

[[unit.range]]
table = "holding"
address = 0
type = "float32"
values = [21.5, -2]

[[unit.range]]
table = "holding"
address = 4
values = [7]
access = "r"

[[unit.range]]
table = "input"
address = 10
type = "int32"
register_swap = true
values = [-2]

[[unit.range]]
table = "input"
address = 20
type = "string"
values = "edge"
count = 4

[[unit.range]]
table = "coils"
address = 0
count = 9

[[unit.range]]
table = "holding"
address = 100
count = 1
exception = 6

[[unit.range]]
table = "holding"
address = 101
count = 1
dead = true

[[unit]]
number = 2
one_range_only = true
max_registers = 4
range = [{table = "holding", address = 0, count = 4}, {table = "holding", address = 4, count = 4}]
"""
TCP = "tcp:127.0.0.1:0"
WAIT_S = 10.0
QUIET_S = 0.3


class Line:
    """A client of ours on a socket or a terminal."""

    def __init__(self, running: RunningSlaves) -> None:
        framings: dict[str, Any] = {"tcp": TcpFraming, "rtu": RtuFraming, "ascii": AsciiFraming}
        self.client = Client(framings[running.slaves.framing]())
        self.connection: socket.socket | None = None
        if ":" in running.address:
            self.connection = socket.create_connection(("127.0.0.1", running.port))
            self.descriptor = self.connection.fileno()
        else:
            self.descriptor = os.open(running.address, os.O_RDWR | os.O_NOCTTY)

    def ask(self, unit: int, request: bytes, wait_s: float = WAIT_S) -> bytes | None:
        os.write(self.descriptor, self.client.ask(unit, request))
        end = time.monotonic() + wait_s
        data = None
        while data is None and select.select([self.descriptor], [], [], max(0, end - time.monotonic()))[0]:
            received = os.read(self.descriptor, 4096)
            if not received:
                raise ConnectionResetError
            data = self.client.take(received)
        return data

    def read(self, unit: int, address: int, count: int, wait_s: float = WAIT_S) -> bytes | None:
        return self.ask(unit, pdu.read_request(pdu.READ_HOLDING_REGISTERS, address, count), wait_s)

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        else:
            os.close(self.descriptor)


@pytest.fixture
def lines() -> Iterator[Any]:
    opened: list[Any] = []

    def make(toml: str, listen: str = "tcp:127.0.0.1:0", framing: str = "") -> tuple[Line, RunningSlaves]:
        running = RunningSlaves(toml, listen, framing).__enter__()
        line = Line(running)
        opened.extend((line, running))
        return line, running

    yield make
    for one in opened:
        one.close() if isinstance(one, Line) else one.stop()


@pytest.mark.parametrize(
    ("listen", "framing"),
    [(TCP, "tcp"), (TCP, "rtu"), (TCP, "ascii"), ("pty", "rtu"), ("pty", "ascii")],
)  # fmt: skip
def test_the_map_is_served(lines: Any, listen: str, framing: str) -> None:
    line, running = lines(MAP, listen, framing)
    assert line.read(1, 0, 4) == struct.pack(">ff", 21.5, -2)
    assert line.read(1, 2, 3) == struct.pack(">fH", -2, 7)
    assert line.ask(1, pdu.read_request(4, 10, 2)) == b"\xff\xfe\xff\xff"
    assert line.ask(1, pdu.read_request(4, 20, 4)) == b"edge\0\0\0\0"
    assert line.ask(1, pdu.write_coils_request(0, [True] * 9)) == b""
    assert line.ask(1, pdu.read_request(1, 0, 9)) == b"\xff\x01"
    assert line.ask(1, pdu.write_registers_request(2, struct.pack(">f", 3))) == b""
    assert line.read(1, 2, 2) == struct.pack(">f", 3)
    assert b"Example" in (line.ask(1, bytes.fromhex("2b0e0100")) or b"")
    assert line.ask(1, b"\7") == b"\5"
    assert line.read(2, 2, 2) == bytes(4)
    for unit, request, number in (
        (1, pdu.read_request(3, 5, 1), 2),
        (1, pdu.write_register_request(4, b"\0\1"), 2),
        (1, pdu.read_request(3, 100, 1), 6),
        (2, pdu.read_request(3, 3, 2), 2),
        (2, pdu.read_request(3, 0, 5), 3),
    ):
        with pytest.raises(pdu.ExceptionAnswer) as caught:
            line.ask(unit, request)
        assert caught.value.number == number
    assert line.read(1, 101, 1, QUIET_S) is None
    assert running.requests[0] == (1, pdu.read_request(3, 0, 4))


def fault_map(fault: str) -> str:
    return f"[[unit]]\nnumber = 1\nrange = [{{table = 'holding', address = 0, count = 9}}]\n[[fault]]\n{fault}\n"


def test_silence_of_every_third_request(lines: Any) -> None:
    line, _ = lines(fault_map("kind = 'silent'\nevery = 3"))
    assert [line.read(1, 0, 1, QUIET_S) is None for _ in range(6)] == [False, False, True, False, False, True]


def test_an_answer_comes_late(lines: Any) -> None:
    line, _ = lines(fault_map("kind = 'late'\ndelay_ms = 400\nevery = 2"), "pty")
    assert line.read(1, 0, 1) == b"\0\0"
    started = time.monotonic()
    assert line.read(1, 0, 1) == b"\0\0" and time.monotonic() - started >= 0.4


@pytest.mark.parametrize(
    ("fault", "listen", "raw"),
    [
        ("kind = 'twice'", TCP, "0001000000050103020000" * 2),
        ("kind = 'bad_crc'", "pty", "0103020000b811"),
        ("kind = 'short'", "pty", "010302"),
        ("kind = 'exception'\ncode = 10", "pty", "01838ac2f7"[:4] + "0ac137"),
        ("kind = 'wrong_transaction'", TCP, "5a5b000000050103020000"),
        ("kind = 'wrong_unit'", TCP, "0001000000050203020000"),
        ("kind = 'exception'\nunit = 2", "pty", "0103020000b844"),
        ("kind = 'exception'\nafter = 1", "pty", "0103020000b844"),
    ],
)
def test_what_a_fault_puts_on_the_wire(lines: Any, fault: str, listen: str, raw: str) -> None:
    line, _ = lines(fault_map(fault), listen)
    request = "000100000006010300000001" if listen != "pty" else "010300000001840a"
    os.write(line.descriptor, bytes.fromhex(request))
    expected = bytes.fromhex(raw)
    found = b""
    while len(found) < len(expected) and select.select([line.descriptor], [], [], WAIT_S)[0]:
        found += os.read(line.descriptor, 4096)
    assert found.hex() == raw


def test_noise_comes_before_the_answer_and_is_the_same_each_time(lines: Any) -> None:
    found = []
    for _ in range(2):
        line, _ = lines(fault_map("kind = 'noise'"), "pty")
        assert line.read(1, 0, 9) == bytes(18)
        os.write(line.descriptor, bytes.fromhex("010300000001840a"))
        time.sleep(QUIET_S)
        found.append(os.read(line.descriptor, 4096))
    assert found[0] == found[1] and found[0].endswith(bytes.fromhex("0103020000b844")) and len(found[0]) > 7


def test_a_device_that_drops_the_connection(lines: Any) -> None:
    line, running = lines(fault_map("kind = 'drop'\nafter = 1"))
    assert line.read(1, 0, 1) == b"\0\0"
    with pytest.raises((ConnectionResetError, AssertionError)):
        line.read(1, 0, 1)
        assert line.read(1, 0, 1, QUIET_S) is not None
    again = Line(running)
    assert again.read(1, 0, 1) == b"\0\0"
    again.close()


def test_units_that_are_not_here(lines: Any) -> None:
    line, _ = lines("absent = 10\n" + MAP)
    with pytest.raises(ProtocolError, match="gateway path"):
        line.read(3, 0, 1)
    line, _ = lines("absent = 0\n" + MAP)
    assert line.read(3, 0, 1, QUIET_S) is None


@pytest.mark.parametrize(
    ("toml", "path"),
    [
        ("[[unit]]\nnumber = 256", "unit[0].number"),
        ("[[unit]]\nnumber = 1\n[[unit]]\nnumber = 1", "unit[1].number"),
        ("units = 1", "map.units"),
        ("unit = 1", "map.unit"),
        ("=", "map"),
        ("a=" + "[" * 5000, "map"),
        ("[[unit]]\nnumber = 1\nrange = [{table='holding', address=65535, count=2}]", "unit[0].range[0].address"),
        ("[[unit]]\nnumber = 1\nrange = [{table='input', address=0, count=2, access='rw'}]", "unit[0].range[0].access"),
        ("[[unit]]\nnumber = 1\nrange = [{table='input', address=0, values=[70000]}]", "unit[0].range[0].values"),
        ("[[unit]]\nnumber = 1\nrange = [{table='coils', address=0, type='int16', count=1}]", "unit[0].range[0].type"),
        ("[[unit]]\nnumber = 1\nrange = [{table='input', address=0, count=2}, {table='input', address=1, count=1}]",
         "unit[0].range"),
        ("[[fault]]\nkind = 'slow'", "fault[0].kind"),
        ("[[fault]]\nkind = 'late'\nchance = 2", "fault[0].chance"),
    ],
)  # fmt: skip
def test_a_map_that_does_not_hold_is_refused_by_its_path(toml: str, path: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_map(toml)
    assert caught.value.path == path


@pytest.mark.parametrize("listen", ["udp:127.0.0.1:1", "tcp:127.0.0.1", "tcp::1", "tcp:h:65536", "pt"])
def test_a_place_to_listen_that_is_none(listen: str) -> None:
    with pytest.raises(ValueError, match="must be tcp:HOST:PORT or pty"):
        parse_listen(listen)


def test_as_a_program(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text(MAP)
    command = [sys.executable, "-m", "edgelite_sim.devices.modbus_slave", str(tmp_path / "map.toml"), "--listen"]
    process = subprocess.Popen([*command, "tcp:127.0.0.1:0"], cwd=SIM, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        word, address = process.stdout.readline().split()
        assert word == "ready"
        with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as connection:
            client = Client(TcpFraming())
            connection.sendall(client.ask(1, pdu.read_request(3, 4, 1)))
            assert client.take(connection.recv(100)) == b"\0\7"
    finally:
        process.terminate()
        process.wait(10)
    (tmp_path / "map.toml").write_text("unit = 3")
    told = subprocess.run([*command, "pty"], cwd=SIM, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 2 and "map.unit: must be a list of tables" in told.stderr
