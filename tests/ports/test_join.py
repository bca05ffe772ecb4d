"""Joining, against a hub on real sockets: what it leaves behind, and each way in which it is refused."""

from __future__ import annotations

import hashlib
import os
import ssl
import sys
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
