"""The bus of a real agent, under both runtimes: local processes talk, and the worst of them disturbs nobody."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgelite_ports.common.bus_client import BusError, Client

sys.path.insert(0, str(Path(__file__).parent))
from agent_site import AgentSite, wait_until
from hub_peer import HubPeer
from test_agent import SITES

Connect = Callable[..., Client]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubPeer]:
    made = HubPeer(tmp_path / "hub")
    yield made
    made.cut()


@pytest.fixture(params=SITES)
def site(request: pytest.FixtureRequest, hub: HubPeer, tmp_path: Path) -> Iterator[AgentSite]:
    made = SITES[request.param](tmp_path / "node").make_node(hub, bus="yes")
    made.start()
    yield made
    made.end()


def bus_path(site: AgentSite) -> str:
    return str(site.runtime() / "sockets" / "bus.sock")


@pytest.fixture
def connect(site: AgentSite) -> Iterator[Connect]:
    made: list[Client] = []

    def make(**options: object) -> Client:
        made.append(Client(bus_path(site), **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for client in made:
        client.close()


def raw(site: AgentSite) -> socket.socket:
    """A process that speaks as it likes."""
    wait_until(lambda: os.path.exists(bus_path(site)), what=site.log)
    new = socket.socket(socket.AF_UNIX)
    new.settimeout(10)
    new.connect(bus_path(site))
    return new


def read_to_the_end(channel: socket.socket) -> bytes:
    data = b""
    while True:
        try:
            piece = channel.recv(65536)
        except ConnectionResetError:
            return data
        if not piece:
            return data
        data += piece


def test_processes_talk(site: AgentSite, connect: Connect) -> None:
    one, two = connect(name="one"), connect(name="two")
    one.subscribe("line/+")
    two.publish("line/1", "17")
    two.publish("other", "no")
    two.publish("line/2", bytes(range(256)) * 100)
    assert [(m.topic, m.payload) for m in (one.next(5), one.next(5)) if m is not None] == [
        ("line/1", b"17"),
        ("line/2", bytes(range(256)) * 100),
    ]
    assert one.next(0.05) is None
    assert one.node == "kitchen"
    with pytest.raises(BusError, match="bus_topic"):
        two.publish("a/+", "x")
    two.publish("kept", "1", retain=True)
    one.subscribe("kept")
    message = one.next(5)
    assert message is not None and message.is_retained


def test_a_client_finds_the_bus_again(site: AgentSite, connect: Connect) -> None:
    client = connect()
    client.subscribe("t")
    assert site.stop() == 0
    assert not os.path.exists(bus_path(site))
    site.start()
    client.publish("t", "after")
    message = client.next(5)
    assert message is not None and message.payload == b"after"
    site.kill()
    site.start()
    client.publish("t", "again")
    message = client.next(5)
    assert message is not None and message.payload == b"again"
    assert site.stop() == 0
