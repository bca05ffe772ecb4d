"""The client without an agent against pymodbus' server: every function, on every medium."""

from __future__ import annotations

import re
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from pymodbus_site import BAUD, WAIT_S, Server, Terminal

from edgelite_drivers.modbus import diagnosis, pdu
from edgelite_drivers.modbus.ascii import AsciiFraming
from edgelite_drivers.modbus.client import Client
from edgelite_drivers.modbus.framing import Framing
from edgelite_drivers.modbus.rtu import RtuFraming
from edgelite_drivers.modbus.tcp import TcpFraming

MEDIA: dict[str, Callable[[], Framing]] = {
    "tcp": TcpFraming,
    "rtu through tcp": RtuFraming,
    "ascii through tcp": AsciiFraming,
    "rtu on a line": lambda: RtuFraming(BAUD),
    "ascii on a line": lambda: AsciiFraming(BAUD),
}


class Caller:
    """What a program around `Client` does: send, wait, give up."""

    def __init__(self, client: Client, line: Any) -> None:
        self.client = client
        self.line = line

    def ask(self, request: bytes, unit: int = 1, timeout_s: float = WAIT_S) -> bytes | None:
        time.sleep(self.client.framing.idle_ms / 1000)
        self.line.sendall(self.client.ask(unit, request))
        end = time.monotonic() + timeout_s
        while (left_s := end - time.monotonic()) > 0:
            if select.select([self.line], [], [], left_s)[0]:
                data = self.client.take(self.line.recv(512))
                if data is not None:
                    return data
        return self.client.give_up()


@pytest.fixture(params=MEDIA)
def caller(request: pytest.FixtureRequest) -> Iterator[Caller]:
    framing, _, place = request.param.partition(" ")
    terminal = Terminal() if "line" in place else None
    server = Server(framing, terminal.path if terminal else "")
    server.start()
    line: Any = terminal or socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_S)
    yield Caller(Client(MEDIA[request.param]()), line)
    line.close()
    server.stop()
    if terminal:
        terminal.remove()


def test_every_data_function(caller: Caller) -> None:
    ask = caller.ask
    assert ask(pdu.read_request(1, 0, 8)) == b"\x55"
    assert ask(pdu.read_request(2, 16, 8)) == b"\xaa"
    assert ask(pdu.read_request(3, 110, 2)) == b"\0\7\0\x08"
    assert ask(pdu.read_request(4, 20, 3)) == b"SDM630"
    assert ask(pdu.write_coil_request(1, True)) == b""
    assert ask(pdu.write_coils_request(2, [False, True])) == b""
    assert ask(pdu.read_request(1, 0, 8)) == b"\x5b"
    assert ask(pdu.write_register_request(110, b"\xab\xcd")) == b""
    assert ask(pdu.mask_write_request(110, 0xFF0F, 0x0050)) == b""
    assert ask(pdu.read_request(3, 110, 1)) == b"\xab\x5d"
    assert ask(pdu.write_registers_request(110, b"\0\1\0\2")) == b""
    assert ask(pdu.read_write_request(110, 2, 111, b"\0\3")) == b"\0\1\0\3"
    with pytest.raises(pdu.ExceptionAnswer, match="illegal data address"):
        ask(pdu.read_request(3, 5000, 1))
    assert ask(pdu.read_request(4, 20, 1)) == b"SD", "a refusal disturbs nothing"


def test_diagnosis(caller: Caller) -> None:
    query = diagnosis.diagnostics_request(diagnosis.QUERY_DATA, b"\xa5\x37")
    assert diagnosis.parse_diagnostics(query, caller.ask(query) or b"") == b"\xa5\x37"
    counter = diagnosis.diagnostics_request(11)
    assert len(diagnosis.parse_diagnostics(counter, caller.ask(counter) or b"")) == 2
    assert diagnosis.parse_exception_status(caller.ask(diagnosis.exception_status_request()) or b"") in range(256)
    assert b"Acme-X1-2.0" in diagnosis.parse_server_id(caller.ask(diagnosis.server_id_request()) or b"")
    request = diagnosis.identification_request()
    assert diagnosis.parse_identification(caller.ask(request) or b"") == ({0: "Acme", 1: "X1", 2: "2.0"}, 0)
    request = diagnosis.identification_request(diagnosis.ONE_OBJECT, 5)
    assert diagnosis.parse_identification(caller.ask(request) or b"") == ({5: "X" * 200}, 0)


def test_a_slave_that_is_not_there_disturbs_nothing(caller: Caller) -> None:
    with pytest.raises(pdu.ExceptionAnswer):  # pymodbus speaks for it, as a gateway does
        caller.ask(pdu.read_request(3, 110, 1), unit=9)
    assert caller.ask(pdu.read_request(3, 110, 1)) == b"\0\7"


def test_the_documented_program_reads() -> None:
    page = (Path(__file__).parents[2] / "docs" / "modbus.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    server = Server()
    server.start()
    try:
        assert names["read_ten_registers"]("127.0.0.1", server.port) == tuple(range(10))
    finally:
        server.stop()
