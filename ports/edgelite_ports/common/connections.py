"""Channels on sockets: what every port does alike for ("tls", host, port), ("tcp", host, port), ("unix", path) and
("driver", name), and for connections that came in.

A connection goes RESOLVING, CONNECTING (each address in turn), HANDSHAKING (TLS alone), OPEN, CLOSED; whatever ends
it, its channel hears `closed` exactly once. A port's own subclass makes the socket, shakes hands and carries bytes.
"""

from edgelite.effects import Acceptor, Channel, Listen, Open
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

RESOLVING = 0
CONNECTING = 1
HANDSHAKING = 2
OPEN = 3
CLOSED = 4

READABLE = 1  # the numbers of poll(2), which MicroPython has on every port
WRITABLE = 4

CONNECT_TIMEOUT_MS = 10_000  # an address: three SYNs at 1, 3 and 7 s have gone unanswered
# TLS 1.3 takes one round trip (a satellite's is 0.6 s) and a signature (0.1 s on a Pi Zero). Not longer, because a
# link that has fallen silent is often met again while it still is. But one that was given up begins anew, and would
# never end on a machine that needs longer, so the next one gets twice the time, up to what a hub waits.
HANDSHAKE_TIMEOUT_MS = 10_000
HANDSHAKE_TIMEOUT_MS_MAX = 30_000
SEND_BYTES_MAX = 4096  # one frame of the default size, and one small TLS record
# Little is left waiting in the kernel: a socket is writable only while fewer than these are unsent, so what the core
# decides to send next really goes next.
NOT_SENT_BYTES_MAX = 4096
DRIVER_TIMEOUT_MS = 10_000  # a driver's process that was just started listens so late, on the slowest of nodes
DRIVER_RETRY_MS = 100
IPPROTO_TCP, TCP_NODELAY, TCP_NOTSENT_LOWAT = 6, 1, 25


class Connection:
    """One channel between its Open and its `closed`. `_socket` has `fileno()` and `close()`."""

    def __init__(self, owner: "Connections", effect: Open) -> None:
        self.owner = owner
        self.channel = effect.channel
        self.kind, self.host = effect.target[0], str(effect.target[1])
        self.port = int(effect.target[2]) if self.kind != "unix" else 0
        self.state = RESOLVING
        self.deadline_ms: int | None = None
        self._addresses: list[str] = []
        self._fallback = list(effect.addresses)
        self.wait_until_ms: int | None = None  # for a local socket that is not there yet
        self._socket: Any = None
        self._unsent = b""
        self._events = 0

    # ---- what a port does

    def _new_socket(self, address: str) -> int:
        """Make the socket and begin to connect it, without blocking; 0, or the errno of a failure known at once.
        OSError counts as that."""
        raise NotImplementedError

    def _pollable(self) -> "Any":
        """What the loop knows the socket by."""
        return self._socket.fileno()

    def _failure(self) -> int:
        """The errno that connecting ended with; 0 where it succeeded."""
        raise NotImplementedError

    def _begin_tls(self) -> None:
        """The state is HANDSHAKING: begin to shake hands, and call `_opened` when it is done."""
        raise NotImplementedError

    def _receive(self) -> None:
        """The descriptor is readable, or at its end."""
        raise NotImplementedError

    def pump(self) -> None:
        """Send what there is, one piece; ask for writability while there may be more."""
        raise NotImplementedError

    def _say_goodbye(self) -> None:
        """The core closes: offer what is left once. OSError and PlatformError are no harm any more."""
        raise NotImplementedError

    def _flush_alert(self) -> None:
        """TLS failed at this end: let the peer know why, where that is possible."""

    def _drop_tls(self) -> None:
        """Forget the TLS session, where there is one; the socket is closed next."""

    # ---- getting there

    def start(self) -> None:
        if self.kind == "unix":
            self._resolved([self.host], "")
        else:
            self.owner.resolve(self.host, self._resolved)

    def take(self, accepted: "Any") -> None:
        """Begin with a socket that is connected: it came in."""
        self._socket = accepted
        self.channel.peer_address = self.host
        self._opened()

    @property
    def is_closed(self) -> bool:
        return self.state == CLOSED

    def _resolved(self, addresses: "list[str]", reason: str) -> None:
        """`reason` says why there are none."""
        if self.state == CLOSED:
            return
        self._addresses = addresses
        self._addresses += [address for address in self._fallback if address not in addresses]
        self._connect_next(reason or "no address")

    def _connect_next(self, reason: str) -> None:
        """Try the next address; with none left, the reason why the last one failed is the end."""
        self._drop_socket()
        while self._addresses and self.state != CLOSED:
            address = self._addresses.pop(0)
            failure = self._connect(address)
            if failure == 0:
                return
            reason = self.owner.describe(failure)
        if self.wait_until_ms is not None and self.state != CLOSED:
            now_ms = self.owner.now_ms()
            if now_ms < self.wait_until_ms:
                self.state = RESOLVING
                self._addresses = [self.host]
                self.deadline_ms = now_ms + DRIVER_RETRY_MS
                return
        self.finish(reason)

    def _connect(self, address: str) -> int:
        """Begin to connect; 0, or the errno of a failure that is known at once."""
        try:
            failure = self._new_socket(address)
        except OSError as error:
            failure = error.errno or 5
        if failure:
            self._drop_socket()
            return failure
        self.state = CONNECTING
        self.channel.peer_address = address
        self.deadline_ms = self.owner.now_ms() + CONNECT_TIMEOUT_MS
        self._want(WRITABLE)
        return 0

    def _connected(self) -> None:
        failure = self._failure()
        if failure:
            self._connect_next(self.owner.describe(failure))
        elif self.kind == "tls":
            self.state = HANDSHAKING
            self.deadline_ms = self.owner.now_ms() + self.owner.handshake_timeout_ms
            self._begin_tls()
        else:
            self._opened()

    def _opened(self) -> None:
        if self.state == HANDSHAKING and self.deadline_ms is not None:
            self.owner.shook_hands(self.deadline_ms - self.owner.now_ms())
        self.state = OPEN
        self.deadline_ms = None
        self._want(READABLE)
        self.channel.opened(self.owner.now_ms())

    # ---- carrying bytes

    def ready(self, events: int) -> None:
        """The descriptor is ready; errors of the medium and of TLS end the connection, all others pass on."""
        try:
            if self.state == CONNECTING:
                self._connected()
                return
            if events & ~WRITABLE:
                self._receive()
            if self.state in (HANDSHAKING, OPEN) and events & WRITABLE:
                self.pump()
        except OSError as error:
            self.finish(self.owner.describe(error.errno or 5))
        except PlatformError as error:
            self._flush_alert()
            self.finish(error.text)

    def guarded_pump(self) -> None:
        """`pump` for the agent's own rounds. Does nothing while the socket is known to be full."""
        if self._events & WRITABLE:
            return
        try:
            self.pump()
        except OSError as error:
            self.finish(self.owner.describe(error.errno or 5))
        except PlatformError as error:
            self.finish(error.text)

    # ---- the end

    def close(self) -> None:
        """The core asked for it: offer what is left once, close."""
        try:
            if self._socket is not None:
                self._say_goodbye()
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
        self.channel.closed(reason, self.owner.now_ms())

    def expire(self, now_ms: int) -> None:
        if self.deadline_ms is not None and now_ms >= self.deadline_ms:
            self.deadline_ms = None
            if self.state == HANDSHAKING:
                self.owner.shook_hands(0)
                self._connect_next("TLS handshake timed out")
            else:
                self._connect_next("timed out")

    def _want(self, events: int) -> None:
        """Events of the socket to wait for; none means that nobody looks at it."""
        if self._socket is None or events == self._events:
            return
        if not self._events:
            self.owner.loop.register(self._pollable(), events, self.ready)
        elif events:
            self.owner.loop.modify(self._pollable(), events)
        else:
            self.owner.loop.unregister(self._pollable())
        self._events = events

    def _readable(self) -> int:
        return 0 if self.channel.is_full else READABLE

    def _drop_socket(self) -> None:
        if self._socket is not None:
            self._want(0)
            self._drop_tls()
            self._socket.close()
        self._socket = None
        self._unsent = b""


class Connections:
    """All open channels. `make` makes a port's own Connection of (this, Open). `resolve(host, done)` brings
    `done(addresses, reason)`, at once or later; `describe(errno)` is what the errno means, for a person; `system` is
    the port's module of that name where it has serial lines and sockets in its file system; `socket_folder` is where
    those of drivers are. `sockets()` gives the port's module of sockets that listen."""

    def __init__(
        self,
        loop: "Any",
        make: "Callable[[Connections, Open], Connection]",
        resolve: "Callable[[str, Callable[[list[str], str], None]], None]",
        describe: "Callable[[int], str]",
        now_ms: "Callable[[], int]",
        system: "Any" = None,
        sockets: "Callable[[], Any] | None" = None,
    ) -> None:
        self.loop = loop
        self.resolve = resolve
        self.describe = describe
        self.now_ms = now_ms
        self.socket_folder = ""
        self.handshake_timeout_ms = HANDSHAKE_TIMEOUT_MS  # of the next one
        self._make = make
        self._system = system
        self._sockets = sockets
        self._connections: list[Any] = []
        self._halves: Any = None  # of drivers whose other half is in this firmware
        self._ended = False  # since the last step: the core has heard of it and wants to act

    def open(self, effect: Open) -> None:
        connection: Any
        if effect.target[0] in ("tls", "tcp"):
            connection = self._make(self, effect)
        elif effect.target[0] == "serial" and self._system is not None:
            from edgelite_ports.common.serial_lines import SerialLine  # most nodes have none

            connection = SerialLine(self, effect, self._system)
        elif effect.target[0] in ("unix", "driver"):
            self._open_local(effect)
            return
        else:
            effect.channel.closed("this port has no transport " + str(effect.target[0]), self.now_ms())
            return
        self._add(connection)

    def listen(self, effect: Listen) -> None:
        from edgelite_ports.common.listener import Listener  # most nodes have none

        if effect.target[0] not in ("tcp", "unix") or self._sockets is None:
            effect.acceptor.closed("this port cannot listen for " + str(effect.target[0]), self.now_ms())
            return
        self._add(Listener(self, effect, self._sockets(), self._system))

    def accepted(self, effect: Open, accepted: "Any") -> "Any":
        """The connection of a socket that came in."""
        connection: Any = self._make(self, effect)
        self._connections.append(connection)
        connection.take(accepted)
        return connection

    def _open_local(self, effect: Open) -> None:
        from edgelite_ports.common.listener import check_path

        path = str(effect.target[1])
        is_driver = effect.target[0] == "driver"
        if is_driver and self._system is None:
            self._open_half(effect)
            return
        if is_driver:
            path = "%s/driver-%s.sock" % (self.socket_folder, path)
        try:
            check_path(path, self._system)
        except PlatformError as error:
            effect.channel.closed(error.text, self.now_ms())
            return
        connection: Any = self._make(self, Open(effect.channel, ("unix", path)))
        if is_driver:
            connection.wait_until_ms = self.now_ms() + DRIVER_TIMEOUT_MS
        self._add(connection)

    def _open_half(self, effect: Open) -> None:
        if self._halves is None:
            from edgelite_ports.common.driver_half import Halves

            self._halves = Halves(self.now_ms)
        self._halves.open(effect)

    def _add(self, connection: "Any") -> None:
        self._connections.append(connection)
        connection.start()

    def close(self, channel: "Channel | Acceptor") -> None:
        for connection in list(self._connections):
            if connection.channel is channel:
                connection.close()
        if self._halves is not None:
            self._halves.close(channel)

    def shook_hands(self, left_ms: int) -> None:
        """A handshake ended with so much of its time left, or was given up: let the next one have what it may need."""
        timeout_ms = self.handshake_timeout_ms
        if left_ms <= 0:
            timeout_ms *= 2
        elif left_ms > timeout_ms // 2:
            timeout_ms //= 2  # half would have done
        self.handshake_timeout_ms = min(max(timeout_ms, HANDSHAKE_TIMEOUT_MS), HANDSHAKE_TIMEOUT_MS_MAX)

    def configure(self, channel: Channel, settings: "dict[str, Any]") -> None:
        for connection in self._connections:
            if connection.channel is channel and hasattr(connection, "configure"):
                connection.configure(settings)
                return

    def step(self, now_ms: int) -> "int | None":
        """Let timeouts pass and send what the core has; the next deadline, now where a channel was closed."""
        self._ended = False
        deadlines: list[int] = []
        for connection in list(self._connections):
            connection.expire(now_ms)
            connection.guarded_pump()
            if connection.deadline_ms is not None:
                deadlines.append(connection.deadline_ms)
        halves_ms = self._halves.step(now_ms) if self._halves is not None else None
        if self._ended:
            return now_ms
        if halves_ms is not None:
            deadlines.append(halves_ms)
        return min(deadlines) if deadlines else None

    def forget(self, connection: "Any") -> None:
        self._connections.remove(connection)
        self._ended = True

    def busy(self) -> bool:
        return bool(self._connections)
