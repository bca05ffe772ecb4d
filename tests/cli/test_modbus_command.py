"""`edgelite modbus` against simulated slaves in a process of their own, over TCP and over a pseudo terminal."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgelite_cli.failure import Failure
from edgelite_cli.modbus_line import parse_target
from edgelite_cli.modbus_scan import joined

MAP = """
[[unit]]
number = 1
vendor = "Example"
product = "Meter 3"
[[unit.range]]
table = "holding"
address = 0
type = "float32"
values = [21.5, -3.0, 1234.5]
[[unit.range]]
table = "holding"
address = 300
type = "uint16"
count = 7
[[unit.range]]
table = "coils"
address = 3
type = "bool"
values = [true, false, true]
[[unit]]
number = 7
[[unit.range]]
table = "input"
address = 0
type = "int16"
values = [-5, 6]
"""


def slaves(folder: Path, listen: str) -> Iterator[str]:
    (folder / "map.toml").write_text(MAP)
    words = [sys.executable, "-m", "edgelite_sim.devices.modbus_slave", str(folder / "map.toml"), "--listen", listen]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1].removeprefix("tcp:")
        finally:
            process.terminate()


@pytest.fixture
def tcp(tmp_path: Path) -> Iterator[str]:
    yield from slaves(tmp_path, "tcp:127.0.0.1:0")


@pytest.fixture
def line(tmp_path: Path) -> Iterator[str]:
    yield from slaves(tmp_path, "pty")


def modbus(*words: str, code: int = 0) -> str:
    """What it says on its output, or where it fails on its error output."""
    words = (sys.executable, "-m", "edgelite_cli", "modbus", *words)
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr if code else done.stdout


def cells(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_who_answers_is_told_with_what_it_is(tcp: str) -> None:
    found = modbus("scan", tcp, "--units", "1-8,20")
    assert [row[0] for row in cells(found)] == ["UNIT", "1", "7"]
    assert "Example Meter 3" in found
    assert "Modbus exception 2" in found


def test_the_ranges_of_a_device_are_found(tcp: str) -> None:
    found = modbus("scan", tcp, "--registers", "--unit", "1")
    assert cells(found)[1:] == [["coil", "3", "5", "3"], ["holding", "0", "5", "6"], ["holding", "300", "306", "7"]]
    assert "none of the addresses" in modbus("scan", tcp, "--registers", "--unit", "1", "--addresses", "7-9", code=1)


def test_values_are_read_by_type_and_guessed_without(tcp: str) -> None:
    assert modbus("read", tcp, "holding", "0", "3", "--type", "float32", "-q") == "21.5\n-3.0\n1234.5\n"
    assert modbus("read", tcp, "input", "0", "2", "--unit", "7", "--type", "int16", "-q") == "-5\n6\n"
    assert modbus("read", tcp, "coil", "3", "3", "-q") == "True\nFalse\nTrue\n"
    guessed = cells(modbus("read", tcp, "hold", "0", "2"))
    assert guessed[1][:3] == ["0", "41ac", "16812"] and "21.5" in guessed[1]


def test_what_is_written_is_read_back(tcp: str) -> None:
    assert modbus("write", tcp, "holding", "0", "30.25", "8", "--type", "float32") == (
        "holding 0: 21.5 -> 30.25  ok\nholding 2: -3.0 -> 8.0  ok\n"
    )
    assert modbus("write", tcp, "coil", "4", "on") == "coil 4: False -> True  ok\n"
    assert modbus("write", tcp, "holding", "300", "AB", "--type", "string").endswith("-> AB  ok\n")
    assert modbus("read", tcp, "holding", "0", "--type", "float32", "-q") == "30.25\n"


def test_polling_counts_what_failed(tcp: str) -> None:
    assert len(modbus("poll", tcp, "holding", "0", "--every", "0.05", "--times", "3").splitlines()) == 3
    told = modbus("poll", tcp, "holding", "50", "--every", "0.05", "--times", "2", code=1)
    assert "2 polls, 2 failed" in told and "2 times: Modbus exception 2" in told


def test_a_serial_line_is_spoken_rtu(line: str) -> None:
    found = modbus("scan", line, "--units", "1-3,7", "--timeout-ms", "150")
    assert [row[0] for row in cells(found)] == ["UNIT", "1", "7"]
    assert modbus("read", line, "holding", "0", "--type", "float32", "-q") == "21.5\n"
    told = modbus("read", line, "holding", "0", "--unit", "9", "--timeout-ms", "100", code=3)
    assert "no answer within 100 ms" in told and "edgelite modbus scan" in told


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["read", "127.0.0.1:1", "holding", "0"], 3, "nobody listens there"),
        (["read", "127.0.0.1", "foo", "0"], 2, "coil, discrete, input, holding"),
        (["read", "127.0.0.1", "holding", "65535", "2"], 2, "count: 2 values from address 65535 on"),
        (["read", "127.0.0.1", "holding", "0", "--unit", "300"], 2, "--unit: a number from 0 to 255"),
        (["read", "/dev/absent", "holding", "0", "--framing", "tcp"], 2, "--framing tcp is not for a serial line"),
        (["read", "/dev/absent", "holding", "0"], 1, "cannot open /dev/absent"),
        (["read", "host:0x", "holding", "0"], 2, "give HOST, HOST:PORT or the path"),
        (["write", "127.0.0.1", "input", "0", "1"], 2, "only coil and holding can be written"),
        (["write", "127.0.0.1", "holding", "0", "70000"], 2, "does not fit uint16"),
        (["write", "127.0.0.1", "coil", "0", "maybe"], 2, "'maybe': is no bool"),
        (["scan", "127.0.0.1", "--units", "1-"], 2, "such as 1-32,100"),
        (["poll", "127.0.0.1", "holding", "0", "--every", "0"], 2, "--every"),
    ],
)
def test_what_is_wrong_is_named(words: list[str], code: int, said: str) -> None:
    assert said in modbus(*words, code=code)


def test_targets_as_people_type_them() -> None:
    assert (parse_target("plc", None, 0, "").port, parse_target("plc:1502", "rtu", 0, "").framing) == (502, "rtu")
    assert parse_target("[::1]:5020", None, 0, "").host == "::1"
    assert parse_target("fe80::1", None, 0, "").host == "fe80::1"
    assert str(parse_target("/dev/ttyUSB0", None, 9600, "8E1")) == "/dev/ttyUSB0, 9600 baud 8E1"
    with pytest.raises(Failure):
        parse_target(":502", None, 0, "")


def test_ranges_that_touch_are_one() -> None:
    assert joined([(5, 9), (0, 4), (11, 11)]) == [(0, 9), (11, 11)]
