"""Work that the hub does of its own accord, one transaction after the other: the fleet's, the controllers',
maintenance. While the medium fails it is tried again, and goes on as soon as it can be written.

No I/O: background_loop.py runs it on asyncio, a simulator in virtual time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from edgelite_hub.work import Work
from edgelite_protocol.errors import PlatformError

RETRY_MS = 5_000


class Source(Protocol):
    """Where the work comes from. A work's own `failed` takes every error of it, and raises what it cannot bear."""

    def next_work(self, now_ms: int) -> Work | None: ...

    def deadline_ms(self) -> int | None:
        """When `next_work` has something to do if nothing else happens."""
        ...


class Background:
    """One source: take `next_work`, run it, say how it went with `done` or `failed` before asking again."""

    def __init__(self, what: str, source: Source, log: Callable[[str], None]) -> None:
        """`what` names the source in the log."""
        self._what = what
        self._source = source
        self._log = log
        self._failing: Work | None = None
        self._again_ms = 0

    def next_work(self, now_ms: int) -> Work | None:
        if self._failing is None:
            return self._source.next_work(now_ms)
        return self._failing if now_ms >= self._again_ms else None

    def deadline_ms(self) -> int | None:
        return self._source.deadline_ms() if self._failing is None else self._again_ms

    def done(self, work: Work, result: Any, now_ms: int) -> None:
        if self._failing is not None:
            self._log(f"{self._what}: go on, the store can be written again")
            self._failing = None
        work.done(result, now_ms)

    def failed(self, work: Work, error: Exception, now_ms: int) -> None:
        """Said once while it lasts. Raises what does not heal by itself, such as CorruptionError."""
        if work.failed is not None:
            work.failed(error, now_ms)
            return
        if not isinstance(error, PlatformError):
            raise error
        if self._failing is None:
            self._log(f"{self._what}: {error}; trying again every {RETRY_MS // 1000} s")
        self._failing, self._again_ms = work, now_ms + RETRY_MS
