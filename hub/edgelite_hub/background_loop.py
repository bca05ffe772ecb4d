"""The asyncio half of background.py."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from edgelite_hub.background import Background
from edgelite_hub.store.contract import Transaction
from edgelite_hub.store.writer import Writer
from edgelite_hub.work import Work


def monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


async def carry_out(writer: Writer, work: Work) -> Any:
    """Run one work's transaction; its result."""
    run: Callable[[Transaction], object] = work.run
    return await (writer.read(run) if work.reads_only else writer.transact(run))


class BackgroundLoop:
    """`wake` when the source may have work before its deadline; from the event loop's own thread."""

    def __init__(self, background: Background, writer: Writer) -> None:
        self._background = background
        self._writer = writer
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Ends with an exception alone: of what the source cannot bear."""
        while True:
            self._woken.clear()
            work = self._background.next_work(monotonic_ms())
            if work is None:
                await wait_until(self._woken, self._background.deadline_ms())
            else:
                await self._carry_out(work)

    async def _carry_out(self, work: Work) -> None:
        try:
            result = await carry_out(self._writer, work)
        except Exception as error:  # noqa: BLE001  raised again where the source cannot bear it
            self._background.failed(work, error, monotonic_ms())
        else:
            self._background.done(work, result, monotonic_ms())


async def wait_until(woken: asyncio.Event, deadline_ms: int | None) -> None:
    """Until woken or the deadline. A timer instead of wait_for, which makes a task each time."""
    if woken.is_set():
        return
    if deadline_ms is None:
        await woken.wait()
        return
    delay_s = max(0, deadline_ms - monotonic_ms()) / 1000
    timer = asyncio.get_running_loop().call_later(delay_s, woken.set)
    try:
        await woken.wait()
    finally:
        timer.cancel()
