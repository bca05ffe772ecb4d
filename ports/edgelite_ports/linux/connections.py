"""Channels on sockets: carries out `effects.Open` and `effects.Close` for ("tls", host, port) and
("tcp", host, port).

A connection goes RESOLVING, CONNECTING (each address in turn), HANDSHAKING (TLS alone), OPEN, CLOSED; whatever ends
it, its channel hears `closed` exactly once. Little is left waiting in the kernel: a socket is writable only while
fewer than NOT_SENT_BYTES_MAX of it are unsent, so what the core decides to send next really goes next.
"""

import _socket
import errno
import os

from edgelite.effects import Channel, Open
from edgelite_ports.common.dispatch import LANE_NAMES
from edgelite_ports.linux import kernel_tls, resolver
from edgelite_ports.linux.clock import monotonic_ms
from edgelite_ports.linux.loop import READABLE, WRITABLE, Loop
from edgelite_ports.linux.worker import Worker
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _ssl
    from collections.abc import Callable
    from typing import Any

    from edgelite_ports.linux.tls import TlsConnection

RESOLVING = 0
CONNECTING = 1
HANDSHAKING = 2
OPEN = 3
CLOSED = 4

CONNECT_TIMEOUT_MS = 10_000  # an address: three SYNs at 1, 3 and 7 s have gone unanswered
# TLS 1.3 takes one round trip (a satellite's is 0.6 s) and a signature (0.1 s on a Pi Zero). Not longer, because a
# link that has fallen silent is often met again while it still is.
HANDSHAKE_TIMEOUT_MS = 10_000
RECEIVE_BYTES_MAX = 16384
SEND_BYTES_MAX = 4096  # one frame of the default size, and one small TLS record
NOT_SENT_BYTES_MAX = 4096
_TCP_NOTSENT_LOWAT = 25


class Connection:
    """One channel between its Open and its `closed`."""

    def __init__(self, owner: "Connections", effect: Open) -> None:
        self.owner = owner
        self.channel = effect.channel
        self.kind, self.host, self.port = effect.target[0], str(effect.target[1]), int(effect.target[2])
        self.state = RESOLVING
        self.deadline_ms: int | None = None
        self._addresses: list[str] = []
        self._fallback = list(effect.addresses)
        self._socket: _socket.socket | None = None
        self._tls: TlsConnection | None = None  # TLS in this process
        self._handshake_elsewhere: kernel_tls.Handshake | None = None
        self._in_kernel = False  # the kernel does TLS on this socket
        self._unsent = b""
        self._events = 0

    # ---- getting there

    def start(self) -> None:
        if resolver.numeric(self.host):
            self._addresses = [self.host]
            self._connect_next("")
        else:
            self.owner.worker.submit(LANE_NAMES, lambda: resolver.lookup(self.host), self._resolved)

    def _resolved(self, result: object, error: "BaseException | None") -> None:
        if self.state == CLOSED:
            return
        if isinstance(result, list):
            self._addresses = result
        self._addresses += [address for address in self._fallback if address not in self._addresses]
        self._connect_next(str(error) if error else "no address")

    def _connect_next(self, reason: str) -> None:
        """Try the next address; with none left, the reason why the last one failed is the end."""
        self._drop_socket()
        while self._addresses and self.state != CLOSED:
            address = self._addresses.pop(0)
            failure = self._connect(address)
            if failure == 0:
                return
            reason = os.strerror(failure).lower()
        self.finish(reason)

    def _connect(self, address: str) -> int:
        """Begin to connect; 0, or the errno of a failure that is known at once."""
        try:
            self._socket = _new_socket(address)
            failure = self._socket.connect_ex((address, self.port))
        except OSError as error:
            failure = error.errno or errno.EIO
        if failure not in (0, errno.EINPROGRESS):
            self._drop_socket()
            return failure
        self.state = CONNECTING
        self.channel.peer_address = address
        self.deadline_ms = monotonic_ms() + CONNECT_TIMEOUT_MS
        self._want(WRITABLE)
        return 0

    def _connected(self) -> None:
        assert self._socket is not None
        failure = self._socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        if failure:
            self._connect_next(os.strerror(failure).lower())
        elif self.kind == "tls":
            self.state = HANDSHAKING
            self.deadline_ms = monotonic_ms() + HANDSHAKE_TIMEOUT_MS
            self._begin_handshake(self._socket.fileno())
        else:
            self._opened()

    def _begin_handshake(self, descriptor: int) -> None:
        kernel = self.owner.kernel_tls
        if kernel is not None and kernel.usable:
            self._want(0)
            self._handshake_elsewhere = kernel_tls.Handshake(kernel, descriptor, self._handshake_ended)
            return
        from edgelite_ports.linux.tls import TlsConnection  # OpenSSL comes into this process here, or never

        self._tls = TlsConnection(self.owner.tls_context())
        self._handshake()

    def _handshake_ended(self, outcome: str) -> None:
        self._handshake_elsewhere = None
        if outcome == kernel_tls.DONE:
            self._in_kernel = True
            self._opened()
        elif outcome == kernel_tls.NOT_HERE and self.owner.kernel_tls is not None:
            self.owner.kernel_tls.usable = False
            self._addresses.insert(0, self.channel.peer_address)
            self._connect_next("")
        else:
            self.finish(outcome)

    def _handshake(self) -> None:
        assert self._tls is not None
        if self._tls.handshake():
            self._opened()
            self._deliver()
        self.pump()

    def _opened(self) -> None:
        self.state = OPEN
        self.deadline_ms = None
        self._want(READABLE)
        self.channel.opened(monotonic_ms())

    # ---- carrying bytes

    def ready(self, _events: int) -> None:
        """The descriptor is ready; errors of the medium and of TLS end the connection, all others pass on."""
        try:
            if self.state == CONNECTING:
                self._connected()
                return
            if _events & ~WRITABLE:
                self._receive()
            if self.state in (HANDSHAKING, OPEN) and _events & WRITABLE:
                self.pump()
        except OSError as error:
            self.finish((error.strerror or str(error)).lower())
        except PlatformError as error:
            self._flush_alert()
            self.finish(error.text)

    def _receive(self) -> None:
        assert self._socket is not None
        try:
            receive = kernel_tls.receive if self._in_kernel else _socket.socket.recv
            data = receive(self._socket, RECEIVE_BYTES_MAX)
        except BlockingIOError:
            return
        if not data:
            self.finish("closed by the other end")
        elif self._tls is None:
            self.channel.received(data, monotonic_ms())
        else:
            self._tls.receive(data)
            if self.state == HANDSHAKING:
                self._handshake()
            else:
                self._deliver()

    def _deliver(self) -> None:
        assert self._tls is not None
        while self.state == OPEN:
            data = self._tls.read()
            if data is None:
                self.finish("closed by the other end")
            elif not data:
                return
            else:
                self.channel.received(data, monotonic_ms())

    def pump(self) -> None:
        """Send what there is, one piece; ask for writability while there may be more."""
        if self.state not in (HANDSHAKING, OPEN) or self._socket is None or self._handshake_elsewhere is not None:
            return
        if not self._unsent:
            self._unsent = self._next_piece()
        if not self._unsent:
            self._want(READABLE)
            return
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:
            sent = 0
        self._unsent = self._unsent[sent:]
        self._want(READABLE | WRITABLE)

    def _next_piece(self) -> bytes:
        if self._tls is None:
            return self.channel.data_to_send(SEND_BYTES_MAX)
        waiting = self._tls.data_to_send()
        if not waiting and self.state == OPEN:
            data = self.channel.data_to_send(SEND_BYTES_MAX)
            if data:
                self._tls.write(data)
                waiting = self._tls.data_to_send()
        return waiting

    def guarded_pump(self) -> None:
        """`pump` for the agent's own rounds. Does nothing while the socket is known to be full."""
        if self._events & WRITABLE:
            return
        try:
            self.pump()
        except OSError as error:
            self.finish((error.strerror or str(error)).lower())
        except PlatformError as error:
            self.finish(error.text)

    # ---- the end

    def close(self) -> None:
        """The core asked for it: offer what is left once, say goodbye in TLS, close."""
        try:
            self.pump()
            if self._tls is not None and self.state == OPEN:
                self._tls.close()
                self._unsent += self._tls.data_to_send()
            if self._socket is not None and self._unsent:
                self._socket.send(self._unsent)
            if self._socket is not None and self._in_kernel:
                kernel_tls.say_goodbye(self._socket)
        except (OSError, PlatformError) as error:
            self.finish("closed (" + str(error) + ")")
            return
        self.finish("closed")

    def finish(self, reason: str) -> None:
        if self.state == CLOSED:
            return
        self._drop_socket()
        self.state = CLOSED
        self.owner.forget(self)
        self.channel.closed(reason, monotonic_ms())

    def expire(self, now_ms: int) -> None:
        if self.deadline_ms is not None and now_ms >= self.deadline_ms:
            self.deadline_ms = None
            self._connect_next("timed out")

    def _flush_alert(self) -> None:
        """A TLS alert tells the hub why; if it can't be sent, the connection is over all the same."""
        if self._tls is None or self._socket is None:
            return
        try:
            self._socket.send(self._tls.data_to_send())
        except OSError:
            return

    def _want(self, events: int) -> None:
        """Events of the socket to wait for; none means that nobody looks at it."""
        if self._socket is None or events == self._events:
            return
        if not self._events:
            self.owner.loop.register(self._socket.fileno(), events, self.ready)
        elif events:
            self.owner.loop.modify(self._socket.fileno(), events)
        else:
            self.owner.loop.unregister(self._socket.fileno())
        self._events = events

    def _drop_socket(self) -> None:
        if self._handshake_elsewhere is not None:
            self._handshake_elsewhere.cancel()
            self._handshake_elsewhere = None
        if self._socket is not None:
            self._want(0)
            self._socket.close()
        self._socket = None
        self._tls = None
        self._in_kernel = False
        self._unsent = b""


class Connections:
    """All open channels. `tls_context()` gives the node's identity as it is now, so that a renewed certificate
    counts from the next connection on; with `kernel_tls` TLS is the kernel's, where it can."""

    def __init__(
        self,
        loop: Loop,
        worker: Worker,
        tls_context: "Callable[[], _ssl._SSLContext]",
        kernel_tls: "kernel_tls.KernelTls | None" = None,
    ) -> None:
        self.loop = loop
        self.worker = worker
        self.tls_context = tls_context
        self.kernel_tls = kernel_tls
        self._connections: list[Any] = []
        self._ended = False  # since the last step: the core has heard of it and wants to act

    def open(self, effect: Open) -> None:
        if effect.target[0] == "serial":
            from edgelite_ports.linux.serial_lines import SerialConnection  # most nodes have no line

            line = SerialConnection(self.loop, self.forget, effect)
            self._connections.append(line)
            line.start()
            return
        if effect.target[0] not in ("tls", "tcp"):
            effect.channel.closed("this port has no transport " + str(effect.target[0]), monotonic_ms())
            return
        connection = Connection(self, effect)
        self._connections.append(connection)
        connection.start()

    def close(self, channel: Channel) -> None:
        for connection in list(self._connections):
            if connection.channel is channel:
                connection.close()

    def step(self, now_ms: int) -> "int | None":
        """Let timeouts pass and send what the core has; the next deadline, now where a channel was closed."""
        self._ended = False
        deadlines: list[int] = []
        for connection in list(self._connections):
            connection.expire(now_ms)
            connection.guarded_pump()
            if connection.deadline_ms is not None:
                deadlines.append(connection.deadline_ms)
        if self._ended:
            return now_ms
        return min(deadlines) if deadlines else None

    def forget(self, connection: "Any") -> None:
        self._connections.remove(connection)
        self._ended = True

    def busy(self) -> bool:
        return bool(self._connections)


def _new_socket(address: str) -> _socket.socket:
    kind = _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC
    new = _socket.socket(resolver.family_of(address), kind)
    new.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
    new.setsockopt(_socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, NOT_SENT_BYTES_MAX)
    return new
