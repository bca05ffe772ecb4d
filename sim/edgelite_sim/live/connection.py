"""One real connection through the proxy: two sockets, and between them a flow of the simulated network."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from edgelite_sim.network.flow import DOWN, UP, Flow
from edgelite_sim.network.link import SYN_REPEATS_MS, SYN_TIMEOUT_MS

if TYPE_CHECKING:
    from edgelite_sim.live.proxy import LiveProxy

NOBODY_LINGERS = struct.pack("ii", 1, 0)  # close() then sends a reset
WRITE_BYTES_MAX = 65_536  # what waits for a slow reader before the other end is asked to wait
READ_BYTES = 16_384
TCP_CLOSE, TCP_CLOSE_WAIT = 7, 8  # states in the first byte of Linux' struct tcp_info


class End(asyncio.BufferedProtocol):
    """One of the two sockets. `direction` is the one in which it sends."""

    def __init__(self, connection: Connection, direction: int) -> None:
        self.connection = connection
        self.direction = direction
        self.transport: asyncio.Transport | None = None
        self.is_full = False  # its reader is slow
        self.has_closed = False  # it sends no more
        self._buffer = bytearray(READ_BYTES)
        self._is_paused = False
        self._has_said_eof = False
        self._has_been = False  # connected

    # ---- called by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._has_been = True
        transport.set_write_buffer_limits(WRITE_BYTES_MAX)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.hold(True)  # until there is a way for what is read

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, size: int) -> None:
        self.connection.sent(self.direction, bytes(self._buffer[:size]))

    def eof_received(self) -> bool:
        self.has_closed = True
        self.connection.closed(self.direction)
        return True  # the other direction goes on

    def pause_writing(self) -> None:
        self.is_full = True
        self.connection.turn()

    def resume_writing(self) -> None:
        self.is_full = False
        self.connection.turn()

    def connection_lost(self, error: Exception | None) -> None:
        if self.transport is not None:
            self.transport = None
            self.connection.lost(self.direction)

    # ---- called by the connection

    def hold(self, is_held: bool) -> None:
        """Stop reading, or go on: what is not read fills the sender's kernel, as a slow network does."""
        if self.transport is None or is_held is self._is_paused:
            return
        self._is_paused = is_held
        if is_held:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def is_gone(self) -> bool:
        """The program at this end has closed, or died: its kernel has said so, also where nobody reads."""
        if self.transport is None or self.has_closed:
            return self._has_been
        state = self.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        return state in (TCP_CLOSE, TCP_CLOSE_WAIT)

    def write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)

    def write_eof(self) -> None:
        if self.transport is not None and not self._has_said_eof:
            self._has_said_eof = True
            with contextlib.suppress(OSError):  # it has gone away, and the loop says so next
                self.transport.write_eof()

    def close(self) -> None:
        transport, self.transport = self.transport, None
        if transport is not None:
            transport.close()

    def reset(self) -> None:
        transport, self.transport = self.transport, None
        if transport is not None:
            raw = transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOBODY_LINGERS)
            transport.abort()


class Connection:
    """Begins with the node's accepted socket; ends when neither end can hear of anything more."""

    def __init__(self, proxy: LiveProxy, target: tuple[str, int]) -> None:
        self.proxy = proxy
        self.target = target
        self.near = End(self, UP)
        self.far = End(self, DOWN)
        self.flow: Flow | None = None
        self._is_open = False
        self._is_over = False
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._repeats = 0

    async def begin(self, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(lambda: self.near, accepted)
        except OSError:
            accepted.close()
            self.end()
            return
        self._connect(self.proxy.now_ms())

    # ---- connecting

    def _connect(self, began_ms: int) -> None:
        """As the node's kernel would: a SYN that nobody answers is sent again, after longer and longer waits."""
        if self.near.is_gone():
            self.end()
            return
        attempt = self.proxy.link.connect(self.proxy.now_ms())
        if attempt.outcome == "silent":
            self._repeats += 1
            if self._repeats < len(SYN_REPEATS_MS):
                self._at(began_ms + SYN_REPEATS_MS[self._repeats], lambda: self._connect(began_ms))
            else:
                self._at(began_ms + SYN_TIMEOUT_MS, self._give_up)
        elif attempt.outcome == "refused":
            self._at(attempt.at_ms, self._give_up)
        else:
            self._at(attempt.at_ms, self._open)

    def _give_up(self) -> None:
        self.near.reset()
        self.end()

    def _open(self) -> None:
        self.flow = self.proxy.link.flow(self.proxy.now_ms())
        if self.flow.is_captive:
            self._is_open = True
            self.turn()
        else:
            self._task = asyncio.get_running_loop().create_task(self._reach())

    async def _reach(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.far, *self.target)
        except OSError:
            assert self.flow is not None
            self.flow.reset(self.proxy.now_ms(), DOWN)
        if self._is_over:
            self.far.reset()
        else:
            self._is_open = True
            self.turn()

    # ---- what an end has done

    def sent(self, direction: int, data: bytes) -> None:
        if self.flow is not None:
            self.flow.send(direction, data, self.proxy.now_ms())
            self.turn()

    def closed(self, direction: int) -> None:
        if self.flow is not None:
            self.flow.close(direction, self.proxy.now_ms())
            self.turn()

    def lost(self, direction: int) -> None:
        """The program at this end died, or closed without reading what had come."""
        if self.flow is None:
            self.end()
            return
        if self.flow.ended(1 - direction) in ("", "closed"):
            self.flow.reset(self.proxy.now_ms(), direction)
        self.turn()

    # ---- the course of time

    def turn(self) -> None:
        """Carry what is due now, hear what has ended, and come again when there is more."""
        flow = self.flow
        if flow is None or not self._is_open or self._is_over:
            return
        deadline_ms = flow.step(self.proxy.now_ms())
        ends = ((UP, self.near, self.far), (DOWN, self.far, self.near))
        for direction, _, receiver in ends:
            for data in flow.arrived(direction):
                receiver.write(data)
            self._tell_end(receiver, flow.ended(direction))
        if self._is_done(flow):
            self.near.close()
            self.far.close()
            self.end()
            return
        for direction, sender, receiver in ends:
            sender.hold(receiver.is_full or flow.room_bytes(direction) == 0)
        if deadline_ms is not None:
            self._at(deadline_ms, self.turn)

    def _tell_end(self, receiver: End, how: str) -> None:
        if how == "closed":
            receiver.write_eof()
        elif how:
            receiver.reset()  # also where it has timed out: nothing else looks like a dead connection on a live socket

    def _is_done(self, flow: Flow) -> bool:
        if flow.ended(UP) and flow.ended(DOWN):
            return True
        near_is_gone = self.near.transport is None or (flow.is_forgotten and self.near.has_closed)
        far_is_gone = self.far.transport is None or (flow.is_forgotten and self.far.has_closed)
        return near_is_gone and far_is_gone

    def _at(self, time_ms: int, call: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.proxy.call_at(time_ms, call)

    def end(self) -> None:
        """Forget it; sockets that are open still are reset."""
        if self._is_over:
            return
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
        self.near.reset()
        self.far.reset()
        self.proxy.forget(self)
