"""The Modbus driver and the devices above it against pymodbus' server, over real TCP on loopback."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

sys.path.insert(0, str(Path(__file__).parents[1] / "edgelite" / "portable"))

from device_fakes import Recorder, device_map, property_row

from edgelite.devices import Devices
from edgelite.effects import Close, Open
from edgelite_protocol import messages

WAIT_S = 10.0


class Server:
    """pymodbus' server in a thread of its own, stopped and started again on the same port."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[Any] = []

    def start(self) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(WAIT_S)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.create_task, self._server.shutdown())
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()

    def note(self, is_sending: bool, pdu: Any) -> Any:
        if not is_sending:
            self.requests.append((pdu.dev_id, pdu.function_code, pdu.address, pdu.count))
        return pdu

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        device = SimDevice(
            1,
            (
                [SimData(0, values=[True, False] * 8, datatype=DataType.BITS)],
                [SimData(16, values=[False, True] * 8, datatype=DataType.BITS)],
                [
                    SimData(100, values=-1234, datatype=DataType.INT32),
                    SimData(110, values=[7, 8], datatype=DataType.UINT16),
                ],
                [
                    SimData(0, values=230.5, datatype=DataType.FLOAT32),
                    SimData(2, values=123456789012, datatype=DataType.INT64),
                    SimData(20, values="SDM630", datatype=DataType.STRING),
                    SimData(200, values=2.5, datatype=DataType.FLOAT64),
                ],
            ),
        )
        self._server = ModbusTcpServer(device, address=("127.0.0.1", self.port), trace_pdu=self.note)
        await self._server.serve_forever(background=True)
        self.port = self._server.transport.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self._ready.set()
        await self._server.serving


class Port:
    """A port in forty lines: it opens what is asked for, moves bytes, and steps."""

    def __init__(self, devices: Devices, recorder: Recorder) -> None:
        self.devices = devices
        self.recorder = recorder
        self.sockets: dict[Any, socket.socket] = {}
        self.refusals = 0

    def now_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def run_until(self, condition: Any) -> None:
        end = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < end, "nothing came of it"
            deadline_ms = self.devices.step(self.now_ms())
            self.carry_out()
            for channel, connection in list(self.sockets.items()):
                data = channel.data_to_send(4096)
                if data:
                    connection.sendall(data)
            self.wait(deadline_ms)

    def carry_out(self) -> None:
        effects, self.recorder.effects[:] = list(self.recorder.effects), []
        for effect in effects:
            if isinstance(effect, Open):
                try:
                    self.sockets[effect.channel] = socket.create_connection(effect.target[1:], timeout=WAIT_S)
                except OSError as error:
                    self.refusals += 1
                    effect.channel.closed(str(error), self.now_ms())
                else:
                    effect.channel.opened(self.now_ms())
            elif isinstance(effect, Close):
                self.end(effect.channel, "closed")

    def wait(self, deadline_ms: int | None) -> None:
        wait_ms = 50 if deadline_ms is None else max(0, min(50, deadline_ms - self.now_ms()))
        ready, _, _ = select.select(list(self.sockets.values()), [], [], wait_ms / 1000)
        for channel, connection in list(self.sockets.items()):
            if connection in ready:
                try:
                    data = connection.recv(4096)
                except OSError:
                    data = b""
                if data:
                    channel.received(data, self.now_ms())
                else:
                    self.end(channel, "closed by the peer")

    def end(self, channel: Any, reason: str) -> None:
        self.sockets.pop(channel).close()
        channel.closed(reason, self.now_ms())

    def close(self) -> None:
        for connection in self.sockets.values():
            connection.close()


class Site:
    def __init__(self, server: Server) -> None:
        self.server = server
        self.recorder = Recorder()
        self.devices = Devices(self.recorder.context)
        self.port = Port(self.devices, self.recorder)

    def set(self, rows: list[Any], key: str = "default/meter", **protocol: Any) -> None:
        config = {"ip": "127.0.0.1", "port": self.server.port, "slaveID": 1, **protocol}
        self.devices.set_desired(key, device_map(rows, "modbus", config), self.port.now_ms())


@pytest.fixture
def site() -> Iterator[Site]:
    server = Server()
    server.start()
    site = Site(server)
    yield site
    site.port.close()
    server.stop()


def row(name: str, property_type: str, register: str, offset: int, **options: Any) -> Any:
    config = {"register": register, "offset": offset, **options.pop("config", {})}
    return property_row(name, property_type, visitor=config, **{"collect_ms": 50, **options})


def twin_of(site: Site, name: str) -> Any:
    bodies = [body for _, body, _ in site.recorder.reports if body.get(messages.REPORT) == messages.REPORT_TWIN]
    return next((body for body in reversed(bodies) if body[messages.TWIN_PROPERTY] == name), {})


def test_every_table_and_type(site: Site) -> None:
    site.set(
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
    site.port.run_until(lambda: site.recorder.reports)
    assert site.recorder.telemetry()[0] == {
        "coil": True,
        "contact": True,
        "setting": -1234,
        "volts": 230.5,
        "large": 123456789012,
        "name": "SDM630",
        "double": 2.5,
    }
    assert site.recorder.states() == [("online", "")]


def test_neighbours_are_read_in_one_request(site: Site) -> None:
    site.set(
        [
            row("volts", "FLOAT", "InputRegister", 0, config={"limit": 2}, collect_ms=60_000),
            row("large", "INT", "InputRegister", 2, config={"limit": 4}, collect_ms=60_000),
        ]
    )
    site.port.run_until(lambda: site.recorder.reports)
    assert site.server.requests == [(1, 4, 0, 6)]


def test_a_refused_register_is_bad_by_the_exception_s_name(site: Site) -> None:
    site.set(
        [
            row("a", "INT", "HoldingRegister", 110, collect_ms=60_000),
            row("b", "INT", "HoldingRegister", 111, collect_ms=60_000),
            row("missing", "INT", "HoldingRegister", 113, collect_ms=60_000),
        ]
    )
    site.port.run_until(lambda: twin_of(site, "missing"))
    assert twin_of(site, "missing")[messages.TWIN_QUALITY] == "bad"
    assert twin_of(site, "missing")[messages.TWIN_ERROR] == "Modbus exception 2: illegal data address"
    assert site.recorder.telemetry() == [{"a": 7, "b": 8}]


def test_desired_values_are_written_and_read_back(site: Site) -> None:
    site.set(
        [
            row("setting", "INT", "HoldingRegister", 100, config={"limit": 2}, writable=True, desired="77"),
            row("single", "INT", "HoldingRegister", 110, writable=True, desired="9"),
            row("coil", "BOOLEAN", "CoilRegister", 2, writable=True, desired="false"),
        ]
    )
    names = {"setting": "77", "single": "9", "coil": "false"}
    site.port.run_until(
        lambda: all(twin_of(site, name).get(messages.TWIN_REPORTED) == value for name, value in names.items())
    )
    assert sorted(code for _, code, _, _ in site.server.requests if code > 4) == [5, 6, 16]


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
