"""TLS and sockets around node_logic.py: the port that nodes connect to.

TLS asks for a client certificate and checks its chain, but not its dates: OpenSSL would refuse an expired one before
the hub could say "renew", and it would judge by the wrong thing anyway (identity.py judges by the hub's clock and
store). A peer without a certificate gets as far as joining.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

from edgelite_hub.nodes.fleet import Fleet
from edgelite_hub.nodes.node_logic import NodeConnection
from edgelite_hub.nodes.relayed import RelayedConnection
from edgelite_hub.security.identity import PeerIdentity, parse_identity
from edgelite_hub.store.contract import Transaction
from edgelite_hub.store.writer import Writer
from edgelite_hub.work import Work
from edgelite_protocol.errors import CorruptionError, PlatformError, ProtocolError
from edgelite_protocol.frames import HEADER_BYTES
from edgelite_protocol.relay import RELAY

NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, which the ssl module has no name for
WRITE_BYTES = 16 * 1024  # offered to the link at once, so that little stands before an urgent message
UNPARSED_BYTES_MAX = 256 * 1024  # of one peer, while a commit of its is on the way; then its socket waits
SOCKET_SEND_BYTES = 64 * 1024
BACKLOG = 512  # nodes that meet a restarted hub all at once
STOP_S = 0.3  # for goodbyes to leave when the hub stops; a node that misses its own finds the link cut


def node_ssl_context(chain_path: Path, key_path: Path, ca_pem: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # what the smallest TLS stacks on microcontrollers have
    context.load_cert_chain(chain_path, key_path)
    context.load_verify_locations(cadata=ca_pem)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)
    context.num_tickets = 0  # a resumed session would skip the certificate that is judged anew each time
    return context


def monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class NodeServer:
    """All connections of nodes. `start`, later `stop`."""

    def __init__(self, fleet: Fleet, writer: Writer, context: ssl.SSLContext) -> None:
        self.fleet = fleet
        self.writer = writer
        self._context = context
        self._server: asyncio.Server | None = None
        self._links: dict[NodeConnection, _Link] = {}
        self.pending: set[_Link] = set()  # not welcomed yet
        self.links: set[_Link] = set()

    async def start(self) -> int:
        """Listen; the port."""
        settings = self.fleet.environment.settings
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: _Link(self),
                settings.nodes_host,
                settings.nodes_port,
                ssl=self._context,
                ssl_handshake_timeout=settings.handshake_timeout_ms / 1000,
                ssl_shutdown_timeout=2.0,
                backlog=BACKLOG,
            )
        except OSError as error:
            where = f"{settings.nodes_host}:{settings.nodes_port}"
            raise PlatformError(f"cannot listen for nodes on {where} ({error.strerror})", "try --nodes") from error
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Say goodbye to all, and give it a moment to leave."""
        if self._server is not None:
            self._server.close()
        tasks = [link.task for link in self.links if link.task is not None]
        for link in list(self.links):
            link.refuse("hub_stopping", "the hub is stopping: come back soon")
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_S)
        for link in list(self.links):
            link.abort()

    def wake(self, connection: NodeConnection) -> None:
        link = self._links.get(connection)
        if link is not None:
            link.wake()

    def admit(self, link: _Link) -> bool:
        """Whether there is room for one more."""
        settings = self.fleet.environment.settings
        if len(self.links) >= settings.connections_max or len(self.pending) >= settings.connections_unidentified_max:
            return False
        self.links.add(link)
        self.pending.add(link)
        return True

    def bound(self, connection: NodeConnection, link: _Link) -> None:
        self._links[connection] = link

    def unbind(self, connection: NodeConnection) -> None:
        self._links.pop(connection, None)

    def forget(self, link: _Link, connection: NodeConnection | None) -> None:
        self.links.discard(link)
        self.pending.discard(link)
        if connection is not None:
            self._links.pop(connection, None)

    async def carry_out(self, work: Work) -> object:
        """Run one work's transaction; its result."""
        run: Callable[[Transaction], object] = work.run
        return await (self.writer.read(run) if work.reads_only else self.writer.transact(run))


class _Link(asyncio.Protocol):
    """One socket. Its task takes work from the connection, one at a time, and sends what there is between."""

    def __init__(self, server: NodeServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._connection: NodeConnection | None = None
        self._head: bytes | None = b""  # until the first frame's header is there
        self._woken = asyncio.Event()
        self._can_write = True
        self._is_paused = False
        self._is_lost = False
        self.task: asyncio.Task[None] | None = None

    # ---- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        address = str((transport.get_extra_info("peername") or ("unknown",))[0])
        if not self._server.admit(self):
            line = f"peer {address}: turned away, too many connections"
            self._server.fleet.complain(address, "turned away", line, monotonic_ms())
            self._transport.abort()
            return
        self._prepare_socket()
        identity = self._identify(address)
        if self._is_lost:
            return
        self._connection = NodeConnection(self._server.fleet, identity, address, monotonic_ms())
        self._server.bound(self._connection, self)
        self.task = asyncio.get_running_loop().create_task(self._run())

    def data_received(self, data: bytes) -> None:
        if self._connection is None or self._transport is None:
            return
        if self._head is not None:
            data = self._head + data
            self._head = data if len(data) < HEADER_BYTES else None
            if self._head is not None:
                return
            self._begin_relay(self._connection, data)
        self._connection.receive(data, monotonic_ms())
        if self._connection.unparsed_bytes > UNPARSED_BYTES_MAX and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        self._woken.set()

    def _begin_relay(self, connection: NodeConnection, data: bytes) -> None:
        """The first frame says that this is no session of the peer's own, but a gateway that carries one."""
        gateway = connection.identity
        if data[HEADER_BYTES - 1] != RELAY or not isinstance(gateway, PeerIdentity):
            return
        self._server.unbind(connection)
        self._connection = RelayedConnection(self._server.fleet, gateway, connection.address, monotonic_ms())
        self._server.bound(self._connection, self)

    def eof_received(self) -> None:
        if self._connection is not None:
            self._connection.receive_eof(monotonic_ms())
        self._woken.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        if self._connection is None:
            self._server.forget(self, None)
            return
        self._connection.receive_eof(monotonic_ms())
        self._woken.set()

    def pause_writing(self) -> None:
        self._can_write = False

    def resume_writing(self) -> None:
        self._can_write = True
        self._woken.set()

    # ---- from outside

    def wake(self) -> None:
        self._woken.set()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def refuse(self, code: str, text: str) -> None:
        if self._connection is not None:
            self._connection.refuse(code, text, monotonic_ms())
            self._woken.set()

    # ---- the task

    async def _run(self) -> None:
        try:
            await self._serve()
        except (PlatformError, CorruptionError) as error:
            connection = self._current()
            self._server.fleet.environment.log(f"peer {connection.address}: the hub's own trouble ends it: {error}")
            connection.refuse("hub_error", "the hub has trouble of its own: come back later", monotonic_ms())
            self._flush(connection)
        finally:
            connection = self._current()
            connection.abandon(monotonic_ms())
            self._server.forget(self, connection)
            if self._transport is not None:
                self._transport.close()

    def _current(self) -> NodeConnection:
        """It is another one from the moment on that the peer turns out to be a gateway."""
        assert self._connection is not None
        return self._connection

    async def _serve(self) -> None:
        while True:
            self._woken.clear()
            connection = self._current()
            work = connection.next_work(monotonic_ms())
            if work is not None:
                await self._carry_out(connection, work)
                self._flush(connection)
                continue
            self._all_parsed(connection)
            self._flush(connection)
            if connection.closed or self._is_lost:
                return
            deadline_ms = connection.step(monotonic_ms())
            if connection.is_over and connection.ended is None:
                continue  # time ended it: the last event is still to be taken
            self._flush(connection)
            await self._wait(deadline_ms)

    async def _carry_out(self, connection: NodeConnection, work: Work) -> None:
        try:
            result = await self._server.carry_out(work)
        except ProtocolError as error:
            connection.work_failed(work, error, monotonic_ms())
        else:
            work.done(result, monotonic_ms())

    def _flush(self, connection: NodeConnection) -> None:
        transport = self._transport
        while self._can_write and transport is not None and not transport.is_closing():
            data = connection.data_to_send(WRITE_BYTES)
            if not data:
                return
            transport.write(data)

    def _all_parsed(self, connection: NodeConnection) -> None:
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()
        if connection.live is not None:
            self._server.pending.discard(self)

    async def _wait(self, deadline_ms: int | None) -> None:
        """Until woken or the deadline. A timer instead of wait_for, which makes a task each time."""
        if self._woken.is_set():
            return
        if deadline_ms is None:
            await self._woken.wait()
            return
        delay_s = max(0, deadline_ms - monotonic_ms()) / 1000
        timer = asyncio.get_running_loop().call_later(delay_s, self._woken.set)
        try:
            await self._woken.wait()
        finally:
            timer.cancel()

    def _prepare_socket(self) -> None:
        if self._transport is None:
            return
        self._transport.set_write_buffer_limits(high=WRITE_BYTES)
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):  # gone already: the connection's own end tells
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_SEND_BYTES)

    def _identify(self, address: str) -> PeerIdentity | None:
        transport = self._transport
        tls = transport.get_extra_info("ssl_object") if transport is not None else None
        der = tls.getpeercert(binary_form=True) if tls is not None else None
        if not der or transport is None:
            return None
        try:
            return parse_identity(der)
        except ProtocolError as error:
            self._server.fleet.complain(address, error.code, f"peer {address}: {error}", monotonic_ms())
            self._is_lost = True
            self._server.forget(self, None)
            transport.abort()
            return None
