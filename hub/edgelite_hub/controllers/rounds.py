"""The controllers beside the store's commits: each commit brings a round, nothing is polled. No I/O: Works in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from edgelite_hub.controllers.contract import Notices
from edgelite_hub.controllers.dispatcher import Dispatcher, Item
from edgelite_hub.store.contract import Change, Compacted, Store, Transaction
from edgelite_hub.work import Work
from edgelite_protocol.errors import EdgeliteError

CHANGES_AT_ONCE = 512  # read at once; more come in the next round
PATIENCE_MS = 1_000  # between two rounds of what is patient: at once where nothing went before

Round = tuple[Sequence[Change], Notices] | None  # None: changes were missed


class Rounds:
    """`tell` gets the notices of each transaction once it is durable. Takes everything as changed at first, and when
    changes were missed."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        store: Store,
        tell: Callable[[Notices, int], None],
        log: Callable[[str], None],
    ) -> None:
        self._dispatcher = dispatcher
        self._store = store
        self._tell = tell
        self._log = log
        self._seen = 0
        self._starts_over = True
        self._is_behind = False
        self._hurry_ms = 0  # from when on what is patient may come
        self._changes: Sequence[Change] = ()  # of the round that runs
        self._items: Sequence[Item] = ()
        self._alone: deque[tuple[str, Callable[[Transaction], Notices]]] = deque()  # what a failed round had

    def committed(self) -> None:
        """Objects have changed."""
        self._is_behind = True

    def deadline_ms(self) -> int | None:
        return self._hurry_ms if self._dispatcher.has_patient else None

    def next_work(self, now_ms: int) -> Work | None:
        if self._dispatcher.has_patient and now_ms >= self._hurry_ms:
            self._dispatcher.hurry()
            self._hurry_ms = now_ms + PATIENCE_MS
        if self._starts_over:
            return Work(self._note_everything, self._noted_everything)
        if self._alone:
            what, function = self._alone.popleft()
            return Work(function, self._tell, failed=partial(self._alone_failed, what))
        if self._is_behind or not self._dispatcher.is_idle:
            self._is_behind = False
            return Work(self._run_round, self._round_done, failed=self._round_failed)
        return None

    # ---- everything

    def _note_everything(self, transaction: Transaction) -> None:
        self._seen = self._store.revision()
        self._dispatcher.note_everything(transaction)

    def _noted_everything(self, result: None, now_ms: int) -> None:
        self._starts_over = False
        self._is_behind = True  # what was committed since the revision was read

    # ---- a round

    def _run_round(self, transaction: Transaction) -> Round:
        self._changes, self._items = (), ()
        try:
            self._changes = self._store.changes(self._seen, CHANGES_AT_ONCE)
        except Compacted:
            return None
        self._dispatcher.note(transaction, self._changes)
        self._items = self._dispatcher.take()
        return self._changes, self._dispatcher.run(transaction, self._items)

    def _round_done(self, result: Round, now_ms: int) -> None:
        if result is None:
            self._starts_over = True
            return
        changes, notices = result
        self._pass(changes)
        self._tell(notices, now_ms)

    def _pass(self, changes: Sequence[Change]) -> None:
        if changes:
            self._seen = changes[-1].revision
            self._is_behind |= len(changes) >= CHANGES_AT_ONCE

    def _round_failed(self, error: Exception, now_ms: int) -> None:
        """One object that a controller cannot bear must not stop the others."""
        if isinstance(error, EdgeliteError):
            self._start_over(error)
            return
        self._log(f"controllers: {type(error).__name__} {error}: going one by one")
        for item in self._items:
            self._alone.append((self._dispatcher.describe(item), partial(self._reconcile, item)))
        if not self._items:  # it came no further than the changes
            for change in self._changes:
                self._alone.append((f"{change.resource} {change.name}", partial(self._note, change)))
        self._pass(self._changes)

    def _start_over(self, error: EdgeliteError) -> None:
        self._log(f"controllers: {error}; taking everything as changed")
        self._alone.clear()
        self._starts_over = True

    # ---- one by one

    def _alone_failed(self, what: str, error: Exception, now_ms: int) -> None:
        """Named in the log; its next change tries again."""
        if isinstance(error, EdgeliteError):
            self._start_over(error)
        else:
            self._log(f"controllers: {what}: {type(error).__name__} {error}")

    def _note(self, change: Change, transaction: Transaction) -> Notices:
        self._dispatcher.note(transaction, [change])
        return Notices()

    def _reconcile(self, item: Item, transaction: Transaction) -> Notices:
        return self._dispatcher.run(transaction, [item])
