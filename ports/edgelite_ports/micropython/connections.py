"""Channels on sockets under MicroPython: what common/connections.py says."""

import socket

from edgelite.effects import Open
from edgelite_ports.common.connections import (
    HANDSHAKING,
    IPPROTO_TCP,
    NOT_SENT_BYTES_MAX,
    OPEN,
    READABLE,
    SEND_BYTES_MAX,
    TCP_NODELAY,
    TCP_NOTSENT_LOWAT,
    WRITABLE,
    Connection,
    Connections,
)
from edgelite_ports.micropython.os_errors import EAGAIN, EINPROGRESS, describe
from edgelite_ports.micropython.tls import TlsConnection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

RECEIVE_BYTES_MAX = 1024
_RECEIVES_MAX = 16  # pieces of one readiness; the rest is read in the next round


class SocketConnection(Connection):
    def __init__(self, owner: Connections, effect: Open, tls_context: "Callable[[], Any]", system: "Any") -> None:
        super().__init__(owner, effect)
        self._tls_context = tls_context
        self._system = system
        self._tls: TlsConnection | None = None

    def _new_socket(self, address: str) -> int:
        if self.kind == "unix":
            self._socket = _listening().new_local()
            self._socket.setblocking(False)
            self._socket.connect(_listening().local_address(address, self._system))
            return 0
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        _set_options(self._socket)
        try:
            self._socket.connect(socket.getaddrinfo(address, self.port, family, socket.SOCK_STREAM)[0][-1])
        except OSError as error:
            if error.errno != EINPROGRESS:
                raise
        return 0

    def _pollable(self) -> "Any":
        return self._socket  # not every network stack has numbers for them

    def _failure(self) -> int:
        """There is no getsockopt: a socket that failed says why when it is read."""
        try:
            self._socket.recv(0)
        except OSError as error:
            return 0 if error.errno == EAGAIN else error.errno or 5
        return 0

    def _begin_tls(self) -> None:
        self._tls = TlsConnection(self._tls_context(), self._socket)
        self._want(READABLE)
        self._handshake()

    def _handshake(self) -> None:
        """It waits for the peer alone: all that this end sends in it fits what an empty socket takes at once."""
        assert self._tls is not None
        if self._tls.handshake():
            self._opened()
            self._deliver()
            self.pump()

    def _receive(self) -> None:
        if self.state == HANDSHAKING:
            self._handshake()
        elif self.state == OPEN:
            self._deliver()

    def _deliver(self) -> None:
        for _ in range(_RECEIVES_MAX if self._tls is None else 1 << 30):  # what TLS holds, no poll tells of
            if self.state != OPEN or self.channel.is_full:
                return
            data = self._read()
            if data is None:
                self.finish("closed by the other end")
                return
            if not data:
                return
            self.channel.received(data, self.owner.now_ms())

    def _read(self) -> "bytes | None":
        """b"" for none yet, None at the end."""
        if self._tls is not None:
            return self._tls.read()
        try:
            return self._socket.recv(RECEIVE_BYTES_MAX) or None
        except OSError as error:
            if error.errno == EAGAIN:
                return b""
            raise

    def pump(self) -> None:
        if self.state != OPEN:
            return
        if not self._unsent:
            self._unsent = self.channel.data_to_send(SEND_BYTES_MAX)
        if not self._unsent:
            self._want(self._readable())
            return
        self._send()
        self._want(self._readable() | WRITABLE)

    def _send(self) -> None:
        if self._tls is not None:
            self._deliver()  # an alert says why writing would fail, and after a failure TLS reads nothing more
            sent = self._tls.write(self._unsent) if self._tls is not None else 0
        else:
            try:
                sent = self._socket.send(self._unsent)
            except OSError as error:
                if error.errno != EAGAIN:
                    raise
                sent = 0
        self._unsent = self._unsent[sent:]

    def _say_goodbye(self) -> None:
        self.pump()
        if self._unsent and self.state == OPEN:
            self._send()

    def _drop_tls(self) -> None:
        if self._tls is not None:
            self._tls.close()
        self._tls = None


def _listening() -> "Any":
    from edgelite_ports.micropython import listening  # most nodes listen for nobody

    return listening


def _set_options(new: "Any") -> None:
    """A network stack without one of them works all the same."""
    for option, value in ((TCP_NODELAY, 1), (TCP_NOTSENT_LOWAT, NOT_SENT_BYTES_MAX)):
        try:
            new.setsockopt(IPPROTO_TCP, option, value)
        except OSError:
            continue


def make_connections(
    loop: "Any",
    resolve: "Callable[[str, Callable[[list[str], str], None]], None]",
    tls_context: "Callable[[], Any]",
    now_ms: "Callable[[], int]",
    system: "Any" = None,
) -> Connections:
    """`tls_context()` gives the node's identity as it is now, so that a renewed certificate counts from the next
    connection on. `system`: the port's module of that name where it has serial lines by termios."""

    def make(owner: Connections, effect: Open) -> Connection:
        return SocketConnection(owner, effect, tls_context, system)

    return Connections(loop, make, resolve, describe, now_ms, system, _listening)
