"""Channels on real sockets: TCP and TLS, addresses in turn, every end told exactly once."""

from __future__ import annotations

import select
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgelite.effects import Channel, Open
from edgelite_ports.common import connections as common_connections
from edgelite_ports.linux import clock, connections, resolver, tls
from edgelite_ports.linux.connections import Connections
from edgelite_ports.linux.loop import READABLE, Loop
from edgelite_ports.linux.worker import Worker
from edgelite_protocol.errors import PlatformError

sys.path.insert(0, str(Path(__file__).parent))
from certificates import Authority


class Remembering(Channel):
    def __init__(self, to_send: bytes = b"") -> None:
        self.to_send = to_send
        self.got = b""
        self.opens = 0
        self.ends: list[str] = []

    def opened(self, now_ms: int) -> None:
        self.opens += 1

    def received(self, data: bytes | memoryview, now_ms: int) -> None:
        self.got += bytes(data)

    def data_to_send(self, size_bytes_max: int) -> bytes:
        piece, self.to_send = self.to_send[:size_bytes_max], self.to_send[size_bytes_max:]
        return piece

    def closed(self, reason: str, now_ms: int) -> None:
        self.ends.append(reason)


class Bench:
    def __init__(self, tls_context: object = None) -> None:
        self.loop = Loop()
        self.worker = Worker()
        self.connections = Connections(self.loop, self.worker, tls_context)  # type: ignore[arg-type]
        self.loop.register(self.worker.descriptor, READABLE, lambda _events: self.worker.run_completions())

    def run_until(self, done: Callable[[], object], timeout_s: float = 10.0) -> None:
        end_s = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < end_s
            deadline_ms = self.connections.step(clock.monotonic_ms())
            soon_ms = clock.monotonic_ms() + 50
            self.loop.wait(soon_ms if deadline_ms is None else min(deadline_ms, soon_ms))


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def echo(server: socket.socket) -> None:
    """Answer one connection with what it sends, until it ends."""

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            while data := connection.recv(65536):
                connection.sendall(data)

    threading.Thread(target=serve, daemon=True).start()


def test_tcp_both_ways_and_closed_by_the_other_end(server: socket.socket) -> None:
    channel = Remembering(b"x" * 200_000)
    bench = Bench()
    echo(server)
    bench.connections.open(Open(channel, ("tcp", *server.getsockname())))
    bench.run_until(lambda: len(channel.got) == 200_000)
    assert channel.opens == 1
    assert channel.peer_address == "127.0.0.1"
    bench.connections.close(channel)
    assert channel.ends == ["closed"]
    assert not bench.connections.busy()


def test_a_full_channel_makes_the_other_end_wait(server: socket.socket) -> None:
    class Full(Remembering):
        def received(self, data: bytes | memoryview, now_ms: int) -> None:
            super().received(data, now_ms)
            self.is_full = True

    channel = Full()
    bench = Bench()
    bench.connections.open(Open(channel, ("tcp", *server.getsockname())))
    accepted, _ = server.accept()
    accepted.sendall(b"x" * 100_000)
    bench.run_until(lambda: channel.got)
    first = len(channel.got)
    assert 0 < first <= connections.RECEIVE_BYTES_MAX
    channel.to_send = b"it still sends"
    bench.run_until(lambda: not channel.to_send)
    assert accepted.recv(100) == b"it still sends"
    rounds = iter(range(5))
    bench.run_until(lambda: next(rounds) == 4)
    assert len(channel.got) == first, "nothing is read meanwhile"

    def all_is_here() -> bool:
        channel.is_full = False
        return len(channel.got) == 100_000

    bench.run_until(all_is_here)
    accepted.close()


def test_refused_is_told_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    channel = Remembering()
    bench = Bench()
    bench.connections.open(Open(channel, ("tcp", *address)))
    bench.run_until(lambda: channel.ends)
    assert channel.ends == ["connection refused"]
    assert channel.opens == 0


def test_the_other_end_closes(server: socket.socket) -> None:
    channel = Remembering()
    bench = Bench()
    bench.connections.open(Open(channel, ("tcp", *server.getsockname())))
    accepted, _ = server.accept()
    bench.run_until(lambda: channel.opens)
    accepted.sendall(b"last words")
    accepted.close()
    bench.run_until(lambda: channel.ends)
    assert channel.got == b"last words"
    assert channel.ends == ["closed by the other end"]


def test_addresses_are_tried_in_turn(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "lookup", lambda _host: ["127.0.0.9", "127.0.0.1"])
    channel = Remembering()
    bench = Bench()
    bench.connections.open(Open(channel, ("tcp", "hub.invalid", server.getsockname()[1])))
    bench.run_until(lambda: channel.opens)
    assert channel.peer_address == "127.0.0.1"


def test_the_kept_address_serves_where_the_name_server_fails(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(host: str) -> list[str]:
        raise PlatformError("no such host: " + host)

    monkeypatch.setattr(resolver, "lookup", fail)
    channel = Remembering()
    bench = Bench()
    bench.connections.open(Open(channel, ("tcp", "hub.invalid", server.getsockname()[1]), ["127.0.0.1"]))
    bench.run_until(lambda: channel.opens)
    other = Remembering()
    bench.connections.open(Open(other, ("tcp", "hub.invalid", 1)))
    bench.run_until(lambda: other.ends)
    assert other.ends == ["no such host: hub.invalid"]


def test_a_hub_that_says_nothing_times_out(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """It accepts, and never shakes hands."""
    monkeypatch.setattr(common_connections, "HANDSHAKE_TIMEOUT_MS", 100)
    channel = Remembering()
    bench = Bench(tls.unverified_client_context)
    bench.connections.open(Open(channel, ("tls", *server.getsockname())))
    bench.run_until(lambda: channel.ends)
    assert channel.ends == ["TLS handshake timed out"]


def slow_server(server: socket.socket, authority: Authority, path: Path, pause_s: float) -> None:
    """One that takes so long until it answers, connection after connection."""
    ca, certificate, key = authority.write_hub(path / "hub")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(ca)

    def shake_hands(connection: socket.socket) -> None:
        time.sleep(pause_s)
        try:
            with context.wrap_socket(connection, server_side=True) as wrapped:
                wrapped.recv(1)
        except OSError:
            connection.close()

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=shake_hands, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()


def test_a_handshake_that_was_given_up_has_longer_the_next_time(
    server: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or it would never end on a machine that needs longer, however often it tries."""
    monkeypatch.setattr(common_connections, "HANDSHAKE_TIMEOUT_MS", 200)
    slow_server(server, Authority.make(), tmp_path, 0.5)
    bench = Bench(tls.unverified_client_context)
    ends: list[str] = []
    for _ in range(3):
        channel = Remembering()
        bench.connections.open(Open(channel, ("tls", *server.getsockname())))
        bench.run_until(lambda channel=channel: channel.ends or channel.opens)  # type: ignore[misc]
        ends += channel.ends or ["open"]
    assert ends == ["TLS handshake timed out"] * 2 + ["open"]
    assert bench.connections.handshake_timeout_ms == 800  # and so have those that follow: it took more than half


def test_the_time_for_a_handshake_grows_to_a_bound_and_shrinks_again() -> None:
    connections = Bench().connections
    told: list[int] = []
    for left_ms in (0, -5, 0, 15_000, 15_001, 15_000, 5_001):
        connections.shook_hands(left_ms)
        told.append(connections.handshake_timeout_ms // 1000)
    assert told == [20, 30, 30, 30, 15, 10, 10]


def test_a_transport_that_is_not_there() -> None:
    channel = Remembering()
    Bench().connections.open(Open(channel, ("carrier pigeon", "roof", 1)))
    assert channel.ends == ["this port has no transport carrier pigeon"]


def tls_server(server: socket.socket, authority: Authority, path: Path, serve: Callable[[ssl.SSLSocket], None]) -> None:
    """An ordinary ssl.py server that asks for a node certificate."""
    ca, certificate, key = authority.write_hub(path / "hub")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED

    def run() -> None:
        connection, _ = server.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as wrapped:
                serve(wrapped)
        except OSError:
            connection.close()

    threading.Thread(target=run, daemon=True).start()


def test_mutual_tls_with_an_ordinary_server(server: socket.socket, tmp_path: Path) -> None:
    authority = Authority.make()
    seen: list[object] = []

    def serve(wrapped: ssl.SSLSocket) -> None:
        seen.append(dict(wrapped.getpeercert()["subject"][0])["commonName"])  # type: ignore[index,arg-type]
        while data := wrapped.recv(65536):
            wrapped.sendall(data)

    tls_server(server, authority, tmp_path, serve)
    node_paths = authority.write_node(tmp_path / "node", "kitchen")
    channel = Remembering(b"y" * 100_000)
    bench = Bench(lambda: tls.client_context(*node_paths))
    bench.connections.open(Open(channel, ("tls", *server.getsockname())))
    bench.run_until(lambda: len(channel.got) == 100_000)
    assert seen == ["kitchen"]


def test_names_are_looked_up_off_the_loop(server: socket.socket) -> None:
    channel = Remembering()
    bench = Bench()
    bench.connections.open(Open(channel, ("tcp", "localhost", server.getsockname()[1])))
    bench.run_until(lambda: channel.opens)
    assert channel.peer_address == "127.0.0.1"


def test_lookups_say_what_is_wrong() -> None:
    assert "127.0.0.1" in resolver.lookup("localhost")
    assert (resolver.numeric("192.0.2.1"), resolver.numeric("2001:db8::1"), resolver.numeric("hub")) == (
        True,
        True,
        False,
    )
    with pytest.raises(PlatformError, match="not ASCII"):
        resolver.lookup("küche")
    with pytest.raises(PlatformError, match="no such host"):
        resolver.lookup("no..host")


def test_another_hub_is_named(server: socket.socket, tmp_path: Path) -> None:
    tls_server(server, Authority.make(), tmp_path, lambda wrapped: None)
    node_paths = Authority.make().write_node(tmp_path / "node", "kitchen")
    channel = Remembering()
    bench = Bench(lambda: tls.client_context(*node_paths))
    bench.connections.open(Open(channel, ("tls", *server.getsockname())))
    bench.run_until(lambda: channel.ends)
    assert channel.ends == ["certificate of another hub"]
    assert channel.opens == 0


def test_a_refused_node_certificate_is_named(server: socket.socket, tmp_path: Path) -> None:
    """TLS 1.3 lets a client believe that it is connected before the server has judged its certificate."""
    authority = Authority.make()
    tls_server(server, authority, tmp_path, lambda wrapped: None)
    node_paths = Authority.make().write_node(tmp_path / "node", "kitchen")
    hub_ca = authority.write_hub(tmp_path / "other")[0]
    channel = Remembering()
    bench = Bench(lambda: tls.client_context(hub_ca, *node_paths[1:]))
    bench.connections.open(Open(channel, ("tls", *server.getsockname())))
    bench.run_until(lambda: channel.ends)
    assert channel.ends[0].startswith("the hub refused this node's certificate")


def test_little_waits_in_the_kernel(server: socket.socket) -> None:
    """A peer that doesn't read: what the core has not yet given away it can still reorder."""
    channel = Remembering(b"z" * 50_000_000)
    bench = Bench()
    bench.connections.open(Open(channel, ("tcp", *server.getsockname())))
    accepted, _ = server.accept()
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    bench.run_until(lambda: channel.opens)
    end_s = time.monotonic() + 0.5
    while time.monotonic() < end_s:
        bench.connections.step(clock.monotonic_ms())
        bench.loop.wait(clock.monotonic_ms() + 20)
    given = 50_000_000 - len(channel.to_send)
    received = 0
    while select.select([accepted], [], [], 0)[0] and received < given:
        received += len(accepted.recv(1 << 20))
        if received > given - connections.NOT_SENT_BYTES_MAX * 4:
            break
    bench.connections.close(channel)
    accepted.close()
    assert given - received <= connections.NOT_SENT_BYTES_MAX * 4
