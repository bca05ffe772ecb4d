"""Brokers that hang, lie and flood, against a real agent under both runtimes: its loop never waits for them.

How long the agent's loop was busy elsewhere is measured by pings over the local bus. What a ping waited because this
machine had no processor free, for the agent or for the test, is the kernel's to tell (schedstat), and taken off."""

from __future__ import annotations

import random
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgelite_ports.common.bus_client import Client

sys.path.insert(0, str(Path(__file__).parent))
from agent_site import AgentSite, wait_until
from hub_peer import HubPeer
from test_agent import SITES

DELAY_MS_MAX = 50
SCENE_S = 0.4
ACCEPTED = b"\x20\x02\0\0"


def stay(connection: socket.socket, data: bytes = b"", reads: bool = True) -> None:
    """Send it, and then nothing until the scene is over or the agent has gone."""
    end_s = time.monotonic() + SCENE_S
    connection.setblocking(False)
    while time.monotonic() < end_s:
        _, writable, _ = select.select([], [connection] if data else [], [], 0.02)
        if writable:
            data = data[connection.send(data) :]
        if reads:
            try:
                if not connection.recv(65536):
                    return
            except BlockingIOError:
                continue


def drip(connection: socket.socket, data: bytes) -> None:
    for at in range(len(data)):
        connection.sendall(data[at : at + 1])
        time.sleep(SCENE_S / len(data))


def drop(connection: socket.socket, data: bytes) -> None:
    connection.recv(1000)
    connection.sendall(data)


def with_reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def message(payload: bytes, qos: int = 0) -> bytes:
    topic = b"edgelite/to/kitchen/lamp"
    body = len(topic).to_bytes(2, "big") + topic + (b"\0\7" if qos else b"") + payload
    assert len(body) < 128
    return bytes([0x30 | qos << 1, len(body)]) + body


NOISE = random.Random(1).randbytes(200_000)
SCENES: dict[str, Callable[[socket.socket], None]] = {
    "says nothing": stay,
    "half an answer": lambda one: stay(one, b"\x20\x02\0"),
    "noise": lambda one: stay(one, NOISE),
    "noise behind the answer": lambda one: stay(one, ACCEPTED + NOISE),
    "a length of five bytes": lambda one: stay(one, ACCEPTED + b"\x30\xff\xff\xff\xff\xff"),
    "256 MB announced": lambda one: stay(one, ACCEPTED + b"\x30\xff\xff\xff\x7f\0\1x" + bytes(1_000_000)),
    "a topic of 64 KB": lambda one: stay(one, ACCEPTED + b"\x30\xff\xff\xff\x7f\xff\xff" + b"x" * 1_000_000),
    "refuses": lambda one: stay(one, b"\x20\x02\0\5"),
    "answers with the wrong form": lambda one: stay(one, b"\x20\x05\0\0\0\0\0"),
    "a SUBACK for nothing": lambda one: stay(one, ACCEPTED + b"\x90\x03\x77\x77\1"),
    "drops in the middle": lambda one: drop(one, ACCEPTED + message(b"1")[:20]),
    "resets": with_reset,
    "drips": lambda one: drip(one, ACCEPTED + message(b"drip", 1) * 5),
    "floods": lambda one: stay(one, ACCEPTED + message(b"") * 10_000),
    "floods with what no packet is shorter than": lambda one: stay(one, ACCEPTED + b"\x30\3\0\1x" * 20_000),
    "floods and reads no answer": lambda one: stay(one, ACCEPTED + message(b"", 1) * 10_000, reads=False),
    "refuses what it must not": lambda one: stay(one, b"\xd0\0" * 30_000),
}


class HostileBroker:
    """Plays one scene after the other, one for each connection."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.played: list[str] = []
        self._scenes = iter(SCENES.items())
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        for name, scene in self._scenes:
            try:
                connection, _ = self._server.accept()
                with connection:
                    scene(connection)
            except OSError:
                if self._server.fileno() < 0:
                    return
            self.played.append(name)
        self._server.close()

    def end(self) -> None:
        self._scenes = iter({}.items())
        self._server.close()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubPeer]:
    made = HubPeer(tmp_path / "hub")
    yield made
    made.cut()


@pytest.fixture
def broker() -> Iterator[HostileBroker]:
    made = HostileBroker()
    yield made
    made.end()


@pytest.fixture(params=SITES)
def site(request: pytest.FixtureRequest, hub: HubPeer, broker: HostileBroker, tmp_path: Path) -> Iterator[AgentSite]:
    made = SITES[request.param](tmp_path / "node")
    made.make_node(hub, mqtt=f"127.0.0.1:{broker.port}", bus="yes", backoff_cap_ms=300)
    made.start()
    yield made
    made.end()


def test_no_broker_delays_the_agent(broker: HostileBroker, site: AgentSite) -> None:
    path = site.runtime() / "sockets" / "bus.sock"
    wait_until(path.exists, what=site.log)
    client = Client(str(path))
    delays: dict[str, float] = {}
    count = 0
    try:
        end_s = time.monotonic() + 100
        while len(broker.played) < len(SCENES):
            assert time.monotonic() < end_s, (broker.played, site.log())
            name = f"after {broker.played[-1]}" if broker.played else "first"
            delays[name] = max(delays.get(name, 0.0), ping_ms(client, site.pid))
            count += 1
            time.sleep(0.002)
    finally:
        client.close()
    sys.stdout.write(f"{count} pings; ms at most: " + ", ".join(f"{n}: {d:.1f}" for n, d in delays.items()) + "\n")
    assert count > 100
    assert max(delays.values()) <= DELAY_MS_MAX, delays
    assert site.process is not None
    assert site.process.poll() is None
    assert site.stop() == 0


def ping_ms(client: Client, pid: int) -> float:
    """How long the agent's loop took to answer, without the time that it, or this test, waited for a processor."""
    before_ns = time.monotonic_ns(), queued_ns(pid), queued_ns(threading.get_native_id())
    client.ping()
    after_ns = time.monotonic_ns(), queued_ns(pid), queued_ns(threading.get_native_id())
    whole_ns, agent_ns, own_ns = (after - before for after, before in zip(after_ns, before_ns, strict=True))
    return (whole_ns - agent_ns - own_ns) / 1e6


def queued_ns(pid: int) -> int:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1])
