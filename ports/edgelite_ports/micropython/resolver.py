"""Names to addresses without blocking: asks name servers over UDP.

A name is looked for in the hosts file, then at each server in turn, twice; IPv4 and IPv6 are asked for at the same
time, and IPv4 addresses come first. A server that refuses is left at once, one that is silent after 2 s.
"""

import socket
import struct

from edgelite.node import earliest
from edgelite_ports.micropython import dns
from edgelite_ports.micropython.names import (
    ADDRESSES_MAX,
    NameConfiguration,
    address_text,
    candidates,
    find_host,
    is_address,
)
from edgelite_ports.micropython.os_errors import EAGAIN, describe
from edgelite_protocol.errors import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Done = Callable[[list[str], str], None]

ATTEMPT_TIMEOUT_MS = 2_000
ROUNDS = 2  # through all servers
LOOKUPS_MAX = 8  # at once; the others wait
WAITING_MAX = 64  # the link, and a device of each name; more is refused
_STRAYS_MAX = 64  # datagrams of one attempt that answer nothing we asked


class Resolver:
    """`lookup` brings `done(addresses, reason)`, once. `configuration()` tells where to look, at each lookup anew."""

    def __init__(
        self,
        loop: "Any",
        now_ms: "Callable[[], int]",
        random_bytes: "Callable[[int], bytes]",
        configuration: "Callable[[], NameConfiguration]",
    ) -> None:
        self.loop = loop
        self.now_ms = now_ms
        self.random_bytes = random_bytes
        self._configuration = configuration
        self._running: list[_Lookup] = []
        self._waiting: list[tuple[str, Done]] = []

    def lookup(self, host: str, done: "Done") -> None:
        if is_address(host):
            done([host], "")
        elif len(self._running) < LOOKUPS_MAX:
            self._start(host, done)
        elif len(self._waiting) < WAITING_MAX:
            self._waiting.append((host, done))
        else:
            done([], "too many names are being looked up")

    def step(self, now_ms: int) -> "int | None":
        """Let attempts time out; the next deadline."""
        for lookup in list(self._running):
            lookup.expire(now_ms)
        return earliest([lookup.deadline_ms for lookup in self._running])

    def _start(self, host: str, done: "Done") -> None:
        configuration = self._configuration()
        known = find_host(configuration.hosts, host)
        if known:
            done(known, "")
            return
        lookup = _Lookup(self, host, configuration, done)
        self._running.append(lookup)
        lookup.begin()

    def ended(self, lookup: "_Lookup") -> None:
        self._running.remove(lookup)
        if self._waiting:
            self._start(*self._waiting.pop(0))


class _Question:
    def __init__(self, kind: int, number: int) -> None:
        self.kind = kind
        self.number = number
        self.addresses: list[bytes] | None = None  # None while it is not answered


class _Lookup:
    """One name: through its candidates, and for each of them through the servers."""

    def __init__(self, owner: Resolver, host: str, configuration: NameConfiguration, done: "Done") -> None:
        self.deadline_ms: int | None = None
        self._owner = owner
        self._host = host
        self._done = done
        self._names = candidates(configuration, host)
        self._servers = configuration.servers * ROUNDS
        self._attempts: list[tuple[str, int]] = []
        self._socket: Any = None
        self._questions: list[_Question] = []
        self._strays = 0
        self._reason = "no such host: " + host

    def begin(self) -> None:
        self._attempts = list(self._servers)
        self._next_attempt()

    def _next_attempt(self) -> None:
        """The next server for this name; where none is left, the end: the name may be there all the same."""
        self._drop_socket()
        while self._attempts:
            if self._ask(self._attempts.pop(0)):
                return
        self._finish([])

    def _next_name(self) -> None:
        """The servers know of no address for this one."""
        self._drop_socket()
        self._reason = "no such host: " + self._host
        self._names.pop(0)
        if self._names:
            self.begin()
        else:
            self._finish([])

    def _ask(self, server: "tuple[str, int]") -> bool:
        address, port = server
        random = struct.unpack(">HH", self._owner.random_bytes(4))
        self._questions = [_Question(dns.A, random[0]), _Question(dns.AAAA, random[1])]
        self._strays = 0
        try:
            queries = [dns.encode_query(one.number, self._names[0], one.kind) for one in self._questions]
        except ValueError as error:
            self._reason = str(error)
            self._attempts = []
            return False
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            self._socket.connect(socket.getaddrinfo(address, port, family, socket.SOCK_DGRAM)[0][-1])
            for query in queries:
                self._socket.send(query)
        except OSError as error:
            self._fail(error)
            return False
        self._owner.loop.register(self._socket, 1, self._ready)
        self.deadline_ms = self._owner.now_ms() + ATTEMPT_TIMEOUT_MS
        return True

    def _ready(self, _events: int) -> None:
        while self._socket is not None:
            try:
                data = self._socket.recv(dns.MESSAGE_BYTES_MAX)
            except OSError as error:
                if error.errno != EAGAIN:
                    self._fail(error)
                    self._next_attempt()
                return
            self._take(data)

    def _take(self, data: bytes) -> None:
        try:
            taken = any(self._answers(question, data) for question in self._questions)
        except dns.NoAnswerError as error:
            if error.number == dns.NO_SUCH_NAME:
                self._next_name()
            else:
                self._reason = error.text
                self._next_attempt()
            return
        except ProtocolError as error:
            self._reason = error.text
            self._next_attempt()
            return
        if not taken:
            self._strays += 1
            if self._strays >= _STRAYS_MAX:
                self._reason = "the name server answers what nobody asked"
                self._next_attempt()
        elif all(question.addresses is not None for question in self._questions):
            self._answered()

    def _answers(self, question: _Question, data: bytes) -> bool:
        if question.addresses is None:
            question.addresses = dns.parse_answer(data, question.number, self._names[0], question.kind)
            return question.addresses is not None
        return False

    def _answered(self) -> None:
        found = [address_text(one) for question in self._questions for one in question.addresses or []]
        if found:
            self._finish(found[:ADDRESSES_MAX])
        else:
            self._next_name()

    def expire(self, now_ms: int) -> None:
        """A server that has told one kind of address and is silent about the other is good enough."""
        if self.deadline_ms is None or now_ms < self.deadline_ms:
            return
        if any(question.addresses for question in self._questions):
            self._answered()
        else:
            self._reason = "no name server answers for " + self._host
            self._next_attempt()

    def _fail(self, error: OSError) -> None:
        self._reason = "the name server: " + describe(error.errno or 0)
        self._drop_socket()

    def _finish(self, addresses: "list[str]") -> None:
        self._drop_socket()
        self._owner.ended(self)
        self._done(addresses, "" if addresses else self._reason)

    def _drop_socket(self) -> None:
        self.deadline_ms = None
        if self._socket is not None:
            if self._owner.loop.has(self._socket):
                self._owner.loop.unregister(self._socket)
            self._socket.close()
        self._socket = None
