"""pymodbus' server, over TCP or on a pty, and a port that lets our devices talk to it."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import sys
import threading
import time
import tty
from pathlib import Path
from typing import Any

from pymodbus.framer import FramerType
from pymodbus.pdu.device import ModbusDeviceIdentification
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

sys.path.insert(0, str(Path(__file__).parents[1] / "edgelite" / "portable"))

from device_fakes import Recorder, device_map, property_row

from edgelite.devices import Devices
from edgelite.effects import Close, Open
from edgelite_protocol import messages

BAUD = 38400
IDENTITY = ModbusDeviceIdentification(
    info_name={"VendorName": "Acme", "ProductCode": "X1", "MajorMinorRevision": "2.0", "ModelName": "X" * 200}
)
WAIT_S = 10.0


class Server:
    """pymodbus' server in a thread of its own, stopped and started again on the same port, or on the same line."""

    def __init__(self, framing: str = "tcp", line: str = "") -> None:
        self.framing = framing
        self.line = line
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

    def _make(self, device: SimDevice) -> Any:
        framer = {"tcp": FramerType.SOCKET, "rtu": FramerType.RTU, "ascii": FramerType.ASCII}[self.framing]
        if self.line:
            return ModbusSerialServer(
                device,
                framer=framer,
                port=self.line,
                baudrate=BAUD,
                trace_pdu=self.note,
                identity=IDENTITY,
            )
        return ModbusTcpServer(
            device,
            framer=framer,
            address=("127.0.0.1", self.port),
            trace_pdu=self.note,
            identity=IDENTITY,
        )

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        device = SimDevice(
            1,
            (
                [SimData(0, values=[True, False] * 8, datatype=DataType.BITS)],
                [SimData(16, values=[False, True] * 8, datatype=DataType.BITS)],
                [
                    SimData(0, values=list(range(10)), datatype=DataType.UINT16),
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
        self._server = self._make(device)
        await self._server.serve_forever(background=True)
        if not self.line:
            self.port = self._server.transport.sockets[0].getsockname()[1]
        self._ready.set()
        await self._server.serving


class Terminal:
    """The far end of a pty, with the methods of a socket. A server has the near end by its name."""

    def __init__(self) -> None:
        self._descriptor, self._near = os.openpty()
        tty.setraw(self._near)
        self.path = os.ttyname(self._near)

    def fileno(self) -> int:
        return self._descriptor

    def sendall(self, data: bytes) -> None:
        os.write(self._descriptor, data)

    def recv(self, size_bytes: int) -> bytes:
        return os.read(self._descriptor, size_bytes)

    def close(self) -> None:
        """The channel has ended; the line is still there."""

    def remove(self) -> None:
        os.close(self._descriptor)
        os.close(self._near)


class Port:
    """A port in some lines: it opens what is asked for, moves bytes, and steps."""

    def __init__(self, devices: Devices, recorder: Recorder) -> None:
        self.devices = devices
        self.recorder = recorder
        self.sockets: dict[Any, Any] = {}
        self.lines: dict[str, Terminal] = {}
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
                    self.sockets[effect.channel] = self.connect(effect.target)
                except OSError as error:
                    self.refusals += 1
                    effect.channel.closed(str(error), self.now_ms())
                else:
                    effect.channel.opened(self.now_ms())
            elif isinstance(effect, Close):
                self.end(effect.channel, "closed")

    def connect(self, target: Any) -> Any:
        if target[0] == "serial":
            return self.lines[target[1]]
        return socket.create_connection(target[1:3], timeout=WAIT_S)

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

    def config(self) -> dict[str, Any]:
        framing = self.server.framing
        if self.server.line:
            return {"serialPort": self.server.line, "baudRate": BAUD, "framing": framing}
        return {"ip": "127.0.0.1", "port": self.server.port, "framing": framing}

    def set(self, rows: list[Any], key: str = "default/meter", **protocol: Any) -> None:
        config = {**self.config(), "slaveID": 1, **protocol}
        self.devices.set_desired(key, device_map(rows, "modbus", config), self.port.now_ms())


def row(name: str, property_type: str, register: str, offset: int, **options: Any) -> Any:
    config = {"register": register, "offset": offset, **options.pop("config", {})}
    return property_row(name, property_type, visitor=config, **{"collect_ms": 50, **options})


def twin_of(site: Site, name: str) -> Any:
    bodies = [body for _, body, _ in site.recorder.reports if body.get(messages.REPORT) == messages.REPORT_TWIN]
    return next((body for body in reversed(bodies) if body[messages.TWIN_PROPERTY] == name), {})
