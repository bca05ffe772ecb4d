"""A driver's real program behind its socket, and the contract suite over it."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "portable"))
import remote_peer

from edgelite_drivers.remote import Raw
from edgelite_drivers.testing import ContractBroken, Subject, Wire, check_driver
from edgelite_drivers.testing_process import Program
from edgelite_protocol import messages

PROGRAM = str(Path(__file__).parent / "far_program.py")
ROW: dict[int, object] = {messages.PROPERTY_TYPE: "FLOAT"}


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setenv("FAR_PIPE", str(tmp_path / "pipe"))
    with (
        (tmp_path / "log").open("w") as log,
        Program([sys.executable, PROGRAM], "far", str(tmp_path), log.fileno(), lambda: say(tmp_path)) as running,
    ):
        yield running


def say(folder: Path, *values: float) -> None:
    with (folder / "pipe").open("w") as pipe:
        pipe.write("".join(f"{value:g}\n" for value in values or (7.5,)))


def subject(program: Program, **values: float) -> Subject:
    return Subject(
        remote_peer,
        {"place": "roof"},
        {
            "inside": ({"sensor": "one"}, ROW),
            "outside": ({"sensor": "two"}, ROW),
            "weight": ({"sensor": "three", "listen": True}, ROW),
        },
        {"inside": 21.5, "outside": -3.25, **values},
        program.peer,
        heard={"weight": 7.5},
    )


def test_the_real_program_keeps_the_contract(program: Program) -> None:
    check_driver(subject(program))


def test_the_suite_notices_what_the_program_says_wrong(program: Program) -> None:
    with pytest.raises(ContractBroken, match="22"):
        check_driver(subject(program, inside=22.0))


def test_its_socket_is_its_owners_alone(program: Program) -> None:
    program.connect().close()
    assert stat.S_IMODE(os.stat(program.path).st_mode) == 0o600


def errors_of(program: Program, sensor: str) -> tuple[dict[str, str], bool]:
    wire = Wire(subject(program))
    wire.visitors = {"inside": Raw({"sensor": sensor}, "FLOAT")}
    wire.submit(None, ["inside"])
    (result,) = wire.wait(1)
    return result.errors, result.answered


def test_what_a_driver_raises_becomes_a_bad_property_or_an_offline_device(program: Program) -> None:
    assert errors_of(program, "broken") == ({"inside": "the sensor is broken"}, True)
    assert errors_of(program, "away") == ({"inside": "nobody there"}, False)


def test_a_bug_ends_the_program_with_a_traceback(program: Program, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError):
        errors_of(program, "bug")
    assert program.process.wait(20) == 1
    assert "KeyError: 'a bug of the driver'" in (tmp_path / "log").read_text()


def test_a_new_agent_takes_the_place_of_the_one_before(program: Program) -> None:
    first, second = program.connect(), program.connect()
    assert first.recv(100), "its hello"
    assert first.recv(100) == b"" and second.recv(100)
    first.close()
    second.close()


def test_garbage_closes_the_connection_and_not_the_program(program: Program, tmp_path: Path) -> None:
    connection = program.connect()
    connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert connection.recv(100)
    assert connection.recv(100) == b""
    connection.close()
    check_driver(subject(program))
    assert "the connection with the agent is closed: it broke the protocol" in (tmp_path / "log").read_text()
