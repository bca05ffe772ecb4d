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
from pathlib import Path
from typing import Any, cast

from edgelite_hub.background_loop import carry_out, monotonic_ms, wait_until
from edgelite_hub.nodes.fleet import Fleet
from edgelite_hub.nodes.links import Link, Links
from edgelite_hub.nodes.node_logic import NodeConnection
from edgelite_hub.security.identity import PeerIdentity, parse_identity
from edgelite_hub.store.contract import Outcome
from edgelite_hub.store.writer import Writer
from edgelite_hub.work import Work
from edgelite_protocol.errors import EdgeliteError, PlatformError, ProtocolError

NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, which the ssl module has no name for
WRITE_BYTES = 16 * 1024  # offered to the link at once, so that little stands before an urgent message
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


class NodeServer:
    """All connections of nodes. `start`, later `stop`."""

    def __init__(self, fleet: Fleet, writer: Writer, context: ssl.SSLContext) -> None:
        self.fleet = fleet
        self.writer = writer
        self.links = Links(fleet)
        self.sockets: set[_Socket] = set()
        self._context = context
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen; the port."""
        settings = self.fleet.environment.settings
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: _Socket(self),
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
        tasks = [one.task for one in self.sockets if one.task is not None]
        for one in list(self.sockets):
            one.refuse("hub_stopping", "the hub is stopping: come back soon")
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_S)
        for one in list(self.sockets):
            one.abort()

    def wake(self, connection: NodeConnection) -> None:
        self.links.wake(connection)


class _Socket(asyncio.Protocol):
    """One socket. Its task takes work from the link, one at a time, and sends what there is between."""

    def __init__(self, server: NodeServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._link: Link | None = None
        self._woken = asyncio.Event()
        self._can_write = True
        self._is_paused = False
        self.task: asyncio.Task[None] | None = None

    # ---- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        address = str((transport.get_extra_info("peername") or ("unknown",))[0])
        try:
            identity = self._identify()
        except ProtocolError as error:
            self._server.fleet.complain(address, error.code, f"peer {address}: {error}", monotonic_ms())
            self._transport.abort()
            return
        link = self._server.links.admit(identity, address, monotonic_ms())
        if link is None:
            self._transport.abort()
            return
        self._prepare_socket()
        self._link = link
        link.wake = self._woken.set
        self._server.sockets.add(self)
        self.task = asyncio.get_running_loop().create_task(self._run(link))

    def data_received(self, data: bytes) -> None:
        if self._link is None or self._transport is None:
            return
        self._link.received(data, monotonic_ms())
        if self._link.is_paused and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        self._woken.set()

    def eof_received(self) -> None:
        if self._link is not None:
            self._link.received_eof(monotonic_ms())
        self._woken.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._link is not None:
            self._link.lost(monotonic_ms())
        self._woken.set()

    def pause_writing(self) -> None:
        self._can_write = False

    def resume_writing(self) -> None:
        self._can_write = True
        self._woken.set()

    # ---- from outside

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def refuse(self, code: str, text: str) -> None:
        if self._link is not None:
            self._link.refuse(code, text, monotonic_ms())
            self._woken.set()

    # ---- the task

    async def _run(self, link: Link) -> None:
        try:
            await self._serve(link)
        finally:
            link.finish(monotonic_ms())
            self._server.sockets.discard(self)
            if self._transport is not None:
                self._transport.close()

    async def _serve(self, link: Link) -> None:
        while True:
            self._woken.clear()
            work = link.next_work(monotonic_ms())
            if work is not None:
                goes_on = await self._carry_out(link, work)
                self._flush(link)
                if not goes_on:
                    return
                continue
            self._read_on(link)
            self._flush(link)
            if link.is_finished:
                return
            deadline_ms = link.step(monotonic_ms())
            if link.has_last_event:
                continue  # time ended it
            self._flush(link)
            await wait_until(self._woken, deadline_ms)

    async def _carry_out(self, link: Link, work: Work) -> bool:
        outcome: Outcome[Any]
        try:
            outcome = Outcome(await carry_out(self._server.writer, work), None)
        except EdgeliteError as error:
            outcome = Outcome(None, error)
        return link.settle(work, outcome, monotonic_ms())

    def _flush(self, link: Link) -> None:
        transport = self._transport
        while self._can_write and transport is not None and not transport.is_closing():
            data = link.data_to_send(WRITE_BYTES)
            if not data:
                return
            transport.write(data)

    def _read_on(self, link: Link) -> None:
        if self._is_paused and not link.is_paused and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()

    def _prepare_socket(self) -> None:
        if self._transport is None:
            return
        self._transport.set_write_buffer_limits(high=WRITE_BYTES)
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):  # gone already: the connection's own end tells
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_SEND_BYTES)

    def _identify(self) -> PeerIdentity | None:
        """ProtocolError for a certificate that is no node's."""
        tls = self._transport.get_extra_info("ssl_object") if self._transport is not None else None
        der = tls.getpeercert(binary_form=True) if tls is not None else None
        return parse_identity(der) if der else None
