"""The asyncio side of a store: one thread that writes, one that reads.

Transactions that wait while one commit is being synced go into the next commit together, so a hundred nodes that
report at once cost one sync and not a hundred. A caller's result comes only after its commit is durable.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from edgelite_hub.store.contract import Outcome, Store, Transaction
from edgelite_protocol.errors import MisuseError

T = TypeVar("T")
Function = Callable[[Transaction], Any]

GROUP_MAX = 256  # transactions in one commit: keeps the wait of the first below some tens of milliseconds
PENDING_MAX = 4096  # waiting transactions; who comes later waits here, without a place in the queue


class Writer:
    """Use from one event loop. `close()` finishes what is queued; the store stays its owner's to close."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._places = asyncio.Semaphore(PENDING_MAX)
        self._pending: deque[tuple[Function, asyncio.Future[Any]]] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()
        self._readers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-reader")

    async def transact(self, function: Callable[[Transaction], T]) -> T:
        """Run on the writer's thread; return after the commit. The function's own exception passes through."""
        async with self._places:
            future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
            with self._wake:
                if self._closing:
                    raise MisuseError("the writer is closed")
                self._pending.append((function, future))
                self._wake.notify()
            return await future

    async def read(self, function: Callable[[Transaction], T]) -> T:
        """On a snapshot that holds everything that was answered before."""
        return await self.call(lambda: self.store.read(function))

    async def call(self, function: Callable[[], T]) -> T:
        """Any other reading call of the store (`changes`), off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, function)

    async def close(self) -> None:
        with self._wake:
            self._closing = True
            self._wake.notify()
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)
        self._readers.shutdown(wait=True)

    def _work(self) -> None:
        while True:
            group = self._take()
            if not group:
                return
            _resolve(group, self._commit([function for function, _ in group]))

    def _take(self) -> list[tuple[Function, asyncio.Future[Any]]]:
        with self._wake:
            self._wake.wait_for(lambda: self._pending or self._closing)
            return [self._pending.popleft() for _ in range(min(len(self._pending), GROUP_MAX))]

    def _commit(self, functions: list[Function]) -> list[Outcome[Any]]:
        try:
            return self.store.transact_group(functions)
        except Exception as error:  # noqa: BLE001  a failed commit is each caller's to see
            return [Outcome(None, error) for _ in functions]


def _resolve(group: list[tuple[Function, asyncio.Future[Any]]], outcomes: list[Outcome[Any]]) -> None:
    loop = group[0][1].get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(_set_results, [future for _, future in group], outcomes)


def _set_results(futures: list[asyncio.Future[Any]], outcomes: list[Outcome[Any]]) -> None:
    for future, outcome in zip(futures, outcomes, strict=True):
        if future.done():  # its caller was cancelled; the transaction stands all the same
            continue
        if outcome.error is not None:
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome.value)
