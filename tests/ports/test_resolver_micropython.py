"""Names looked up by the MicroPython port, at servers that answer, refuse, lie and are silent."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from micropython_site import HEAP, environment, micropython

PEER = str(Path(__file__).parent / "resolver_peer.py")
A, AAAA = 1, 28
Zone = dict[tuple[str, int], list[bytes]]
ZONE: Zone = {
    ("hub.example", A): [bytes([192, 0, 2, 7]), bytes([192, 0, 2, 8])],
    ("hub.example", AAAA): [socket.inet_pton(socket.AF_INET6, "2001:db8::7")],
    ("six.example", A): [],
    ("six.example", AAAA): [socket.inet_pton(socket.AF_INET6, "2001:db8::9")],
    ("hub.lan", A): [bytes([192, 0, 2, 9])],
    ("hub.lan", AAAA): [],
    ("none.example", A): [],
    ("none.example", AAAA): [],
}


class NameServer:
    """Answers by `answer(query, name, kind)`, which gives datagrams."""

    def __init__(self, answer: Callable[[bytes, str, int], list[bytes]]) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.asked: list[tuple[str, int]] = []
        self._answer = answer
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            query, peer = self.socket.recvfrom(4096)
            if not query:  # from `close`
                return
            name, kind = question_of(query)
            self.asked.append((name, kind))
            for datagram in self._answer(query, name, kind):
                self.socket.sendto(datagram, peer)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self.socket.getsockname())
        self._thread.join(5)
        self.socket.close()


def question_of(query: bytes) -> tuple[str, int]:
    labels, at = [], 12
    while size := query[at]:
        labels.append(query[at + 1 : at + 1 + size].decode())
        at += 1 + size
    return ".".join(labels).lower(), struct.unpack_from(">H", query, at + 1)[0]


def truth(query: bytes, name: str, kind: int, number: int | None = None) -> list[bytes]:
    """What an honest server says."""
    found = ZONE.get((name, kind))
    code = 3 if found is None else 0
    rows = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(address)) + address for address in found or [])
    asked = struct.unpack_from(">H", query, 0)[0] if number is None else number
    return [struct.pack(">HHHHHH", asked, 0x8180 | code, 1, len(found or []), 0, 0) + query[12:] + rows]


def lies(query: bytes, name: str, kind: int) -> list[bytes]:
    """Guesses of another's number, another question's answer, rubbish, and the truth at last."""
    number = struct.unpack_from(">H", query, 0)[0]
    other = struct.pack(">HHHHHH", number, 0x8180, 1, 1, 0, 0) + b"\4bank\0\0\1\0\1\xc0\x0c"
    other += struct.pack(">HHIH", 1, 1, 60, 4) + bytes(4)
    return [*truth(query, name, kind, number ^ 1), other, *truth(query, name, kind)]


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[bytes, str, int], list[bytes]]], NameServer]]:
    started: list[NameServer] = []

    def start(answer: Callable[[bytes, str, int], list[bytes]]) -> NameServer:
        started.append(NameServer(answer))
        return started[-1]

    yield start
    for server in started:
        server.close()


Serve = Callable[[Callable[[bytes, str, int], list[bytes]]], NameServer]


def closed_port() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def look_up(servers: str, *names: str, search: str = "", hosts: str = "") -> dict[str, str]:
    done = subprocess.run(
        [*micropython(), *HEAP, PEER, servers, search, hosts, *names],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


def test_addresses_of_both_kinds(serve: Serve) -> None:
    found = look_up(serve(truth).address, "hub.example", "six.example", "192.0.2.1")
    assert found["hub.example"] == "192.0.2.7 192.0.2.8 2001:db8:0:0:0:0:0:7"
    assert found["six.example"] == "2001:db8:0:0:0:0:0:9"
    assert found["192.0.2.1"] == "192.0.2.1"


def test_a_name_that_there_is_not(serve: Serve) -> None:
    found = look_up(serve(truth).address, "missing.example", "none.example", "b\u00fcro.example")
    assert found["missing.example"] == "no such host: missing.example"
    assert found["none.example"] == "no such host: none.example"
    assert "xn--" in found["b\u00fcro.example"]


def test_search_domains_and_the_hosts_file(serve: Serve) -> None:
    server = serve(truth)
    found = look_up(server.address, "hub", "meter", search="nowhere.example,lan", hosts="192.0.2.50 meter\n")
    assert found["hub"] == "192.0.2.9"
    assert found["meter"] == "192.0.2.50"
    assert ("hub.nowhere.example", A) in server.asked
    assert not [name for name, _ in server.asked if name == "meter"]


def test_a_dead_server_is_left_at_once_and_a_silent_one_after_a_while(serve: Serve) -> None:
    good = serve(truth)
    before_s = time.monotonic()
    assert look_up(f"{closed_port()},{good.address}", "hub.example")["hub.example"].startswith("192.0.2.7")
    assert time.monotonic() - before_s < 1.5
    silent = serve(lambda _query, _name, _kind: [])
    found = look_up(f"{silent.address},{good.address}", "hub.example")
    assert found["hub.example"].startswith("192.0.2.7")
    assert int(found["wakes"]) < 10


def test_all_servers_silent_ends_with_a_reason(serve: Serve) -> None:
    silent = serve(lambda _query, _name, _kind: [])
    assert look_up(silent.address, "hub.example")["hub.example"] == "no name server answers for hub.example"
    assert len(silent.asked) == 4  # two kinds, twice


def test_a_failing_server_is_passed_over(serve: Serve) -> None:
    failing = serve(lambda query, _name, _kind: [query[:2] + b"\x81\x82" + query[4:]])
    found = look_up(f"{failing.address},{serve(truth).address}", "hub.example")
    assert found["hub.example"].startswith("192.0.2.7")
    assert "code 2" in look_up(failing.address, "hub.example")["hub.example"]


def test_lies_and_rubbish_are_no_answer(serve: Serve) -> None:
    assert look_up(serve(lies).address, "hub.example")["hub.example"].startswith("192.0.2.7")
    rubbish = serve(lambda _query, _name, _kind: [os.urandom(200) for _ in range(200)])
    assert "what nobody asked" in look_up(rubbish.address, "hub.example")["hub.example"]


def test_one_kind_alone_is_good_enough(serve: Serve) -> None:
    server = serve(lambda query, name, kind: truth(query, name, kind) if kind == A else [])
    assert look_up(server.address, "hub.example")["hub.example"] == "192.0.2.7 192.0.2.8"


def test_many_at_once_all_end(serve: Serve) -> None:
    names = [f"host{number}.example" for number in range(40)]
    found = look_up(serve(truth).address, *names)
    assert all(found[name] == "no such host: " + name for name in names)
