"""Serial lines under both runtimes, over pairs of pseudo-terminals."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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

    def start(path: str, **settings: object) -> subprocess.Popen[str]:
        words = [sys.executable] if request.param == "cpython" else [*micropython(), *HEAP]
        paths = {"PYTHONPATH": ":".join(str(ROOT / room) for room in ROOMS)}
        process = subprocess.Popen(
            [*words, PEER, path, json.dumps(settings)],
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


def test_the_line_goes_away(peer: Peer, line: Line) -> None:
    process = peer(line.path, baud=9600)
    assert told(process) == "opened"
    line.close()
    assert told(process).startswith("closed: the line is gone")
