"""The MicroPython port's sockets: TCP and TLS against real servers that echo, are slow, lie, reset, and are silent."""

from __future__ import annotations

import datetime
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from certificates import PAST, Authority

sys.path.insert(0, str(Path(__file__).parents[1] / "micropython"))
import runtime as pinned
from micropython_site import HEAP, environment, micropython

from edgelite_sim.qemu import emulators

PEER = str(Path(__file__).parent / "connection_peer.py")
COUNT = 200_000
Behaviour = Callable[[socket.socket], None]


class World:
    """A CA, a node of it, and servers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority.make()
        self.state = folder / "node"
        self.authority.write_node(self.state / "identity", "kitchen")
        self._listeners: list[socket.socket] = []

    def tls(self, authority: Authority | None = None, **hub: object) -> ssl.SSLContext:
        paths = (authority or self.authority).write_hub(self.folder / f"hub{len(self._listeners)}", **hub)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(paths[1], paths[2])
        context.load_verify_locations(paths[0])
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def serve(self, behave: Behaviour, context: ssl.SSLContext | None = None) -> int:
        """The port of a server that behaves so to each connection."""
        listener = socket.create_server(("127.0.0.1", 0))
        self._listeners.append(listener)
        threading.Thread(target=self._accept, args=(listener, behave, context), daemon=True).start()
        return int(listener.getsockname()[1])

    def _accept(self, listener: socket.socket, behave: Behaviour, context: ssl.SSLContext | None) -> None:
        while True:
            try:
                connection, _ = listener.accept()
                with connection if context is None else context.wrap_socket(connection, server_side=True) as channel:
                    behave(channel)
            except OSError:  # of TLS too: what the node sees of it is what the test looks at
                if listener.fileno() < 0:
                    return

    def run(self, kind: str, port: int, count: int = 0, sent: int | None = None) -> list[str]:
        """What connection_peer.py tells."""
        return self.run_under([*micropython(), *HEAP], kind, port, count, sent)

    def run_under(
        self,
        runtime: list[str],
        kind: str,
        port: int,
        count: int = 0,
        sent: int | None = None,
        host: str = "127.0.0.1",
    ) -> list[str]:
        counts = [str(count), str(count if sent is None else sent)]
        done = subprocess.run(
            [*runtime, PEER, kind, host, str(port), str(self.state), *counts],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def close(self) -> None:
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def echo(channel: socket.socket) -> None:
    while data := channel.recv(65536):
        channel.sendall(data)


def slow_echo(channel: socket.socket) -> None:
    """Takes little at a time, so that the node's socket is full again and again."""
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    while data := channel.recv(3000):
        time.sleep(0.002)
        channel.sendall(data)


def silent(channel: socket.socket) -> None:
    time.sleep(60)


def last_words(channel: socket.socket) -> None:
    channel.sendall(bytes(range(200)))


def reset(channel: socket.socket) -> None:
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


WHOLE = ["opened", f"received: {COUNT}", "closed: closed"]


@pytest.mark.parametrize("behave", [echo, slow_echo])
def test_tcp_carries_everything_both_ways(world: World, behave: Behaviour) -> None:
    assert world.run("tcp", world.serve(behave), COUNT) == WHOLE


@pytest.mark.parametrize("behave", [echo, slow_echo])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2])
def test_tls_carries_everything_both_ways(world: World, behave: Behaviour, version: ssl.TLSVersion) -> None:
    context = world.tls()
    context.maximum_version = version
    assert world.run("tls", world.serve(behave, context), COUNT) == WHOLE


def test_an_address_of_version_6(world: World) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                echo(connection)

        threading.Thread(target=answer, daemon=True).start()
        words = [*micropython(), *HEAP]
        told = world.run_under(words, "tcp", int(listener.getsockname()[1]), 1000, host="::1")
    assert told == ["opened", "received: 1000", "closed: closed"]


def test_session_tickets_are_no_data(world: World) -> None:
    """Python's servers send two of them after each handshake of TLS 1.3; a hub sends none."""
    context = world.tls()
    assert context.num_tickets == 2
    assert world.run("tls", world.serve(echo, context), 100) == ["opened", "received: 100", "closed: closed"]


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_last_words_arrive_before_the_end(world: World, kind: str) -> None:
    told = world.run(kind, world.serve(last_words, world.tls() if kind == "tls" else None), 200, 0)
    assert told[:2] == ["opened", "received: 200"]


def test_refused(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert world.run("tcp", port) == ["closed: connection refused"]


def test_reset(world: World) -> None:
    assert world.run("tcp", world.serve(reset))[-1] == "closed: connection reset by peer"
    assert world.run("tls", world.serve(reset)) == ["closed: connection reset by peer"]


def test_a_hub_that_says_nothing_times_out(world: World) -> None:
    assert world.run("tls", world.serve(silent)) == ["closed: TLS handshake timed out"]


def test_a_hub_that_hangs_up_in_the_handshake(world: World) -> None:
    assert world.run("tls", world.serve(lambda channel: channel.recv(4096) and None)) == ["closed: connection closed"]


def test_the_certificate_of_another_hub(world: World) -> None:
    foreign = Authority.make("another CA")
    assert world.run("tls", world.serve(echo, world.tls(foreign))) == ["closed: certificate of another hub"]
    same_name = Authority.make()
    assert world.run("tls", world.serve(echo, world.tls(same_name))) == ["closed: certificate of another hub"]


def test_the_certificate_of_something_that_is_no_hub(world: World) -> None:
    port = world.serve(echo, world.tls(dns_name="printer"))
    assert world.run("tls", port) == ["closed: certificate of something that is no hub"]


def test_a_hub_that_refuses_the_nodes_certificate(world: World) -> None:
    Authority.make("another CA").write_node(world.state / "identity", "kitchen")
    context = world.tls()
    (world.state / "identity" / "ca.crt").write_bytes((world.folder / "hub0" / "ca.crt").read_bytes())
    told = world.run("tls", world.serve(echo, context))
    assert told[-1].startswith("closed: the hub refused this node's certificate")


def test_what_the_clock_says_of_a_hubs_certificate_is_told(world: World) -> None:
    """Mbed TLS looks at dates and cannot be told not to. Hubs are dated so that no clock is outside of them."""
    told = world.run("tls", world.serve(echo, world.tls(end=PAST)))
    assert told == ["closed: the hub's certificate ended before this machine's clock: set the clock"]


def test_rubbish_for_tls(world: World) -> None:
    told = world.run("tls", world.serve(lambda channel: channel.sendall(os.urandom(500))))
    assert len(told) == 1 and told[0].startswith("closed: TLS: ")


def test_an_identity_that_is_none(world: World) -> None:
    port = world.serve(echo, world.tls())
    (world.state / "identity" / "node.key").write_text("rubbish")
    assert "there is no private key in PEM" in world.run("tls", port)[0]
    good = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    (world.state / "identity" / "node.key").write_text(good)
    assert "cannot load the node's identity" in world.run("tls", port)[0]


def test_a_build_that_does_not_tell_how_far_the_handshake_is(world: World) -> None:
    """MicroPython's own build of Mbed TLS keeps no certificate of the peer, has TLS 1.2 alone and no PEM."""
    words = pinned.command()
    assert world.run_under(words, "tls", world.serve(echo, world.tls()), COUNT) == WHOLE
    assert world.run_under(words, "tls", world.serve(slow_echo, world.tls()), COUNT) == WHOLE
    foreign = Authority.make("another CA")
    told = world.run_under(words, "tls", world.serve(echo, world.tls(foreign)), 100)
    assert told[-1] == "closed: certificate of another hub"
    assert "received: 100" not in told
    told = world.run_under(words, "tls", world.serve(echo, world.tls(dns_name="printer")), 100)
    assert told[-1] == "closed: certificate of something that is no hub"


CLOCK_AT_ITS_BEGINNING = "#include <time.h>\ntime_t time(time_t *t) { if (t) *t = 5; return 5; }\n"


def test_a_clock_that_was_never_set_does_no_harm(world: World, tmp_path: Path) -> None:
    """Mbed TLS asks time(3), which says 5 s after the beginning of 1970 here."""
    emulators.require("gcc", "libc6-dev")
    (tmp_path / "clock.c").write_text(CLOCK_AT_ITS_BEGINNING)
    library = str(tmp_path / "clock.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, str(tmp_path / "clock.c")], check=True)
    words = ["env", f"LD_PRELOAD={library}", *micropython(), *HEAP]
    told = world.run_under(words, "tls", world.serve(echo, world.tls()), 1000)
    assert told == ["opened", "received: 1000", "closed: closed"]
    late = world.tls(start=datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))
    told = world.run_under(words, "tls", world.serve(echo, late))
    assert told == ["closed: the hub's certificate begins after this machine's clock: set the clock"]


def test_the_dates_of_these_tests_are_those_of_a_hub() -> None:
    from edgelite_hub.security import ca

    assert datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) == ca.NOT_BEFORE
