"""Serial lines under both runtimes, over pairs of pseudo-terminals."""

from __future__ import annotations

import array
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgelite_ports.common.serial_lines import Settings
from edgelite_ports.linux.serial_port import SerialPort
from edgelite_protocol.errors import PlatformError

sys.path.insert(0, str(Path(__file__).parent))
from micropython_site import HEAP, ROOMS, ROOT, environment, micropython

PEER = str(Path(__file__).parent / "serial_peer.py")
Peer = Callable[..., "subprocess.Popen[str]"]


class Line:
    """Our end of a pseudo-terminal, and the path of the other."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        self.path = os.ttyname(self.theirs)

    def attributes(self) -> list[object]:
        return list(termios.tcgetattr(self.theirs))

    def read(self, size_bytes: int) -> bytes:
        found = b""
        while len(found) < size_bytes:
            found += os.read(self.ours, size_bytes - len(found))
        return found

    def close(self) -> None:
        for descriptor in (self.ours, self.theirs):
            try:
                os.close(descriptor)
            except OSError:
                continue


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.close()


@pytest.fixture(params=["cpython", "micropython"])
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Starts serial_peer.py on a path, with settings."""
    started: list[subprocess.Popen[str]] = []

    def start(path: str, others: dict[str, object] | None = None, **settings: object) -> subprocess.Popen[str]:
        words = [sys.executable] if request.param == "cpython" else [*micropython(), *HEAP]
        paths = {"PYTHONPATH": ":".join(str(ROOT / room) for room in ROOMS)}
        process = subprocess.Popen(
            [*words, PEER, path, json.dumps(settings), json.dumps(others or {})],
            env={**environment(), **paths},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(10)


def told(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_every_byte_goes_both_ways(peer: Peer, line: Line) -> None:
    process = peer(line.path, baud=115200)
    assert told(process) == "opened"
    every = bytes(one for one in range(256) if one != ord("q"))
    os.write(line.ours, every)
    assert line.read(255) == bytes((one + 1) & 255 for one in every)
    os.write(line.ours, b"q")
    assert line.read(1) == b"r"
    assert told(process) == "closed: closed"


def test_settings_reach_the_line(peer: Peer, line: Line) -> None:
    process = peer(line.path, baud=19200, data_bits=7, parity="even", stop_bits=2)
    assert told(process) == "opened"
    input_flags, output_flags, control, local, speed, out_speed, characters = line.attributes()
    assert isinstance(control, int) and isinstance(input_flags, int) and isinstance(characters, list)
    assert (speed, out_speed) == (termios.B19200, termios.B19200)
    assert control & termios.CSTOPB and control & termios.PARODD == 0  # a pty has 8 bits without parity, always
    assert input_flags == termios.INPCK | termios.IGNPAR
    assert (output_flags, local) == (0, 0)
    assert characters[termios.VMIN] in (1, b"\x01")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"baud": 0}, "0 baud is no rate of a serial line here"),
        ({}, "None baud is no rate of a serial line here"),
        ({"baud": 9600, "parity": "mark"}, "parity of a serial line is one of even, none, odd"),
        ({"baud": 9600, "data_bits": 9}, "data_bits of a serial line is one of 7, 8"),
        ({"baud": 9600, "flow": "rtscts"}, "a serial line has no setting flow"),
    ],
)
def test_what_no_line_has_is_refused(peer: Peer, line: Line, settings: dict[str, object], reason: str) -> None:
    assert told(peer(line.path, **settings)) == "closed: " + reason


def test_a_path_that_is_no_line(peer: Peer, tmp_path: Path) -> None:
    assert "no such file" in told(peer(str(tmp_path / "ttyX"), baud=9600))
    (tmp_path / "file").write_text("")
    assert "inappropriate ioctl" in told(peer(str(tmp_path / "file"), baud=9600))


def test_a_line_that_another_program_has(peer: Peer, line: Line) -> None:
    fcntl.flock(line.theirs, fcntl.LOCK_EX)
    assert told(peer(line.path, baud=9600)) == f"closed: {line.path} is in use by another program"


def speed(line: Line) -> object:
    return line.attributes()[5]


def test_other_settings_hold_once_what_was_sent_has_left_the_line(peer: Peer, line: Line) -> None:
    process = peer(line.path, {"baud": 9600, "stop_bits": 2}, baud=300)
    assert told(process) == "opened"
    os.write(line.ours, b"c")
    assert line.read(30) == b"old" * 10
    read_s = time.monotonic()
    assert speed(line) == termios.B300, "a pseudo terminal does not pace, a line needs a second for 30 bytes"
    while speed(line) == termios.B300:
        assert time.monotonic() - read_s < 20
        time.sleep(0.01)
    assert time.monotonic() - read_s > 0.8
    assert speed(line) == termios.B9600
    assert line.read(3) == b"new"
    control = line.attributes()[2]
    assert isinstance(control, int) and control & termios.CSTOPB
    os.write(line.ours, b"q")
    assert line.read(1) == b"r"


def test_other_settings_that_no_line_has(peer: Peer, line: Line) -> None:
    process = peer(line.path, {"baud": 9600, "parity": "mark"}, baud=300)
    assert told(process) == "opened"
    os.write(line.ours, b"c")
    assert told(process) == "closed: parity of a serial line is one of even, none, odd"


@pytest.mark.parametrize(
    ("rs485", "reason"),
    [
        ({}, "this serial line has no RS-485 mode: "),  # a pseudo terminal has none
        ({"rts": True}, "rs485 of a serial line has no setting rts"),
        ({"rts_on_send": 1}, "rs485 of a serial line: rts_on_send is true or false"),
        ({"delay_before_send_ms": 5000}, "rs485 of a serial line: delay_before_send_ms is milliseconds from 0 to 1000"),
        (5, "rs485 of a serial line is a map"),
    ],
)
def test_rs485_where_there_is_none_or_wrong(peer: Peer, line: Line, rs485: object, reason: str) -> None:
    assert told(peer(line.path, baud=9600, rs485=rs485)).startswith("closed: " + reason)


def test_rs485_reaches_the_kernel_as_it_defines_it(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line here has the mode; what pyserial tells the kernel of such a line is looked at in its place."""
    import serial.serialposix

    asked: list[bytes] = []
    real: Any = fcntl.ioctl

    def ioctl(descriptor: int, request: int, argument: Any = 0, *rest: object) -> Any:
        if request == 0x542F:  # TIOCSRS485
            asked.append(bytes(argument)[:12])
        elif request != 0x542E:
            return real(descriptor, request, argument, *rest)
        return 0

    monkeypatch.setattr(serial.serialposix, "fcntl", SimpleNamespace(**{**vars(fcntl), "ioctl": ioctl}))
    rs485 = {"rts_after_send": True, "receive_while_sending": True, "delay_before_send_ms": 3, "delay_after_send_ms": 4}
    port = SerialPort(line.path, Settings({"baud": 9600, "rs485": rs485}))
    port.close()
    assert asked[-1] == struct.pack("<III", 1 | 2 | 4 | 16, 3, 4)


def test_a_rate_that_has_no_number_of_its_own(line: Line) -> None:
    """pyserial knows how; MicroPython's termios does not."""
    port = SerialPort(line.path, Settings({"baud": 12345}))
    buffer = array.array("i", [0] * 64)
    fcntl.ioctl(line.theirs, 0x802C542A, buffer)  # TCGETS2
    assert buffer[9] == buffer[10] == 12345
    port.close()


def test_without_pyserial_its_name_is_told(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(PlatformError, match=r"needs the package pyserial.*pip install 'edgelite\[serial\]'"):
        SerialPort(line.path, Settings({"baud": 9600}))


def test_the_line_goes_away(peer: Peer, line: Line) -> None:
    process = peer(line.path, baud=9600)
    assert told(process) == "opened"
    line.close()
    assert told(process).startswith("closed: the line is gone")
