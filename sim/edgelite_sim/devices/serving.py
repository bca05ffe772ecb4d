"""Runs portable channels that answer, on a TCP port or a pseudo terminal: what simulated devices stand on.

    with Serving(parse_listen("tcp:127.0.0.1:0"), make_channel) as serving:
        ... serving.address ...

`make_channel()` gives a channel (`edgelite.effects.Channel`) with `step(now_ms)` and `close_reason`, one for each
connection; a pseudo terminal has one for as long as it lives, and clients may come and go.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
import time
import tty
from collections.abc import Callable
from types import TracebackType
from typing import Any

from edgelite.driver import ConfigurationError

READ_BYTES = 4096
CONNECTIONS_MAX = 64


def parse_listen(text: str) -> tuple[str, int] | None:
    """ "tcp:HOST:PORT", port 0 for any free one; None for "pty". ValueError says what is wrong."""
    if text == "pty":
        return None
    kind, _, address = text.partition(":")
    host, _, port = address.rpartition(":")
    if kind != "tcp" or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{text}: must be tcp:HOST:PORT or pty")
    return host, int(port)


def monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def unix_ms_at_zero() -> int:
    """The Unix time when `monotonic_ms` was 0."""
    return time.time_ns() // 1_000_000 - monotonic_ms()


class Endpoint:
    """A channel and the descriptor that it lives on."""

    def __init__(self, channel: Any, descriptor: int, connection: socket.socket | None) -> None:
        self.channel = channel
        self.descriptor = descriptor
        self.connection = connection
        self.unsent = b""


class Serving:
    """`address` is what a client opens: "HOST:PORT", or the path of the terminal."""

    def __init__(self, listen: tuple[str, int] | None, make_channel: Callable[[], Any]) -> None:
        self._make_channel = make_channel
        self._endpoints: dict[int, Endpoint] = {}
        self._poll = select.poll()
        self._wake_read, self._wake_write = os.pipe()
        self._poll.register(self._wake_read, select.POLLIN)
        self._is_closing = False
        self._thread: threading.Thread | None = None
        self._listener: socket.socket | None = None
        self._terminal: tuple[int, int] | None = None
        if listen is None:
            self.address = self._open_terminal()
        else:
            self._listener = socket.create_server(listen, backlog=CONNECTIONS_MAX)
            self._listener.setblocking(False)
            self._poll.register(self._listener, select.POLLIN)
            self.address = f"{listen[0]}:{self._listener.getsockname()[1]}"

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def __enter__(self) -> Serving:
        self._thread = threading.Thread(target=self.run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """From any thread; `run` returns."""
        self._is_closing = True
        self.wake()
        if self._thread is not None:
            self._thread.join()

    def wake(self) -> None:
        """Look at every channel again; from any thread."""
        os.write(self._wake_write, b"\0")

    def drop_connections(self) -> None:
        """Close every TCP connection from this side, as a device does that restarts; call from another thread."""
        for endpoint in list(self._endpoints.values()):
            if endpoint.connection is not None:
                endpoint.connection.shutdown(socket.SHUT_RDWR)

    def run(self) -> None:
        try:
            while not self._is_closing:
                deadline_ms = self._step_all()
                wait_ms = None if deadline_ms is None else max(0, deadline_ms - monotonic_ms())
                for descriptor, events in self._poll.poll(wait_ms):
                    self._ready(descriptor, events)
        finally:
            self._close_all()

    def _open_terminal(self) -> str:
        master, slave = os.openpty()
        tty.setraw(slave)  # it stays open here, so that a client may come and go
        os.set_blocking(master, False)
        self._terminal = (master, slave)
        self._add(Endpoint(self._make_channel(), master, None))
        return os.ttyname(slave)

    def _add(self, endpoint: Endpoint) -> None:
        self._endpoints[endpoint.descriptor] = endpoint
        self._poll.register(endpoint.descriptor, select.POLLIN)
        endpoint.channel.opened(monotonic_ms())

    def _ready(self, descriptor: int, events: int) -> None:
        if self._listener is not None and descriptor == self._listener.fileno():
            self._accept()
        elif descriptor == self._wake_read:
            os.read(self._wake_read, READ_BYTES)
        elif descriptor in self._endpoints:
            self._serve(self._endpoints[descriptor], events)

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # it went away before we came to it
        if len(self._endpoints) >= CONNECTIONS_MAX:
            connection.close()
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._add(Endpoint(self._make_channel(), connection.fileno(), connection))

    def _serve(self, endpoint: Endpoint, events: int) -> None:
        try:
            if events & (select.POLLIN | select.POLLHUP | select.POLLERR):
                data = os.read(endpoint.descriptor, READ_BYTES)
                if not data:
                    self._drop(endpoint, "closed by the client")
                    return
                endpoint.channel.received(data, monotonic_ms())
                endpoint.channel.step(monotonic_ms())
            self._send(endpoint)
        except BlockingIOError:
            return
        except OSError as error:
            self._drop(endpoint, str(error))

    def _send(self, endpoint: Endpoint) -> None:
        while True:
            endpoint.unsent = endpoint.unsent or endpoint.channel.data_to_send(READ_BYTES)
            if not endpoint.unsent:
                break
            try:
                endpoint.unsent = endpoint.unsent[os.write(endpoint.descriptor, endpoint.unsent) :]
            except BlockingIOError:
                break
        self._poll.modify(endpoint.descriptor, select.POLLIN | (select.POLLOUT if endpoint.unsent else 0))

    def _step_all(self) -> int | None:
        now_ms = monotonic_ms()
        deadlines = []
        for endpoint in list(self._endpoints.values()):
            deadline_ms = endpoint.channel.step(now_ms)
            try:
                self._send(endpoint)
            except OSError as error:
                self._drop(endpoint, str(error))
                continue
            if endpoint.connection is not None and endpoint.channel.close_reason:
                self._drop(endpoint, endpoint.channel.close_reason)
            elif deadline_ms is not None:
                deadlines.append(deadline_ms)
        return min(deadlines, default=None)

    def _drop(self, endpoint: Endpoint, reason: str) -> None:
        if self._endpoints.pop(endpoint.descriptor, None) is None:
            return
        self._poll.unregister(endpoint.descriptor)
        endpoint.channel.closed(reason, monotonic_ms())
        if endpoint.connection is not None:
            endpoint.connection.close()

    def _close_all(self) -> None:
        for endpoint in list(self._endpoints.values()):
            self._drop(endpoint, "closed")
        if self._listener is not None:
            self._listener.close()
        for descriptor in (*(self._terminal or ()), self._wake_read, self._wake_write):
            os.close(descriptor)


def run_as_program(name: str, make: Callable[[], Serving], told: Callable[[Serving], object]) -> int:
    """What `python -m` does with a simulated device: say "ready" and what `told` gives, serve until it is interrupted.
    The exit code: 2, with the reason, where it could not even begin."""
    try:
        serving = make()
    except (ConfigurationError, OSError, ValueError) as error:
        sys.stderr.write(f"{name}: {error}\n")
        return 2
    sys.stdout.write(f"ready {told(serving)}\n")
    sys.stdout.flush()
    try:
        serving.run()
    except KeyboardInterrupt:
        return 130
    return 0
