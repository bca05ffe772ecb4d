"""A listening port that can refuse: closed to connections, yet kept, so that nobody else takes it meanwhile."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

BACKLOG = 64


class Listener:
    """`port` is known from the start; `open` and `shut` at will; `close` last."""

    def __init__(self, host: str, port: int, on_accept: Callable[[socket.socket], None]) -> None:
        """OSError where the port is taken."""
        self._on_accept = on_accept
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._address = (host, port)
        self._socket = self._bound()
        self._address = (host, self._socket.getsockname()[1])
        self.is_open = False

    @property
    def port(self) -> int:
        return self._address[1]

    def open(self) -> None:
        if not self.is_open:
            self._socket.listen(BACKLOG)
            asyncio.get_running_loop().add_reader(self._socket, self._accept)
            self.is_open = True

    def shut(self) -> None:
        """From now on connections are refused; only a new socket can be bound without listening."""
        if self.is_open:
            self.close()
            self._socket = self._bound()

    def close(self) -> None:
        if self.is_open:
            asyncio.get_running_loop().remove_reader(self._socket)
            self.is_open = False
        self._socket.close()

    def _bound(self) -> socket.socket:
        new = socket.socket(self._family, socket.SOCK_STREAM)
        try:
            new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            new.setblocking(False)
            new.bind(self._address)
        except OSError:
            new.close()
            raise
        return new

    def _accept(self) -> None:
        try:
            accepted, _ = self._socket.accept()
        except OSError:
            return  # it went away before it was taken, or this process has no descriptor left for it now
        accepted.setblocking(False)
        self._on_accept(accepted)
