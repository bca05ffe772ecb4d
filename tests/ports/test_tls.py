"""TLS from memory: both ends of a session joined by hand, and every way in which a certificate can be wrong."""

from __future__ import annotations

import _ssl
import sys
from pathlib import Path

import pytest

from edgelite_ports.linux import tls
from edgelite_protocol.errors import PlatformError

sys.path.insert(0, str(Path(__file__).parent))
from certificates import PAST, Authority


def server_context(paths: tuple[str, str, str], ask_client: bool = True) -> _ssl._SSLContext:
    context = tls._context(_ssl.PROTOCOL_TLS_SERVER, *paths)
    context.verify_mode = _ssl.CERT_REQUIRED if ask_client else _ssl.CERT_NONE
    return context


def shuttle(client: tls.TlsConnection, server: tls.TlsConnection, piece_bytes: int = -1) -> None:
    """Carry what both ends have until neither has more and both have shaken hands."""
    for _ in range(10_000):
        client.handshake()
        if data := client.data_to_send(piece_bytes):
            server.receive(data)
        server.handshake()
        if data := server.data_to_send(piece_bytes):
            client.receive(data)
        elif client.established and server.established:
            return
    raise AssertionError("the handshake does not end")


@pytest.fixture
def authority() -> Authority:
    return Authority.make()


def ends(authority: Authority, path: Path, node_authority: Authority | None = None, **hub: object) -> tuple:
    server_paths = authority.write_hub(path / "hub", **hub)
    node_paths = (node_authority or authority).write_node(path / "node", "kitchen")
    client = tls.TlsConnection(tls.client_context(*node_paths))
    return client, tls.TlsConnection(server_context(server_paths), server_side=True)


@pytest.mark.parametrize("piece_bytes", [-1, 1, 7])
def test_handshake_and_bytes_both_ways(authority: Authority, tmp_path: Path, piece_bytes: int) -> None:
    client, server = ends(authority, tmp_path)
    shuttle(client, server, piece_bytes)
    client.write(b"from the node")
    server.receive(client.data_to_send())
    assert server.read() == b"from the node"
    assert server.read() == b""
    server.write(b"x" * 40_000)
    client.receive(server.data_to_send())
    read = b""
    while data := client.read():
        read += data
    assert read == b"x" * 40_000


def test_orderly_end(authority: Authority, tmp_path: Path) -> None:
    client, server = ends(authority, tmp_path)
    shuttle(client, server)
    client.close()
    server.receive(client.data_to_send())
    assert server.read() is None


def test_certificate_of_another_hub(authority: Authority, tmp_path: Path) -> None:
    client, server = ends(authority, tmp_path, node_authority=Authority.make())
    with pytest.raises(tls.TlsError, match="certificate of another hub"):
        shuttle(client, server)


def test_certificate_of_something_that_is_no_hub(authority: Authority, tmp_path: Path) -> None:
    client, server = ends(authority, tmp_path, dns_name="some-node")
    with pytest.raises(tls.TlsError, match="something that is no hub"):
        shuttle(client, server)


def test_dates_do_not_matter(authority: Authority, tmp_path: Path) -> None:
    """A node without a clock reaches its hub: here the hub's certificate ended in 2001."""
    client, server = ends(authority, tmp_path, end=PAST)
    shuttle(client, server)
    assert client.established


def test_a_node_certificate_is_no_hub(authority: Authority, tmp_path: Path) -> None:
    node_paths = authority.write_node(tmp_path / "one", "edgelite-hub")
    client = tls.TlsConnection(tls.client_context(*node_paths))
    server = tls.TlsConnection(server_context(authority.write_node(tmp_path / "two", "edgelite-hub")), True)
    with pytest.raises(tls.TlsError):
        shuttle(client, server)


def test_garbage_ends_the_session(authority: Authority, tmp_path: Path) -> None:
    client, _ = ends(authority, tmp_path)
    client.handshake()
    client.receive(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(tls.TlsError):
        client.handshake()


def test_identity_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="cannot load the node's identity"):
        tls.client_context(str(tmp_path / "ca.crt"), None, None)


def test_key_of_another_certificate(authority: Authority, tmp_path: Path) -> None:
    ca, certificate, _ = authority.write_node(tmp_path / "a", "a")
    _, _, key = authority.write_node(tmp_path / "b", "b")
    with pytest.raises(PlatformError, match="belong together"):
        tls.client_context(ca, certificate, key)
