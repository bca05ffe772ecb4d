"""Channels on sockets: carries out `effects.Open` and `effects.Close`, with TLS in this process or in the kernel."""

import _socket
import errno
import os

from edgelite.effects import Open
from edgelite_ports.common import connections as common
from edgelite_ports.common.connections import HANDSHAKING, NOT_SENT_BYTES_MAX, OPEN, SEND_BYTES_MAX, TCP_NOTSENT_LOWAT
from edgelite_ports.common.dispatch import LANE_NAMES
from edgelite_ports.linux import kernel_tls, resolver, system
from edgelite_ports.linux.clock import monotonic_ms
from edgelite_ports.linux.loop import WRITABLE, Loop
from edgelite_ports.linux.worker import Worker
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _ssl
    from collections.abc import Callable
    from typing import Any

    from edgelite_ports.linux.tls import TlsConnection

RECEIVE_BYTES_MAX = 16384


class Connection(common.Connection):
    def __init__(self, owner: "Connections", effect: Open) -> None:
        super().__init__(owner, effect)
        self._linux = owner
        self._tls: TlsConnection | None = None  # TLS in this process
        self._handshake_elsewhere: kernel_tls.Handshake | None = None
        self._in_kernel = False  # the kernel does TLS on this socket

    # ---- getting there

    def _new_socket(self, address: str) -> int:
        if self.kind == "unix":
            self._socket = _listening().new_local()
            failure: int = self._socket.connect_ex(address)
        else:
            self._socket = _new_socket(address)
            failure = self._socket.connect_ex((address, self.port))
        return 0 if failure == errno.EINPROGRESS else failure

    def _failure(self) -> int:
        return int(self._socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR))

    def _begin_tls(self) -> None:
        kernel = self._linux.kernel_tls
        if kernel is not None and kernel.usable:
            self._want(0)
            patience_ms = self._linux.handshake_timeout_ms
            handshake = kernel_tls.Handshake(kernel, self._socket.fileno(), patience_ms, self._handshake_ended)
            self._handshake_elsewhere = handshake
            kernel.submit(handshake)
            return
        from edgelite_ports.linux.tls import TlsConnection  # OpenSSL comes into this process here, or never

        self._tls = TlsConnection(self._linux.tls_context())
        self._handshake()

    def _handshake_ended(self, outcome: str) -> None:
        self._handshake_elsewhere = None
        if outcome == kernel_tls.DONE:
            self._in_kernel = True
            self._opened()
        elif outcome == kernel_tls.NOT_HERE and self._linux.kernel_tls is not None:
            self._linux.kernel_tls.usable = False
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

    # ---- carrying bytes

    def _receive(self) -> None:
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
        if self.state not in (HANDSHAKING, OPEN) or self._socket is None or self._handshake_elsewhere is not None:
            return
        if not self._unsent:
            self._unsent = self._next_piece()
        if not self._unsent:
            self._want(self._readable())
            return
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:
            sent = 0
        self._unsent = self._unsent[sent:]
        self._want(self._readable() | WRITABLE)

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

    # ---- the end

    def _say_goodbye(self) -> None:
        self.pump()
        if self._tls is not None and self.state == OPEN:
            self._tls.close()
            self._unsent += self._tls.data_to_send()
        if self._socket is not None and self._unsent:
            self._socket.send(self._unsent)
        if self._socket is not None and self._in_kernel:
            kernel_tls.say_goodbye(self._socket)

    def _flush_alert(self) -> None:
        if self._tls is None or self._socket is None:
            return
        try:
            self._socket.send(self._tls.data_to_send())
        except OSError:
            return

    def _drop_tls(self) -> None:
        if self._handshake_elsewhere is not None:
            self._handshake_elsewhere.cancel()
            self._handshake_elsewhere = None
        self._tls = None
        self._in_kernel = False


class Connections(common.Connections):
    """`tls_context()` gives the node's identity as it is now, so that a renewed certificate counts from the next
    connection on; with `kernel_tls` TLS is the kernel's, where it can."""

    def __init__(
        self,
        loop: Loop,
        worker: Worker,
        tls_context: "Callable[[], _ssl._SSLContext]",
        kernel_tls: "kernel_tls.KernelTls | None" = None,
    ) -> None:
        make: Any = Connection
        super().__init__(loop, make, self._lookup, _describe, monotonic_ms, system, _listening)
        self.worker = worker
        self.tls_context = tls_context
        self.kernel_tls = kernel_tls

    def _lookup(self, host: str, done: "Callable[[list[str], str], None]") -> None:
        if resolver.numeric(host):
            done([host], "")
            return

        def looked_up(result: object, error: "BaseException | None") -> None:
            if error is not None and not isinstance(error, (PlatformError, OSError)):
                raise error  # a bug of ours is no missing name
            done(result if isinstance(result, list) else [], str(error) if error else "")

        self.worker.submit(LANE_NAMES, lambda: resolver.lookup(host), looked_up)


def _listening() -> "Any":
    from edgelite_ports.linux import listening  # most nodes listen for nobody

    return listening


def _describe(number: int) -> str:
    return os.strerror(number).lower()


def _new_socket(address: str) -> _socket.socket:
    kind = _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC
    new = _socket.socket(resolver.family_of(address), kind)
    new.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
    new.setsockopt(_socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOT_SENT_BYTES_MAX)
    return new
