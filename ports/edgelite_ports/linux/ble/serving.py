"""The driver's half with a radio, in an asyncio loop, behind the socket that the agent connects to."""

from __future__ import annotations

import asyncio
import os
import sys
import time

from edgelite_drivers.ble.half import Half
from edgelite_drivers.ble.radio import Radio
from edgelite_drivers.process_server import PATH_VARIABLE, listen_at
from edgelite_protocol.errors import MisuseError, ProtocolError

RECEIVE_BYTES_MAX = 65536
UNSENT_BYTES_MAX = 256 * 1024  # to an agent that does not read; what comes meanwhile waits in its session, and is bound


def milliseconds() -> int:
    return int(time.monotonic() * 1000)


class Serving:
    """One agent at a time: a new connection takes the place of the one before, whose agent is gone."""

    def __init__(self, radio: Radio) -> None:
        self.half = Half(radio, os.urandom)
        self._wakened = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        radio.wake = self._wakened.set

    async def run(self, path: str = "") -> None:
        """Until it is cancelled. `path`: the socket's; by default what the agent says by EDGELITE_DRIVER_SOCKET."""
        path = path or os.environ.get(PATH_VARIABLE, "")
        if not path:
            raise MisuseError(PATH_VARIABLE + " is not set: the path of the socket that the agent connects to")
        with listen_at(path) as listener:
            server = await asyncio.start_unix_server(self._accept, sock=listener)
            try:
                while True:
                    await self._turn()
            finally:
                server.close()
                self._drop()

    async def _turn(self) -> None:
        self._wakened.clear()
        now_ms = milliseconds()
        deadline_ms = self.half.step(now_ms)
        self._send()
        timer = None
        if deadline_ms is not None:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(max(0, deadline_ms - now_ms) / 1000, self._wakened.set)
        await self._wakened.wait()  # not wait_for: under Python 3.11 it can lose a cancellation
        if timer is not None:
            timer.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._drop()
        self._writer = writer
        self.half.opened()
        self._wakened.set()
        try:
            data = await reader.read(RECEIVE_BYTES_MAX)
            while data and self._writer is writer:
                self.half.received(data, milliseconds())
                self._wakened.set()
                data = await reader.read(RECEIVE_BYTES_MAX)
        except (OSError, ProtocolError) as error:
            sys.stderr.write("the connection with the agent is closed: %s\n" % error)
        if self._writer is writer:
            self._drop()

    def _drop(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self.half.closed(milliseconds())
            self._wakened.set()

    def _send(self) -> None:
        writer = self._writer
        while writer is not None and writer.transport.get_write_buffer_size() < UNSENT_BYTES_MAX:
            data = self.half.data_to_send(RECEIVE_BYTES_MAX)
            if not data:
                return
            writer.write(data)
