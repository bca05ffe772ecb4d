"""A node between a device and a PLC: the agent's core on its Linux loop reads libmodbus' server, and shows it again to
libmodbus' and pymodbus' clients, over TCP and a serial line."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import ModbusTcpClient

sys.path.append(str(Path(__file__).parents[1]))

from bench.device_agent import DeviceAgent
from peers import libmodbus, terminals

from edgelite_ports.linux import clock
from edgelite_protocol import messages

WAIT_S = 15.0
TICK_MS = 20
CYCLE_MS = 50


class Node:
    """The agent in a thread of its own; `do` runs a function there."""

    def __init__(self, folder: Path) -> None:
        self.agent = DeviceAgent(str(folder))
        self._waiting: list[Callable[[], Any]] = []
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def do(self, function: Callable[[], Any]) -> Any:
        done = threading.Event()
        found: list[Any] = []

        def there() -> None:
            found.append(function())
            done.set()

        self._waiting.append(there)
        assert done.wait(WAIT_S)
        return found[0]

    def desire(self, name: str, driver: str, protocol: dict[str, Any], rows: list[dict[int, Any]]) -> None:
        device = {
            messages.DEVICE_UID: "u-" + name,
            messages.DEVICE_NAMESPACE: "default",
            messages.DEVICE_NAME: name,
            messages.DEVICE_DRIVER: driver,
            messages.DEVICE_PROTOCOL: protocol,
            messages.DEVICE_PROPERTIES: rows,
            messages.DEVICE_GENERATION: 1,
        }
        devices = self.agent.node.devices
        self.do(lambda: devices.set_desired("default/" + name, device, clock.monotonic_ms()))

    def state(self, name: str) -> str:
        view = self.do(lambda: self.agent.node.devices.view("default/" + name))
        return f"{view.state} {view.reason}".strip()

    def close(self) -> None:
        self._is_closing = True
        self._thread.join(WAIT_S)

    def _run(self) -> None:
        while not self._is_closing:
            while self._waiting:
                self._waiting.pop(0)()
            self.agent.run(TICK_MS)


def row(name: str, offset: int, writable: bool, **more: Any) -> dict[int, Any]:
    return {
        messages.PROPERTY_NAME: name,
        messages.PROPERTY_TYPE: "INT",
        messages.PROPERTY_WRITABLE: writable,
        messages.PROPERTY_VISITOR: {"register": "HoldingRegister", "offset": offset, "type": "uint16", **more},
        messages.PROPERTY_COLLECT_MS: CYCLE_MS,
        messages.PROPERTY_MAXIMUM: "5000",
    }


def until(condition: Callable[[], bool], what: Callable[[], object]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, what()
        time.sleep(0.02)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path)
    yield node
    node.close()


@pytest.fixture
def device() -> Iterator[str]:
    """The port of the device that the node reads."""
    with libmodbus.server("tcp", "0") as server:
        yield libmodbus.address_of(server)


def connect(node: Node, device: str, **place: Any) -> None:
    meter = [row("level", 7, False), row("setpoint", 40, True)]
    node.desire("meter", "modbus", {"ip": "127.0.0.1", "port": int(device)}, meter)
    shown = [row("level", 0, False, device="meter"), row("setpoint", 1, True, device="meter")]
    node.desire("face", "modbus_server", {**place, "unitId": 3}, shown)
    until(lambda: node.state("face") == "online", lambda: node.state("face"))
    until(lambda: node.state("meter") == "online", lambda: node.state("meter"))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_a_plc_reads_and_writes_through_the_node_over_tcp(node: Node, device: str) -> None:
    port = free_port()
    connect(node, device, listen=f"127.0.0.1:{port}")
    with libmodbus.client("tcp", str(port), "3") as plc, libmodbus.client("tcp", device, "1") as at_the_device:
        assert plc.ask(3, 0, 2) == [7, 40]
        at_the_device.ask(6, 7, 1234)
        until(lambda: plc.ask(3, 0, 1) == [1234], lambda: plc.ask(3, 0, 1))
        assert plc.ask(6, 1, 777) == []
        until(lambda: at_the_device.ask(3, 40, 1) == [777], lambda: at_the_device.ask(3, 40, 1))
        until(lambda: plc.ask(3, 1, 1) == [777], lambda: plc.ask(3, 1, 1))
        assert plc.ask(6, 1, 5001) == "Illegal data value"
        assert plc.ask(6, 0, 1) == "Illegal data address"
        assert plc.ask(3, 2, 1) == "Illegal data address"
    client: Any = ModbusTcpClient("127.0.0.1", port=port, timeout=5)
    assert client.connect()
    assert client.read_holding_registers(0, count=2, device_id=3).registers == [1234, 777]
    assert client.read_holding_registers(0, count=2, device_id=4).exception_code == 11
    assert not client.write_registers(1, [778], device_id=3).isError()
    client.close()


def test_a_plc_reads_and_writes_through_the_node_over_a_serial_line(node: Node, device: str) -> None:
    with terminals.pair() as (ours, theirs):
        connect(node, device, serialPort=ours, baudRate=libmodbus.BAUD)
        with libmodbus.client("rtu", theirs, str(libmodbus.BAUD), "3") as plc:
            assert plc.ask(3, 0, 2) == [7, 40]
            assert plc.ask(16, 1, 99) == []
            until(lambda: plc.ask(3, 1, 1) == [99], lambda: plc.ask(3, 1, 1))
            assert plc.ask(23, 0, 2, 1, 98) in ([7, 99], [7, 98])


def test_a_device_that_is_gone_is_an_exception_for_the_plc_and_comes_back(node: Node, tmp_path: Path) -> None:
    port = free_port()
    with libmodbus.server("tcp", "0") as server:
        device = libmodbus.address_of(server)
        connect(node, device, listen=f"127.0.0.1:{port}")
        with libmodbus.client("tcp", str(port), "3") as plc:
            assert plc.ask(3, 0, 1) == [7]
    with libmodbus.client("tcp", str(port), "3") as plc:
        until(lambda: plc.ask(3, 0, 1) == "Slave device or server failure", lambda: plc.ask(3, 0, 1))
        with libmodbus.server("tcp", device):
            until(lambda: plc.ask(3, 0, 1) == [7], lambda: plc.ask(3, 0, 1))


def test_a_port_in_use_is_said(node: Node, device: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = {"listen": f"127.0.0.1:{taken.getsockname()[1]}"}
        node.desire("face", "modbus_server", place, [row("level", 0, False, device="meter")])
        until(lambda: node.state("face").startswith("offline"), lambda: node.state("face"))
        assert "in use" in node.state("face")
    until(lambda: node.state("face") == "online", lambda: node.state("face"))


def test_strangers_do_not_harm_the_node(node: Node, device: str) -> None:
    port = free_port()
    connect(node, device, listen=f"127.0.0.1:{port}")
    for data in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\1\0\0\0\6\3\3\0\0\0",
        b"\xff" * 4096,
        b"\0\1\0\0\0\6\3\3\0\0\0\2" * 500,
    ):
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(data)
    many = [socket.create_connection(("127.0.0.1", port)) for _ in range(30)]
    with libmodbus.client("tcp", str(port), "3") as plc:
        assert plc.ask(3, 0, 2) == [7, 40]
    for one in many:
        one.close()
