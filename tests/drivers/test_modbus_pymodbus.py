"""The Modbus driver and the devices above it against pymodbus' server, over real TCP on loopback."""

from __future__ import annotations

import socket
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from pymodbus_site import WAIT_S, Server, Site, Terminal, row, twin_of

from edgelite_protocol import messages

MEDIA = ("tcp", "rtu through tcp", "ascii through tcp", "rtu on a line", "ascii on a line")


def site_on(medium: str) -> Iterator[Site]:
    framing, _, place = medium.partition(" ")
    terminal = Terminal() if "line" in place else None
    server = Server(framing, terminal.path if terminal else "")
    server.start()
    site = Site(server)
    if terminal:
        site.port.lines[terminal.path] = terminal
    yield site
    site.port.close()
    server.stop()
    if terminal:
        terminal.remove()


@pytest.fixture
def site() -> Iterator[Site]:
    yield from site_on("tcp")


@pytest.fixture(params=MEDIA)
def any_site(request: pytest.FixtureRequest) -> Iterator[Site]:
    yield from site_on(request.param)


def test_every_table_and_type(any_site: Site) -> None:
    any_site.set(
        [
            row("coil", "BOOLEAN", "CoilRegister", 2),
            row("contact", "BOOLEAN", "DiscreteInputRegister", 17),
            row("setting", "INT", "HoldingRegister", 100, config={"limit": 2}),
            row("volts", "FLOAT", "InputRegister", 0, config={"limit": 2}),
            row("large", "INT", "InputRegister", 2, config={"limit": 4}),
            row("name", "STRING", "InputRegister", 20, config={"limit": 3}),
            row("double", "DOUBLE", "InputRegister", 200, config={"limit": 4}),
        ]
    )
    any_site.port.run_until(lambda: any_site.recorder.reports)
    assert any_site.recorder.telemetry()[0] == {
        "coil": True,
        "contact": True,
        "setting": -1234,
        "volts": 230.5,
        "large": 123456789012,
        "name": "SDM630",
        "double": 2.5,
    }
    assert any_site.recorder.states() == [("online", "")]


def test_neighbours_are_read_in_one_request(any_site: Site) -> None:
    any_site.set(
        [
            row("volts", "FLOAT", "InputRegister", 0, config={"limit": 2}, collect_ms=60_000),
            row("large", "INT", "InputRegister", 2, config={"limit": 4}, collect_ms=60_000),
        ]
    )
    any_site.port.run_until(lambda: any_site.recorder.reports)
    assert any_site.server.requests == [(1, 4, 0, 6)]


def test_a_refused_register_is_bad_by_the_exception_s_name(any_site: Site) -> None:
    any_site.set(
        [
            row("a", "INT", "HoldingRegister", 110, collect_ms=60_000),
            row("b", "INT", "HoldingRegister", 111, collect_ms=60_000),
            row("missing", "INT", "HoldingRegister", 113, collect_ms=60_000),
        ]
    )
    any_site.port.run_until(lambda: twin_of(any_site, "missing"))
    assert twin_of(any_site, "missing")[messages.TWIN_QUALITY] == "bad"
    assert twin_of(any_site, "missing")[messages.TWIN_ERROR] == "Modbus exception 2: illegal data address"
    assert any_site.recorder.telemetry() == [{"a": 7, "b": 8}]


def test_desired_values_are_written_and_read_back(any_site: Site) -> None:
    any_site.set(
        [
            row("setting", "INT", "HoldingRegister", 100, config={"limit": 2}, writable=True, desired="77"),
            row("single", "INT", "HoldingRegister", 110, writable=True, desired="9"),
            row("coil", "BOOLEAN", "CoilRegister", 2, writable=True, desired="false"),
        ]
    )
    names = {"setting": "77", "single": "9", "coil": "false"}
    any_site.port.run_until(
        lambda: all(twin_of(any_site, name).get(messages.TWIN_REPORTED) == value for name, value in names.items())
    )
    assert sorted(code for _, code, _, _ in any_site.server.requests if code > 4) == [5, 6, 16]


def test_a_server_that_goes_and_comes_back_is_read_again(site: Site) -> None:
    site.set([row("volts", "FLOAT", "InputRegister", 0, config={"limit": 2, "type": "float32"})])
    site.port.run_until(lambda: site.recorder.reports)
    site.server.stop()
    site.port.run_until(lambda: site.port.refusals)
    site.recorder.telemetry()
    site.server.start()
    site.port.run_until(site.recorder.telemetry)


def test_a_foreign_server_is_dropped_and_disturbs_no_other(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepted: list[socket.socket] = []

        def babble() -> None:
            connection, _ = listener.accept()
            accepted.append(connection)
            connection.sendall(b"220 mail.example ESMTP\r\n" * 20)

        thread = threading.Thread(target=babble, daemon=True)
        thread.start()
        site.set([row("volts", "FLOAT", "InputRegister", 0, config={"limit": 2})])
        rows = [row("x", "INT", "InputRegister", 0)]
        site.set(rows, "default/babbler", port=listener.getsockname()[1], timeoutMs=5000)
        states: dict[str, Any] = {}

        def known() -> bool:
            for body in site.recorder.take(messages.REPORT_DEVICE):
                states[body[messages.DEVICE_STATE_DEVICE]] = body
            return len(states) == 2

        site.port.run_until(known)
        thread.join(WAIT_S)
        accepted[0].close()
    assert states["default/meter"][messages.DEVICE_STATE] == "online"
    assert states["default/babbler"][messages.DEVICE_STATE] == "offline"
    assert "not Modbus: protocol id" in states["default/babbler"][messages.DEVICE_STATE_REASON]


def test_the_first_telemetry_has_the_bytes_that_pymodbus_holds(site: Site) -> None:
    site.set([row("raw", "BYTES", "InputRegister", 0, config={"limit": 2})])
    site.port.run_until(lambda: site.recorder.reports)
    assert site.recorder.telemetry()[0] == {"raw": struct.pack(">f", 230.5)}
