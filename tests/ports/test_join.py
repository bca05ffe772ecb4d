"""Joining, against a hub on real sockets: what it leaves behind, and each way in which it is refused."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgelite.config import parse
from edgelite.driver import ConfigurationError
from edgelite_ports.linux.join import join
from edgelite_protocol.errors import MisuseError, PlatformError, ProtocolError

sys.path.insert(0, str(Path(__file__).parent))
from certificates import Authority
from hub_peer import HubPeer

SECRET = "0123abcd." + "5" * 32


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubPeer]:
    made = HubPeer(tmp_path / "hub")
    made.tokens[SECRET] = ""
    yield made
    made.cut()


def token(authority: Authority, secret: str = SECRET) -> str:
    return "edgelite1." + secret + "." + hashlib.sha256(authority.der).hexdigest()


def address(hub: HubPeer) -> str:
    return f"127.0.0.1:{hub.port}"


def test_leaves_a_node_behind(hub: HubPeer, tmp_path: Path) -> None:
    state = tmp_path / "node"
    join(address(hub), token(hub.authority), "kitchen", str(state))
    config = parse((state / "agent.conf").read_text())
    assert (config.node, config.hubs) == ("kitchen", [("127.0.0.1", hub.port)])
    for name in ("node.key", "node.crt", "ca.crt"):
        assert (state / "identity" / name).stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700
    context = ssl.create_default_context(cafile=str(state / "identity" / "ca.crt"))
    context.load_cert_chain(str(state / "identity" / "node.crt"), str(state / "identity" / "node.key"))
    assert not [name for name in os.listdir(state / "identity") if name.endswith(".new")]


def test_twice_is_refused_unless_forced(hub: HubPeer, tmp_path: Path) -> None:
    state = tmp_path / "node"
    join(address(hub), token(hub.authority), "kitchen", str(state))
    key = (state / "identity" / "node.key").read_bytes()
    with pytest.raises(PlatformError, match="is a node already"):
        join(address(hub), token(hub.authority), "kitchen", str(state))
    assert (state / "identity" / "node.key").read_bytes() == key
    join(address(hub), token(hub.authority), "kitchen", str(state), force=True)
    assert (state / "identity" / "node.key").read_bytes() != key


@pytest.mark.parametrize("code", ["token_unknown", "token_expired", "token_revoked", "name_taken"])
def test_a_refused_token_is_sent_once(hub: HubPeer, tmp_path: Path, code: str) -> None:
    hub.tokens[SECRET] = code
    with pytest.raises(ProtocolError) as refused:
        join(address(hub), token(hub.authority), "kitchen", str(tmp_path / "node"))
    assert refused.value.code == code
    assert not (tmp_path / "node" / "agent.conf").exists()
    assert len(hub.ends) <= 2  # one connection for the CA, one for the token


def test_the_token_of_another_hub_is_never_sent(hub: HubPeer, tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="not the one that made this token"):
        join(address(hub), token(Authority.make()), "kitchen", str(tmp_path / "node"))
    assert wait_for_end(hub) == "token_of_another_hub"  # its people can read in its log who came to the wrong one


def wait_for_end(hub: HubPeer) -> str:
    deadline_s = time.monotonic() + 5
    while not hub.ends and time.monotonic() < deadline_s:
        time.sleep(0.01)
    return str(hub.ends[0][0])


def test_a_server_that_is_no_hub_is_said_to_be_none(tmp_path: Path) -> None:
    """As the hub's own API is, whose port people mistake for the other one."""
    _, certificate, key = Authority.make().write_hub(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as server:
        answering = threading.Thread(target=answer_as_http, args=(server, context))
        answering.start()
        where = "127.0.0.1:%d" % server.getsockname()[1]
        with pytest.raises(ProtocolError, match="does not speak as a hub's port for nodes"):
            join(where, token(Authority.make()), "kitchen", str(tmp_path / "node"))
        answering.join(5)


def answer_as_http(server: socket.socket, context: ssl.SSLContext) -> None:
    connection = server.accept()[0]
    with context.wrap_socket(connection, server_side=True) as session:
        session.recv(4096)
        session.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with contextlib.suppress(OSError):
            session.recv(4096)


def test_a_port_that_is_no_number(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match="an address is host:port"):
        join("localhost:abc", token(Authority.make()), "kitchen", str(tmp_path / "node"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "edgelite1",
        "edgelite1.x.y.z",
        "edgelite2." + SECRET + "." + "0" * 64,
        "edgelite1." + SECRET + "." + "g" * 64,
    ],
)
def test_no_token(hub: HubPeer, tmp_path: Path, text: str) -> None:
    with pytest.raises(MisuseError, match="token"):
        join(address(hub), text, "kitchen", str(tmp_path / "node"))


def test_no_hub_there(hub: HubPeer, tmp_path: Path) -> None:
    hub.cut()
    with pytest.raises(PlatformError, match="cannot reach"):
        join(address(hub), token(hub.authority), "kitchen", str(tmp_path / "node"))


def test_a_name_that_no_node_has(hub: HubPeer, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="lower-case"):
        join(address(hub), token(hub.authority), "Küche 1", str(tmp_path / "node"))


def test_no_openssl(hub: HubPeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PlatformError, match="openssl is missing"):
        join(address(hub), token(hub.authority), "kitchen", str(tmp_path / "node"))
