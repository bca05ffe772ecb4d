"""A container's output on its way from a node to whoever asked for it, with the reader's pace as the node's."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

HELD_BYTES_MAX = 64 * 1024  # then the node gets no more credit until the reader has taken some


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What PURPOSE_LOG asks for. `tail_lines` -1: all; `since_ms`: Unix time, 0 for no bound."""

    container: str
    tail_lines: int = -1
    follow: bool = False
    previous: bool = False
    since_ms: int = 0


class LogStream:
    """Filled by the node's connection, read by one reader. `on_change` is called when there is something new."""

    def __init__(self, pause: Callable[[bool], None], cancel: Callable[[], None]) -> None:
        self._pause = pause
        self._cancel = cancel
        self._pieces: deque[bytes] = deque()
        self._held_bytes = 0
        self.on_change: Callable[[], None] = lambda: None
        self.ended: tuple[str, str] | None = None  # (code, text); code "" where it is complete

    def push(self, data: bytes) -> None:
        self._pieces.append(data)
        self._held_bytes += len(data)
        if self._held_bytes >= HELD_BYTES_MAX:
            self._pause(True)
        self.on_change()

    def finish(self, code: str, text: str) -> None:
        if self.ended is None:
            self.ended = (code, text)
            self.on_change()

    def take(self) -> bytes:
        """What there is; b"" for nothing now."""
        if not self._pieces:
            return b""
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._held_bytes = 0
        if self.ended is None:
            self._pause(False)
        return data

    def cancel(self) -> None:
        """The reader has gone."""
        if self.ended is None:
            self.ended = ("cancelled", "")
            self._cancel()


async def read(stream: LogStream) -> AsyncIterator[bytes]:
    """The pieces as they come; ends when the log is complete, or when the node goes."""
    changed = asyncio.Event()
    stream.on_change = changed.set
    while True:
        changed.clear()
        data = stream.take()
        if data:
            yield data
        elif stream.ended is not None:
            return
        else:
            await changed.wait()
