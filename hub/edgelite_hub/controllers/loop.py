"""Runs the controllers beside the store's commits: each commit wakes them, nothing is polled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from edgelite_hub.controllers.contract import Notices
from edgelite_hub.controllers.dispatcher import Dispatcher, Item
from edgelite_hub.retry import until_written
from edgelite_hub.store.contract import Change, Compacted, Transaction
from edgelite_hub.store.writer import Writer
from edgelite_protocol.errors import EdgeliteError

CHANGES_AT_ONCE = 512  # read at once; more come in the next round


class ControllerLoop:
    """`tell` gets the notices of each transaction once it is durable."""

    def __init__(
        self, dispatcher: Dispatcher, writer: Writer, tell: Callable[[Notices], None], log: Callable[[str], None]
    ) -> None:
        self._dispatcher = dispatcher
        self._writer = writer
        self._tell = tell
        self._log = log
        self._woken = asyncio.Event()
        self._seen = 0

    async def run(self) -> None:
        loop = asyncio.get_running_loop()

        def notify(revision: int) -> None:
            loop.call_soon_threadsafe(self._woken.set)

        unsubscribe = self._writer.store.subscribe(notify)
        try:
            await self._start_over()
            while True:
                await self._woken.wait()
                self._woken.clear()
                try:
                    await self._catch_up()
                except EdgeliteError as error:
                    self._log(f"controllers: {error}; taking everything as changed")
                    await until_written("controllers", self._start_over, self._log)
        finally:
            unsubscribe()

    async def _start_over(self) -> None:
        """Take everything as changed: at a start, or when changes were missed."""
        self._seen = self._writer.store.revision()
        await self._writer.transact(self._dispatcher.note_everything)
        await self._drain()

    async def _catch_up(self) -> None:
        while changes := await self._next_changes():
            self._seen = changes[-1].revision
            await self._reconcile(changes)
            await self._drain()

    async def _next_changes(self) -> Sequence[Change]:
        seen, store = self._seen, self._writer.store
        try:
            return await self._writer.call(lambda: store.changes(seen, CHANGES_AT_ONCE))
        except Compacted:
            await self._start_over()
            return []

    async def _drain(self) -> None:
        while not self._dispatcher.is_idle:
            await self._reconcile([])

    async def _reconcile(self, changes: Sequence[Change]) -> None:
        items: list[Item] = []

        def run(transaction: Transaction) -> Notices:
            self._dispatcher.note(transaction, changes)
            items.extend(self._dispatcher.take())
            return self._dispatcher.run(transaction, items)

        try:
            self._tell(await self._writer.transact(run))
        except EdgeliteError:
            raise
        except Exception as error:  # noqa: BLE001  one object that a controller cannot bear must not stop the others
            self._log(f"controllers: {type(error).__name__} {error}: going one by one")
            for change in changes:
                await self._alone(f"{change.resource} {change.name}", partial(self._note, change))
            for item in items:
                await self._alone(self._dispatcher.describe(item), partial(self._run, item))

    async def _alone(self, what: str, function: Callable[[Transaction], Notices]) -> None:
        try:
            self._tell(await self._writer.transact(function))
        except EdgeliteError:
            raise
        except Exception as error:  # noqa: BLE001  named in the log; its next change tries again
            self._log(f"controllers: {what}: {type(error).__name__} {error}")

    def _note(self, change: Change, transaction: Transaction) -> Notices:
        self._dispatcher.note(transaction, [change])
        return Notices()

    def _run(self, item: Item, transaction: Transaction) -> Notices:
        return self._dispatcher.run(transaction, [item])
