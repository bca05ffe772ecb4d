"""The node port of a real hub process, over real TLS: who gets in, how far, and that a bad peer disturbs nobody."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgelite_hub.hub import Hub
from edgelite_hub.nodes import node_logic
from edgelite_hub.nodes.node_server import NodeServer, node_ssl_context
from edgelite_hub.security.ca import create_authority, ensure_server_certificate
from edgelite_hub.settings import Settings
from edgelite_hub.store.memory import MemoryStore
from edgelite_protocol import events
from edgelite_protocol import messages as m
from edgelite_protocol.join_session import JoinClient
from edgelite_protocol.limits import Limits
from tests.hub.hub_process import HubProcess, Peer, TlsNode, now_ms, wait_for


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    made = HubProcess(tmp_path_factory.mktemp("hub")).start()
    yield made
    made.kill()


@pytest.fixture(scope="module")
def node(hub: HubProcess, tmp_path_factory: pytest.TempPathFactory) -> TlsNode:
    return TlsNode(hub, tmp_path_factory.mktemp("node"), "n1").join(hub.join_token())


def test_join_then_a_session_that_gets_a_pod_at_once(hub: HubProcess, node: TlsNode) -> None:
    peer = node.connect()
    welcome = peer.until(events.Welcomed).welcome
    assert abs(welcome[m.WELCOME_TIME_MS] - time.time() * 1000) < 5_000
    peer.until(events.SnapshotEnd)
    hub.create_pod("hello", "n1")
    entry = peer.until(events.Entry)
    assert entry.key.startswith("default/hello/")
    code, found = hub.request("GET", "/api/v1/nodes/n1")
    conditions = {one["type"]: one["status"] for one in found["status"]["conditions"]}
    assert code == 200 and conditions["Ready"] == "True"
    assert found["metadata"]["labels"]["kubernetes.io/arch"] == "amd64"
    peer.close()


def test_the_ca_is_given_to_a_peer_that_has_checked_nothing_yet(hub: HubProcess) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = JoinClient(Limits(), now_ms())
    peer = Peer(hub.nodes_port, context, client)
    client.ask_ca()
    offered = peer.until(events.CaOffered)
    pem = (hub.data / "pki" / "ca.crt").read_text()
    assert offered.certificate == ssl.PEM_cert_to_DER_cert(pem)
    peer.close()


BAD_JOINS: dict[str, tuple[Callable[[str], str], str]] = {
    "wrong secret": (lambda text: text[:19] + "0" * 32 + text[51:], "token_unknown"),
    "unknown id": (lambda text: "edgelite1.00000000" + text[18:], "token_unknown"),
}


@pytest.mark.parametrize("name", BAD_JOINS)
def test_a_refused_join_is_named_on_both_sides(hub: HubProcess, tmp_path: Path, name: str) -> None:
    spoil, code = BAD_JOINS[name]
    peer = TlsNode(hub, tmp_path, "intruder").try_join(spoil(hub.join_token()))
    assert peer.ended() == code
    assert code in hub.log
    assert hub.request("GET", "/api/v1/nodes/intruder")[0] == 404


def test_a_revoked_token_says_so(hub: HubProcess, tmp_path: Path) -> None:
    text = hub.join_token()
    tokens = hub.request("GET", "/apis/edgelite.dev/v1/jointokens")[1]["items"]
    name = next(one["metadata"]["name"] for one in tokens if one["status"]["id"] == text.split(".")[1])
    assert hub.request("DELETE", f"/apis/edgelite.dev/v1/jointokens/{name}")[0] == 200
    assert TlsNode(hub, tmp_path, "late").try_join(text).ended() == "token_revoked"


def test_without_a_certificate_there_is_no_session(node: TlsNode) -> None:
    assert node.connect(with_certificate=False).ended() == "certificate_required"


def test_a_certificate_of_another_ca_does_not_pass_tls(hub: HubProcess, tmp_path: Path) -> None:
    stranger = TlsNode(hub, tmp_path, "n1")
    foreign = create_authority().issue_node("n1", stranger.key.public_key(), int(time.time() * 1000), 3_600_000)
    stranger.keep(foreign.der)
    try:
        code = stranger.connect().ended()
    except (ssl.SSLError, ConnectionError):
        code = "refused by TLS"
    assert code in ("refused by TLS", "link_lost")


def raw_tls(node: TlsNode) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", node.hub.nodes_port), 5)
    return node.context().wrap_socket(raw, server_hostname="edgelite-hub")


GARBAGE = {
    "an empty frame": b"\x00\x00\x00\x00",
    "a frame too long": b"\xff\xff\x00" + b"x" * 100,
    "no CBOR": b"\x00\x05\x00\xff\xff\xff\xff",
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a message out of place": b"\x00\x08\x00\xa2\x00\x04\x01\x01\x02\x05",
    "a megabyte": b"\x00\x02\x07\x00" * 262_144,
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_ends_its_own_session_and_no_other(hub: HubProcess, node: TlsNode, name: str) -> None:
    good = node.connect()
    good.until(events.Welcomed)
    bad = raw_tls(node)
    bad.settimeout(5)
    try:
        bad.sendall(GARBAGE[name])
        while bad.recv(4096):
            pass
    except (ConnectionError, ssl.SSLError):
        pass  # the hub hung up while we still sent
    bad.close()
    hub.create_pod("after-" + name.lower().replace(" ", "-"), "n1")
    good.until(events.SnapshotEnd)
    wait_for(lambda: heard_of(good, "default/after-"))
    assert not any(isinstance(one, events.Ended) for one in good.events)
    good.close()


def heard_of(peer: Peer, prefix: str) -> bool:
    peer.exchange()
    return any(isinstance(one, events.Entry) and one.key.startswith(prefix) for one in peer.events)


def test_plain_tcp_and_half_a_handshake_disturb_nobody(hub: HubProcess, node: TlsNode) -> None:
    idle = [socket.create_connection(("127.0.0.1", hub.nodes_port), 5) for _ in range(20)]
    for one in idle[:10]:
        one.sendall(b"\x16\x03\x01\x02\x00\x01")
    idle[10].sendall(b"hello\n" * 100)
    peer = node.connect()
    assert peer.until(events.Welcomed)
    for one in idle:
        one.close()
    peer.close()


def test_peers_that_only_connect_are_turned_away_when_they_are_many(hub: HubProcess, node: TlsNode) -> None:
    idle = []
    try:
        for _ in range(80):
            idle.append(raw_tls(node))
        wait_for(lambda: "too many connections" in hub.log)
    finally:
        for one in idle:
            one.close()
    peer = wait_for(lambda: connected(node))
    peer.close()


def connected(node: TlsNode) -> Peer | None:
    try:
        peer = node.connect()
        peer.until(events.Welcomed)
    except (OSError, AssertionError):
        return None
    return peer


def test_deleting_a_node_ends_its_session(hub: HubProcess, tmp_path: Path) -> None:
    node = TlsNode(hub, tmp_path, "short-lived").join(hub.join_token())
    peer = node.connect()
    peer.until(events.Welcomed)
    assert hub.request("DELETE", "/api/v1/nodes/short-lived")[0] == 200
    assert peer.ended() == "node_revoked"
    assert node.connect().ended() == "node_revoked"


def test_failed_joins_from_one_address_are_slowed_down(hub: HubProcess, tmp_path: Path) -> None:
    """Last of this file's joins: the window of a minute outlasts it."""
    node = TlsNode(hub, tmp_path, "guesser")
    codes = {node.try_join("edgelite1.00000000." + "0" * 32 + "." + "0" * 64).ended() for _ in range(15)}
    assert codes == {"token_unknown", "join_rate_limited"}


def test_an_expired_certificate_can_renew_and_nothing_else(tmp_path: Path) -> None:
    # Long enough that a busy machine gets from the renewal to the next welcome while the certificate still holds.
    lifetime_s = 5
    hub = HubProcess(tmp_path, "--certificate-days", str(lifetime_s / 86_400)).start()
    try:
        node = TlsNode(hub, tmp_path, "n1").join(hub.join_token())
        time.sleep(lifetime_s + 0.1)
        assert node.connect().ended() == "certificate_expired"
        client = JoinClient(Limits(), now_ms())
        peer = Peer(hub.nodes_port, node.context(), client)
        client.renew()
        renewed = peer.until(events.Renewed)
        peer.close()
        node.keep(renewed.certificate)
        peer = node.connect()
        assert m.WELCOME_EPOCH in peer.until(events.Welcomed).welcome
        peer.close()
        assert hub.end() == 0
    finally:
        hub.kill()


def test_a_peer_that_says_nothing_is_sent_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the limit of a test: the real one is 30 s."""
    monkeypatch.setattr(node_logic, "LIMITS", Limits(handshake_ms=300))
    lines: list[str] = []

    async def serve() -> None:
        hub = Hub(Settings(data_directory=tmp_path, nodes_host="127.0.0.1", nodes_port=0), MemoryStore(), lines.append)
        chain, key = ensure_server_certificate(hub.authority, tmp_path / "pki", ())
        context = node_ssl_context(chain, key, hub.authority.pem.decode())
        port = await hub.start(lambda hub: NodeServer(hub.fleet, hub.writer, context))
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.load_verify_locations(cadata=hub.authority.pem.decode())
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname="edgelite-hub")
        said = await asyncio.wait_for(reader.read(), 10)
        assert b"handshake_timeout" in said
        writer.close()
        await hub.stop()

    asyncio.run(serve())
    assert any("handshake_timeout" in line for line in lines)
