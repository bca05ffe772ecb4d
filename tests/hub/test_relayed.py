"""Nodes behind a gateway, at a real hub process: provisioned over the API, sealed end to end, refused in every way that
is not the node with its keys, now."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgelite_protocol import events, relay
from edgelite_protocol import messages as m
from edgelite_protocol.limits import Limits
from edgelite_protocol.node_session import NodeSession
from edgelite_protocol.oscore.context import Keys
from edgelite_protocol.oscore.ends import PIECE_BYTES_MAX, NodeEnd
from tests.hub.hub_process import HubProcess, Peer, TlsNode, now_ms, wait_for

counter = iter(range(1, 1_000_000))


class Relayed:
    """A node's session in OSCORE in a relay's frames, as a `Peer` sees a session."""

    def __init__(self, keys: Keys, hello: dict[int, Any], credit: int = relay.CREDIT_MAX) -> None:
        self.inner = NodeSession(hello, Limits(), now_ms())
        self.oscore = NodeEnd(keys, next(counter), b"12345678")
        self.end_text: str | None = None
        self.messages_seen = 0
        self.grants_credit = True
        self.bytes_to_hub = b""
        self._reader = relay.RelayReader()
        self._unsent = relay.begin(credit) + relay.message(self.oscore.begin)

    def data_to_send(self, size_bytes_max: int) -> bytes:
        out, self._unsent = self._unsent, b""
        while self.oscore.ready and (piece := self.inner.data_to_send(PIECE_BYTES_MAX)):
            out += relay.message(self.oscore.protect(piece))
        self.bytes_to_hub += out
        return out

    def receive(self, data: bytes, at_ms: int) -> None:
        for kind, payload in self._reader.frames(data):
            if kind == relay.END:
                self.end_text = relay.end_text(payload)
                continue
            assert kind == relay.MESSAGE
            self.messages_seen += 1
            self.inner.receive(self.oscore.receive(payload), at_ms)
            if self.grants_credit:
                self._unsent += relay.credit(1)

    def receive_eof(self, at_ms: int) -> None:
        self.inner.receive_eof(at_ms)

    def next_event(self) -> object | None:
        return self.inner.next_event()


class SerialNode:
    """A node that has no network, and the gateway beside it."""

    def __init__(self, hub: HubProcess, gateway: TlsNode, name: str) -> None:
        self.hub, self.gateway, self.name = hub, gateway, name
        self.facts = TlsNode(hub, hub.data, name)  # for its hello alone: it never uses TLS
        self.provision()

    def provision(self) -> None:
        code, keys = self.hub.request("POST", f"/api/v1/nodes/{self.name}/oscore", {})
        assert code == 201, keys
        names = ("masterSecret", "masterSalt", "senderId", "recipientId")
        self.keys = Keys(*(base64.b64decode(keys[name]) for name in names))

    def connect(self, keys: Keys | None = None, credit: int = relay.CREDIT_MAX, **hello: Any) -> Peer:
        session = Relayed(keys or self.keys, {**self.facts.hello(), **hello.get("changes", {})}, credit)
        return Peer(self.hub.nodes_port, self.gateway.context(), session)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    made = HubProcess(tmp_path_factory.mktemp("hub")).start()
    yield made
    made.kill()


@pytest.fixture(scope="module")
def gateway(hub: HubProcess, tmp_path_factory: pytest.TempPathFactory) -> TlsNode:
    return TlsNode(hub, tmp_path_factory.mktemp("gateway"), "gateway-1").join(hub.join_token())


def refusal(peer: Peer) -> str:
    """The words with which the hub ends a relay."""

    def said() -> str:
        peer.exchange()
        return peer.session.end_text or ""

    return str(wait_for(said))


def test_a_node_behind_a_gateway_is_a_node_of_its_own(hub: HubProcess, gateway: TlsNode) -> None:
    node = SerialNode(hub, gateway, "meter-room")
    code, found = hub.request("GET", "/api/v1/nodes/meter-room")
    assert code == 200 and found["status"]["conditions"][0]["reason"] == "NeverConnected"
    peer = node.connect()
    assert peer.until(events.Welcomed).welcome[m.WELCOME_MODE] == m.MODE_SNAPSHOT
    peer.until(events.SnapshotEnd)
    hub.create_pod("carried", "meter-room")
    assert peer.until(events.Entry).key.startswith("default/carried/")
    _, found = hub.request("GET", "/api/v1/nodes/meter-room")
    assert {one["type"]: one["status"] for one in found["status"]["conditions"]}["Ready"] == "True"
    assert found["metadata"]["annotations"]["edgelite.dev/gateway"] == "gateway-1"
    assert b"meter-room" not in peer.session.bytes_to_hub, "the hello is sealed"
    peer.close()


def test_the_first_bytes_may_come_one_by_one(hub: HubProcess, gateway: TlsNode) -> None:
    node = SerialNode(hub, gateway, "slow")
    peer = node.connect()
    for byte in peer.session.data_to_send(1 << 16):
        peer.socket.sendall(bytes([byte]))
    peer.until(events.Welcomed)
    peer.close()


def test_an_id_that_the_hub_never_made(hub: HubProcess, gateway: TlsNode) -> None:
    node = SerialNode(hub, gateway, "unknown")
    foreign = Keys(node.keys.master_secret, node.keys.master_salt, b"\0\0\0\0", b"")
    assert refusal(node.connect(foreign)).startswith("unknown_key: ")
    assert "node key 00000000: unknown_key" in hub.log


def test_keys_of_another_device(hub: HubProcess, gateway: TlsNode) -> None:
    node = SerialNode(hub, gateway, "impostor")
    foreign = Keys(bytes(16), node.keys.master_salt, node.keys.sender_id, b"")
    assert refusal(node.connect(foreign)).startswith("oscore_failed: ")
    assert hub.request("GET", "/api/v1/nodes/impostor")[1]["status"].get("nodeInfo") is None


def test_a_recorded_session_is_worth_nothing(hub: HubProcess, gateway: TlsNode) -> None:
    node = SerialNode(hub, gateway, "recorded")
    peer = node.connect()
    peer.until(events.SnapshotEnd)
    frames = relay.RelayReader().frames(peer.session.bytes_to_hub)
    recording = [relay.message(payload) for kind, payload in frames if kind == relay.MESSAGE]
    peer.close()
    assert len(recording) > 1

    class Recorded(Relayed):
        def data_to_send(self, size_bytes_max: int) -> bytes:
            out, self._unsent = self._unsent, b""
            return out

        def receive(self, data: bytes, at_ms: int) -> None:
            for kind, payload in self._reader.frames(data):
                if kind == relay.END:
                    self.end_text = relay.end_text(payload)
                else:  # the hub's new challenge: the recording goes on all the same
                    self._unsent = b"".join(recording[1:])

    session = Recorded(node.keys, node.facts.hello())
    session._unsent = relay.begin(relay.CREDIT_MAX) + recording[0]
    again = Peer(hub.nodes_port, gateway.context(), session)
    assert refusal(again).startswith("oscore_failed: ")


@pytest.mark.parametrize("at", [-1, 4, 12, 40])
def test_a_gateway_that_changes_a_byte_ends_the_session(hub: HubProcess, gateway: TlsNode, at: int) -> None:
    node = SerialNode(hub, gateway, f"changed{at % 100}")
    peer = node.connect()
    peer.until(events.SnapshotEnd)
    end = peer.session.oscore
    message = bytearray(end.protect(bytes(60)))
    message[at] ^= 0x10
    peer.socket.sendall(relay.message(bytes(message)))
    assert refusal(peer).startswith("oscore_failed: ")


def test_a_gateway_that_leaves_one_out_or_repeats_one_ends_the_session(hub: HubProcess, gateway: TlsNode) -> None:
    for name in ("left-out", "repeated"):
        node = SerialNode(hub, gateway, name)
        peer = node.connect()
        peer.until(events.SnapshotEnd)
        end = peer.session.oscore
        if name == "left-out":
            end.protect(b"never sent")
        ping = b"\0\x06\0\xa2\0\1\1\7"  # a whole frame, PING number 7
        sealed = relay.message(end.protect(ping))
        peer.socket.sendall(sealed if name == "left-out" else sealed + sealed)
        assert refusal(peer).startswith("oscore_failed: "), name


def test_a_node_says_hello_under_its_own_name_only(hub: HubProcess, gateway: TlsNode) -> None:
    node = SerialNode(hub, gateway, "honest")
    peer = node.connect(changes={m.HELLO_NODE: "gateway-1"})
    assert peer.ended() == "wrong_node"


def test_a_deleted_node_is_out_at_once_and_stays_out(hub: HubProcess, gateway: TlsNode) -> None:
    node = SerialNode(hub, gateway, "deleted")
    peer = node.connect()
    peer.until(events.SnapshotEnd)
    assert hub.request("DELETE", "/api/v1/nodes/deleted")[0] == 200
    assert peer.ended() == "node_revoked"
    assert refusal(node.connect()).startswith("unknown_key: ")
    SerialNode(hub, gateway, "deleted").connect().until(events.Welcomed)  # provisioned anew it is a new node
    assert refusal(node.connect()).startswith("unknown_key: "), "the old keys are those of the old one"


def test_new_keys_end_the_session_on_the_old_ones(hub: HubProcess, gateway: TlsNode) -> None:
    node = SerialNode(hub, gateway, "rekeyed")
    peer = node.connect()
    peer.until(events.SnapshotEnd)
    old = node.keys
    node.provision()
    assert peer.ended() == "node_revoked"
    assert refusal(node.connect(old)).startswith("unknown_key: ")
    node.connect().until(events.Welcomed)


def test_a_peer_without_a_certificate_carries_nobody(hub: HubProcess, gateway: TlsNode) -> None:
    node = SerialNode(hub, gateway, "smuggled")
    session = NodeSession(node.facts.hello(), Limits(), now_ms())
    peer = Peer(hub.nodes_port, gateway.context(False), session)
    peer.socket.sendall(relay.begin(4))
    assert peer.ended() == "cbor_trailing_bytes", "what follows RELAY is read as a message of a session"


def test_a_gateway_that_was_deleted_carries_nobody(hub: HubProcess, gateway: TlsNode, tmp_path: Path) -> None:
    gone = TlsNode(hub, tmp_path, "gateway-gone").join(hub.join_token())
    assert hub.request("DELETE", "/api/v1/nodes/gateway-gone")[0] == 200
    assert refusal(SerialNode(hub, gone, "orphan").connect()).startswith("node_revoked: ")


def test_the_hub_sends_no_more_than_it_has_credit_for(hub: HubProcess, gateway: TlsNode) -> None:
    node = SerialNode(hub, gateway, "patient")
    for number in range(4):
        hub.create_pod(f"waiting-{number}", "patient")
    peer = node.connect(credit=3)
    peer.session.grants_credit = False
    for _ in range(30):
        peer.exchange()
    assert peer.session.messages_seen == 3
    peer.session.grants_credit = True
    peer.socket.sendall(relay.credit(3))
    peer.until(events.SnapshotEnd)
    assert peer.session.messages_seen > 3


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(relay.begin(4), id="a second RELAY"),
        pytest.param(relay.credit(255), id="absurd credit"),
        pytest.param(b"\x20\x00\xe1", id="a frame that is too long"),
        pytest.param(b"\x00\x00", id="an empty frame"),
        pytest.param(b"\x00\x03\x01\x00\x00", id="a frame of a session"),
        pytest.param(relay.message(b"\x01\x01\x04"), id="a second BEGIN"),
        pytest.param(relay.message(b"\x00"), id="half a message"),
    ],
)
def test_a_gateway_that_breaks_the_protocol_is_told(hub: HubProcess, gateway: TlsNode, bad: bytes) -> None:
    node = SerialNode(hub, gateway, f"broken-{bad.hex()[:20]}")
    peer = node.connect()
    peer.until(events.SnapshotEnd)
    peer.socket.sendall(bad)
    assert ": " in refusal(peer)


def test_other_sessions_notice_nothing_of_it(hub: HubProcess, gateway: TlsNode) -> None:
    good, bad = SerialNode(hub, gateway, "good"), SerialNode(hub, gateway, "bad")
    peer = good.connect()
    peer.until(events.SnapshotEnd)
    foreign = Keys(bytes(16), b"", bad.keys.sender_id, b"")
    for _ in range(12):
        refusal(bad.connect(foreign))
    assert "too many failures" in refusal(bad.connect())
    hub.create_pod("undisturbed", "good")
    assert peer.until(events.Entry).key.startswith("default/undisturbed/")
    good.connect().until(events.Welcomed)


def test_provisioning_is_the_administrators_alone(hub: HubProcess) -> None:
    assert hub.request("POST", "/api/v1/nodes/nobodys/oscore", {}, token="wrong")[0] == 401
    assert hub.request("GET", "/api/v1/nodes/nobodys")[0] == 404


BAD_REQUESTS = [("Bad_Name", {}), ("good", {"masterSecret": "AAAA"}), ("good", []), ("good", b"{"), ("a" * 254, {})]


@pytest.mark.parametrize(("name", "body"), BAD_REQUESTS, ids=["name", "own keys", "a list", "no JSON", "long name"])
def test_provisioning_with_bad_input_says_what_is_wrong(hub: HubProcess, name: str, body: Any) -> None:
    code, answer = hub.request("POST", f"/api/v1/nodes/{name}/oscore", body)
    assert code == 400 and answer["message"]


def test_keys_are_shown_once_and_lie_nowhere_in_the_clear(hub: HubProcess, gateway: TlsNode) -> None:
    node = SerialNode(hub, gateway, "sealed")
    secret = node.keys.master_secret
    _, found = hub.request("GET", "/api/v1/nodes/sealed")
    forms = (secret, secret.hex().encode(), base64.b64encode(secret))
    for path in [one for one in hub.data.rglob("*") if one.is_file()]:
        assert not any(form in path.read_bytes() for form in forms), path
    assert not any(form.decode(errors="ignore") in str(found) for form in forms[1:])
    assert (hub.data / "pki" / "store.key").stat().st_mode & 0o777 == 0o600


def test_a_hub_that_was_restarted_knows_the_keys(hub: HubProcess, gateway: TlsNode) -> None:
    node = SerialNode(hub, gateway, "kept")
    hub.end()
    hub.start()
    node.connect().until(events.Welcomed)
