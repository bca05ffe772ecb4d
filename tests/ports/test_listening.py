"""Listening sockets and local connections under both runtimes, against ordinary sockets."""

from __future__ import annotations

import select
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from micropython_site import HEAP, ROOMS, ROOT, environment, micropython

PEER = str(Path(__file__).parent / "listening_peer.py")
Start = Callable[..., "subprocess.Popen[bytes]"]
PATIENCE_S = 20.0


@pytest.fixture(params=["cpython", "micropython"])
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    """Starts listening_peer.py; it has begun."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*words: str) -> subprocess.Popen[bytes]:
        python = [sys.executable, "-u"] if request.param == "cpython" else [*micropython(), *HEAP]
        variables = {**environment(), "PYTHONPATH": ":".join(str(ROOT / room) for room in ROOMS)}
        started.append(
            subprocess.Popen(
                [*python, PEER, *words], env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
            )
        )
        return started[-1]

    yield run
    for one in started:
        one.kill()
        one.wait()
        assert one.stdout is not None
        one.stdout.close()


def line_of(peer: subprocess.Popen[bytes]) -> str:
    assert peer.stdout is not None
    assert select.select([peer.stdout], [], [], PATIENCE_S)[0], "it says nothing"
    return peer.stdout.readline().decode().strip()


def ask(connection: socket.socket, data: bytes) -> bytes:
    """What comes back, until it ends with what was sent."""
    connection.settimeout(PATIENCE_S)
    connection.sendall(data)
    got = b""
    while not got.endswith(data):
        piece = connection.recv(100)
        assert piece, got
        got += piece
    return got


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def local(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(path))
    return connection


def test_a_unix_socket_is_its_owners_alone_and_goes_with_its_listener(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "bus.sock"
    peer = start("listen", "unix", str(path))
    assert line_of(peer) == "begun"
    mode = path.stat().st_mode
    assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode)) == (True, 0o600)
    with local(path) as one, local(path) as other:
        assert ask(one, b"hello") == b"welcome hello"
        assert ask(other, b"x" * 50_000)[:8] == b"welcome "
        assert ask(one, b"stop") == b"stop"
        assert [line_of(peer) for _ in range(3)] == ["accepted:", "accepted:", "closed: closed"]
        assert ask(other, b"connections stay") == b"connections stay"
        assert not path.exists()
    assert [line_of(peer) for _ in range(2)] == ["connection closed: closed by the other end"] * 2
    assert peer.wait(PATIENCE_S) == 0


def test_tcp_tells_where_a_connection_comes_from(start: Start) -> None:
    port = free_port()
    peer = start("listen", "tcp", "127.0.0.1", str(port))
    assert line_of(peer) == "begun"
    with socket.create_connection(("127.0.0.1", port)) as one:
        assert ask(one, b"one") == b"welcome one"
        assert line_of(peer) == "accepted: 127.0.0.1"
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as refused:
            assert refused.recv(10) == b""
        assert line_of(peer) == "refused: 127.0.0.1"
        assert ask(one, b"stop") == b"stop"


def test_an_address_in_use_is_told(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        peer = start("listen", "tcp", "127.0.0.1", str(port))
        assert line_of(peer) == f"closed: cannot listen at 127.0.0.1:{port}: address already in use"


def test_what_an_earlier_process_left_is_replaced_and_nothing_else(start: Start, tmp_path: Path) -> None:
    stale = tmp_path / "stale.sock"
    with socket.socket(socket.AF_UNIX) as earlier:
        earlier.bind(str(stale))
    assert line_of(start("listen", "unix", str(stale))) == "begun"
    with local(stale) as one:
        assert ask(one, b"hello") == b"welcome hello"
    precious = tmp_path / "precious"
    precious.write_text("not a socket")
    told = line_of(start("listen", "unix", str(precious)))
    assert told == f"closed: {precious} is there and is no socket: remove it"
    link = tmp_path / "link"
    link.symlink_to(stale)
    assert line_of(start("listen", "unix", str(link))).endswith("is no socket: remove it")
    assert precious.read_text() == "not a socket" and stat.S_ISSOCK(stale.stat().st_mode)


def test_a_place_where_no_socket_can_be(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "missing" / "bus.sock"
    assert line_of(start("listen", "unix", str(path))).startswith(f"closed: cannot listen at {path}: no such file")
    long = tmp_path / ("x" * 108)
    assert line_of(start("listen", "unix", str(long))).startswith("closed: the path of a socket has at most 107 bytes")


def test_one_listener_has_so_many_connections_and_no_more(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "bus.sock"
    peer = start("listen", "unix", str(path))
    assert line_of(peer) == "begun"
    many = [local(path) for _ in range(8)]
    while len(many) < 64:
        many.append(local(path))
        assert ask(many[-1], b"hello") == b"welcome hello"
    with local(path) as extra:
        extra.settimeout(PATIENCE_S)
        assert extra.recv(10) == b""
    many.pop().close()
    end_s = time.monotonic() + PATIENCE_S
    while True:
        with local(path) as extra:
            extra.settimeout(PATIENCE_S)
            if extra.recv(10):
                break
        assert time.monotonic() < end_s
    for one in many:
        one.close()


@pytest.mark.parametrize("kind", ["unix", "driver"])
def test_a_local_connection_is_opened(start: Start, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "driver-ble.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(PATIENCE_S)
                connection.sendall(b"got " + connection.recv(100))

        server = threading.Thread(target=serve)
        server.start()
        peer = start("open", str(tmp_path), kind, str(path) if kind == "unix" else "ble")
        told = [line_of(peer) for _ in range(4)]
        server.join(PATIENCE_S)
    assert told == ["begun", f"opened: {path}", "received: got hello", "closed: closed by the other end"]


def test_a_local_connection_that_cannot_be(start: Start, tmp_path: Path) -> None:
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as earlier:
        earlier.bind(str(dead))
    for path, reason in ((tmp_path / "none", "no such file or directory"), (dead, "connection refused")):
        peer = start("open", str(tmp_path), "unix", str(path))
        told = [line_of(peer) for _ in range(3)]
        assert sorted(told) == sorted(["begun", "received:", "closed: " + reason]), told


def test_a_drivers_process_may_listen_a_little_later(start: Start, tmp_path: Path) -> None:
    peer = start("open", str(tmp_path), "driver", "late")
    assert line_of(peer) == "begun"
    time.sleep(0.4)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "driver-late.sock"))
        listening.listen()
        connection, _ = listening.accept()
        with connection:
            assert connection.recv(100) == b"hello"
    assert line_of(peer).startswith("opened: ")
