"""A driver that raises, under real agents: they go on, and so do other devices; the log says where it was."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgelite_protocol import messages as m

sys.path.insert(0, str(Path(__file__).parent))
from agent_site import AgentSite, wait_until
from hub_peer import HubPeer
from micropython_site import MicroPythonSite

SITES: dict[str, type[AgentSite]] = {"cpython": AgentSite, "micropython": MicroPythonSite}
HERE = Path(__file__).parent
LINE = (HERE / "bad_driver.py").read_text().split("raise LookupError")[0].count("\n") + 1


class Instrument:
    """Answers each line with `says`."""

    def __init__(self, says: bytes) -> None:
        self.says = says
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                while connection.recv(100):
                    connection.sendall(self.says)
            except OSError:
                return

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def instruments() -> Iterator[tuple[Instrument, Instrument]]:
    pair = Instrument(b"21.5\n"), Instrument(b"poison\n")
    yield pair
    for one in pair:
        one.close()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubPeer]:
    made = HubPeer(tmp_path / "hub")
    yield made
    made.cut()


@pytest.fixture(params=SITES)
def site(request: pytest.FixtureRequest, hub: HubPeer, tmp_path: Path) -> Iterator[AgentSite]:
    made = SITES[request.param](tmp_path / "node").make_node(hub, drivers="bad:bad_driver", driver_path=HERE)
    yield made
    made.end()


def put(hub: HubPeer, name: str, protocol: dict[str, object]) -> None:
    row: dict[int, object] = {
        m.PROPERTY_NAME: "value",
        m.PROPERTY_TYPE: "FLOAT",
        m.PROPERTY_WRITABLE: False,
        m.PROPERTY_VISITOR: {},
        m.PROPERTY_COLLECT_MS: 100,
        m.PROPERTY_REPORT_MS: 0,
        m.PROPERTY_REPORT_TO_CLOUD: True,
    }
    device: dict[int, object] = {
        m.DEVICE_UID: "uid-" + name,
        m.DEVICE_NAMESPACE: "default",
        m.DEVICE_NAME: name,
        m.DEVICE_DRIVER: "bad",
        m.DEVICE_PROTOCOL: protocol,
        m.DEVICE_PROPERTIES: [row],
        m.DEVICE_GENERATION: 1,
    }
    hub.put(m.KIND_DEVICE, "default/" + name, device)


def count_of(hub: HubPeer, kind: int, key: int, name: str) -> list[dict[int, object]]:
    return [body for _, _, _, body in list(hub.reports) if body[m.REPORT] == kind and body[key] == f"default/{name}"]


def states(hub: HubPeer, name: str) -> list[tuple[object, object]]:
    bodies = count_of(hub, m.REPORT_DEVICE, m.DEVICE_STATE_DEVICE, name)
    return [(body[m.DEVICE_STATE], body.get(m.DEVICE_STATE_REASON, "")) for body in bodies]


def readings(hub: HubPeer, name: str) -> int:
    return len(count_of(hub, m.REPORT_TELEMETRY, m.TELEMETRY_DEVICE, name))


def test_it_costs_its_own_device_and_nobody_else(
    site: AgentSite, hub: HubPeer, instruments: tuple[Instrument, Instrument]
) -> None:
    good, poisonous = instruments
    site.start()
    put(hub, "good", {"port": good.port})
    put(hub, "poisoned", {"port": poisonous.port})
    put(hub, "incomplete", {})

    def until(done: Callable[[], object]) -> None:
        wait_until(done, 30.0, lambda: site.log()[-2000:])

    until(lambda: states(hub, "poisoned") and states(hub, "incomplete"))
    assert states(hub, "poisoned") == [
        ("offline", "driver bad failed in received: LookupError: a table has no such row")
    ]
    (refused,) = states(hub, "incomplete")
    assert refused[0] == "unhealthy" and "driver bad failed in check_protocol: KeyError: " in str(refused[1])
    assert f"its bus is made anew in 1 s (bad_driver.py:{LINE})" in site.log()
    before = readings(hub, "good")
    until(lambda: readings(hub, "good") > before + 5)
    poisonous.says = b"7\n"
    until(lambda: readings(hub, "poisoned") > 1)
    assert states(hub, "good") == [("online", "")]
    capabilities = hub.hellos[0][m.HELLO_CAPABILITIES]
    assert isinstance(capabilities, dict) and {"bad", "modbus"} <= set(capabilities["drivers"])
    assert site.stop() == 0
