"""An outage between two real programs: a TCP proxy on loopback whose link can be cut while it runs.

    OPEN     bytes pass both ways
    REFUSED  connections are reset and new ones are refused, as when a router says that there is no way
    SILENT   bytes vanish: no FIN, no RST, and a new connection is never answered, as in a tunnel

Bytes that vanished are gone: a connection that lived through SILENT stays dead after the link is open again, as it
does behind a NAT that forgot it, and both ends must notice by themselves.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass, field

OPEN, REFUSED, SILENT = "open", "refused", "silent"
STATES = (OPEN, REFUSED, SILENT)
PIECE_BYTES = 16384


# struct tcp_info of linux/tcp.h: bytes acked, bytes received, segments out, segments in
TCP_INFO_COUNTS = struct.Struct("=120xQQII")
HEADER_BYTES = 52  # IPv4 and TCP with time stamps, as Linux sends each segment


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one connection has carried, as the kernel counted it, both directions together."""

    payload_bytes: int = 0
    segments: int = 0

    @property
    def wire_bytes(self) -> int:
        return self.payload_bytes + self.segments * HEADER_BYTES

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(self.payload_bytes + other.payload_bytes, self.segments + other.segments)

    def __sub__(self, other: Traffic) -> Traffic:
        return Traffic(self.payload_bytes - other.payload_bytes, self.segments - other.segments)


def measure(connection: socket.socket) -> Traffic:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_COUNTS.size)
    acked, received, out, into = TCP_INFO_COUNTS.unpack(info)
    return Traffic(acked + received, out + into)


@dataclass(slots=True, eq=False)
class Pair:
    """One connection through the proxy."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter | None = None
    dead: bool = False  # has swallowed bytes, so nothing may pass any more
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def traffic(self) -> Traffic:
        return measure(self.near.get_extra_info("socket")) if is_open(self.near) else Traffic()

    def reset(self) -> None:
        """End it so that both ends see a reset, not an orderly close."""
        for writer in (self.near, self.far):
            if writer is not None and is_open(writer):
                raw = writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                writer.transport.abort()


def is_open(writer: asyncio.StreamWriter) -> bool:
    """A peer that went away has closed the socket before whoever reads from it has heard."""
    return bool(writer.get_extra_info("socket").fileno() >= 0)


class Proxy:
    """`await start()`, then `cut(state)` and `heal()` at will, `await stop()`.

    `bytes_up` and `bytes_down` count what passed towards the target and back, without headers.
    """

    def __init__(self, target_host: str, target_port: int, listen_port: int = 0) -> None:
        self.target = (target_host, target_port)
        self.port = listen_port
        self.state = OPEN
        self.bytes_up = 0
        self.bytes_down = 0
        self.pairs: set[Pair] = set()
        self.server: asyncio.Server | None = None

    async def start(self) -> None:
        self.server = await asyncio.start_server(self.accept, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        await self.cut(REFUSED)

    async def cut(self, state: str) -> None:
        if state not in STATES:
            raise ValueError(f"{state!r} is not one of {', '.join(STATES)}")
        self.state = state
        if state == REFUSED:
            await self.refuse()
        elif self.server is None:
            await self.start()

    def traffic(self) -> Traffic:
        """Of the connections that are open now, on the near side, acknowledgements without data included."""
        return sum((pair.traffic() for pair in self.pairs), Traffic())

    async def heal(self) -> None:
        await self.cut(OPEN)

    async def refuse(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None
        for pair in list(self.pairs):
            pair.reset()
        tasks = [task for pair in self.pairs for task in pair.tasks]
        await asyncio.gather(*tasks, return_exceptions=True)
        self.pairs.clear()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = Pair(writer, dead=self.state == SILENT)
        self.pairs.add(pair)
        try:
            await self.carry(pair, reader)
        except OSError:
            pass  # either end went away: that is what links do
        finally:
            self.pairs.discard(pair)
            for end in (pair.near, pair.far):
                if end is not None:
                    end.close()

    async def carry(self, pair: Pair, reader: asyncio.StreamReader) -> None:
        if pair.dead:
            await self.pump(pair, reader, None, "bytes_up")
            return
        far_reader, pair.far = await asyncio.open_connection(*self.target)
        up = asyncio.create_task(self.pump(pair, reader, pair.far, "bytes_up"))
        down = asyncio.create_task(self.pump(pair, far_reader, pair.near, "bytes_down"))
        pair.tasks = [up, down]
        await asyncio.wait(pair.tasks, return_when=asyncio.FIRST_COMPLETED)
        if pair.dead:  # one end has given up; the other must not learn it from us
            await asyncio.wait(pair.tasks)
        for task in pair.tasks:
            task.cancel()
        await asyncio.gather(*pair.tasks, return_exceptions=True)

    async def pump(
        self, pair: Pair, reader: asyncio.StreamReader, writer: asyncio.StreamWriter | None, counter: str
    ) -> None:
        while data := await reader.read(PIECE_BYTES):
            pair.dead = pair.dead or self.state == SILENT
            if pair.dead or writer is None:
                continue
            setattr(self, counter, getattr(self, counter) + len(data))
            writer.write(data)
            await writer.drain()
