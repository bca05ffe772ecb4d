"""The API over TLS: uvicorn in the hub's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import uvicorn

from edgelite_protocol.errors import PlatformError

HANG_UP_S = 0.1  # for requests to notice that their client is gone
CONNECTIONS_MAX = 512  # watches included; each costs some tens of kilobytes
KEEP_ALIVE_S = 60
STOP_S = 0.3  # for answers on their way when the hub stops; watches and followed logs are ended before


class ApiServer:
    def __init__(self, app: Any, host: str, port: int, chain_path: Path, key_path: Path) -> None:
        self._socket = _listen(host, port)
        self.port = int(self._socket.getsockname()[1])
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,  # else the server wakes ten times a second to keep it right
            limit_concurrency=CONNECTIONS_MAX,
            timeout_keep_alive=KEEP_ALIVE_S,
            ssl_certfile=chain_path,
            ssl_keyfile=key_path,
        )
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise PlatformError("the API's server ended at its start")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        self._server.stop()
        if self._task is not None:
            await self._task


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handlers and without its ten ticks a second: the hub says when to stop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self.should_exit = True
        self._stopping.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let what runs come to its end for a moment, then hang up: a client that reads nothing would hold TLS's own
        goodbye, and with it the hub, for half a minute."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        await _finish(state.tasks, STOP_S)
        for connection in list(state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()
        await _finish(state.tasks, HANG_UP_S)  # as after any client that leaves: without a word in the log
        for task in list(state.tasks):
            task.cancel()


async def _finish(tasks: Collection[asyncio.Task[None]], timeout_s: float) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=timeout_s)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's delay off only where it is: 40 ms for each answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PlatformError(f"cannot listen for the API on {host}:{port} ({error.strerror})", "try --api") from error
    listener.setblocking(False)
    return listener
