"""The handshake in a process of its own, and what follows where the kernel has TLS and where it has not. That the
kernel then carries the link is shown in an emulated machine (tests/qemu/guest), whose kernel is known to have it."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgelite.effects import Open
from edgelite_ports.common import connections as common_connections
from edgelite_ports.linux import connections, kernel_tls, tls
from edgelite_ports.linux.connections import Connections
from edgelite_ports.linux.kernel_tls import Handshake, KernelTls
from edgelite_protocol.errors import PlatformError

sys.path.insert(0, str(Path(__file__).parent))
from certificates import Authority
from test_connections import Bench, Remembering


class PathsOnly:
    """What a handshake needs of the node's identity."""

    def __init__(self, paths: tuple[str, str, str]) -> None:
        self._paths = paths

    def paths(self) -> tuple[str, str, str]:
        return self._paths


class KernelBench(Bench):
    """A bench whose handshakes are tried elsewhere first, whatever this machine's kernel has."""

    def __init__(self, paths: tuple[str, str, str]) -> None:
        super().__init__()
        self.kernel = KernelTls(self.loop, PathsOnly(paths))  # type: ignore[arg-type]
        self.kernel.usable = True
        self.connections = Connections(self.loop, self.worker, lambda: tls.client_context(*paths), self.kernel)


@pytest.fixture
def authority() -> Authority:
    return Authority.make()


class Server:
    """An ordinary ssl.py server that asks for a certificate and echoes, one connection after another."""

    def __init__(self, authority: Authority, path: Path) -> None:
        ca, certificate, key = authority.write_hub(path)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._context.load_verify_locations(ca)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._context.num_tickets = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.accepted = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                with self._context.wrap_socket(connection, server_side=True) as wrapped:
                    while data := wrapped.recv(65536):
                        wrapped.sendall(data)
            except OSError:
                connection.close()


@pytest.fixture
def server(authority: Authority, tmp_path: Path) -> Iterator[Server]:
    made = Server(authority, tmp_path / "hub")
    yield made
    made.listener.close()


def open_channel(bench: Bench, server: Server, channel: Remembering) -> None:
    bench.connections.open(Open(channel, ("tls", *server.listener.getsockname())))


def test_the_link_comes_up_with_and_without_tls_in_the_kernel(
    server: Server, authority: Authority, tmp_path: Path
) -> None:
    """Without, the first handshake is for nothing, the second one is this process's own, and so are all later ones."""
    bench = KernelBench(authority.write_node(tmp_path / "node", "kitchen"))
    for _ in range(2):
        channel = Remembering(b"y" * 100_000)
        open_channel(bench, server, channel)
        bench.run_until(lambda channel=channel: len(channel.got) == 100_000)  # type: ignore[misc]
        assert channel.opens == 1
        bench.connections.close(channel)
        assert channel.ends == ["closed"]
    assert bench.kernel.usable == kernel_tls.has_module()
    assert server.accepted == (2 if bench.kernel.usable else 3)


def test_another_hub_is_named(server: Server, tmp_path: Path) -> None:
    bench = KernelBench(Authority.make().write_node(tmp_path / "node", "kitchen"))
    channel = Remembering()
    open_channel(bench, server, channel)
    bench.run_until(lambda: channel.ends)
    assert channel.ends == ["certificate of another hub"]
    assert channel.opens == 0


def test_an_identity_that_cannot_be_loaded_is_named(server: Server, authority: Authority, tmp_path: Path) -> None:
    ca, certificate, _ = authority.write_node(tmp_path / "node", "kitchen")
    bench = KernelBench((ca, certificate, str(tmp_path / "absent.key")))
    channel = Remembering()
    open_channel(bench, server, channel)
    bench.run_until(lambda: channel.ends)
    assert channel.ends[0].startswith("cannot load the node's identity")


def test_a_hub_that_says_nothing_times_out(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the process that waits for it is gone: the folder's conftest looks for what is left."""
    monkeypatch.setattr(common_connections, "HANDSHAKE_TIMEOUT_MS", 300)
    bench = KernelBench(authority.write_node(tmp_path / "node", "kitchen"))
    channel = Remembering()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bench.connections.open(Open(channel, ("tls", *silent.getsockname())))
        bench.run_until(lambda: channel.ends)
    assert channel.ends == ["TLS handshake timed out"]


def test_a_channel_closed_in_the_middle_of_its_handshake(authority: Authority, tmp_path: Path) -> None:
    bench = KernelBench(authority.write_node(tmp_path / "node", "kitchen"))
    channel = Remembering()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bench.connections.open(Open(channel, ("tls", *silent.getsockname())))
        bench.run_until(lambda: bench.connections._connections[0].state == connections.HANDSHAKING)
        bench.connections.close(channel)
    assert channel.ends == ["closed"]
    assert not bench.connections.busy()


def test_handshakes_take_turns(authority: Authority, tmp_path: Path) -> None:
    """A gateway connects many nodes at once, and each handshake's process takes 10 MB."""
    bench = KernelBench(authority.write_node(tmp_path / "node", "kitchen"))
    channels = [Remembering() for _ in range(4)]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for channel in channels:
            bench.connections.open(Open(channel, ("tls", *silent.getsockname())))
        bench.run_until(lambda: all(one.state == connections.HANDSHAKING for one in bench.connections._connections))
        running = [one._handshake_elsewhere._pid != 0 for one in bench.connections._connections]  # type: ignore[attr-defined]
        assert running == [True, False, False, False]
        bench.connections.close(channels[2])  # one that waits
        bench.connections.close(channels[0])  # the one that runs
        running = [one._handshake_elsewhere._pid != 0 for one in bench.connections._connections]  # type: ignore[attr-defined]
        assert running == [True, False]
        for channel in (channels[1], channels[3]):
            bench.connections.close(channel)
    assert [channel.ends for channel in channels] == [["closed"]] * 4


def test_a_handshake_that_dies_is_an_end_with_a_reason(
    server: Server, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_tls, "CHILD", "not_there.py")
    bench = KernelBench(authority.write_node(tmp_path / "node", "kitchen"))
    channel = Remembering()
    open_channel(bench, server, channel)
    bench.run_until(lambda: channel.ends)
    assert channel.ends == ["the process of the TLS handshake died"]


def test_no_process_to_be_had_is_an_end_with_a_reason(
    server: Server, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    bench = KernelBench(authority.write_node(tmp_path / "node", "kitchen"))
    channel = Remembering()
    open_channel(bench, server, channel)
    bench.run_until(lambda: channel.ends)
    assert channel.ends == ["no such file or directory"]


class Records:
    """A socket whose kernel has TLS, as far as `receive` can tell: what recvmsg gives for one record."""

    def __init__(self, record_type: int, data: bytes) -> None:
        self._result = (data, [(282, 2, bytes((record_type,)))], 0, None)

    def recvmsg(self, _size_bytes: int, _ancillary_bytes: int) -> object:
        return self._result


@pytest.mark.parametrize(
    ("record_type", "data", "expected"),
    [
        (23, b"hello", b"hello"),
        (21, b"\x01\x00", b""),
        (22, b"\x18\x00\x00\x01\x00", b""),  # the peer's new keys
        (21, b"\x02", b""),  # no alert that anybody could send
    ],
)
def test_records_that_are_data_or_the_end(record_type: int, data: bytes, expected: bytes) -> None:
    assert kernel_tls.receive(Records(record_type, data), 100) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(("alert", "text"), [(46, "refused this node's certificate"), (80, "TLS: alert 80")])
def test_alerts_say_why(alert: int, text: str) -> None:
    with pytest.raises(PlatformError, match=text):
        kernel_tls.receive(Records(21, bytes((2, alert))), 100)  # type: ignore[arg-type]


def test_the_handshake_keeps_the_descriptor_as_it_was(server: Server, authority: Authority, tmp_path: Path) -> None:
    """Non-blocking is a property of the description that both processes share."""
    bench = KernelBench(authority.write_node(tmp_path / "node", "kitchen"))
    outcomes: list[str] = []
    with socket.create_connection(server.listener.getsockname()) as connection:
        connection.setblocking(False)
        bench.kernel.submit(Handshake(bench.kernel, connection.fileno(), 10_000, outcomes.append))
        bench.run_until(lambda: outcomes)
        with pytest.raises(BlockingIOError):
            connection.recv(1)
    assert outcomes == [kernel_tls.DONE if kernel_tls.has_module() else kernel_tls.NOT_HERE]
