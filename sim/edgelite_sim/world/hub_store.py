"""The store of a simulated hub: what outlives its process, how long a commit takes, and who sees what is committed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from edgelite_hub.store.contract import Outcome, Sample, Store, Transaction
from edgelite_hub.store.writer import GROUP_MAX
from edgelite_hub.work import Work
from edgelite_protocol.errors import PlatformError
from edgelite_sim.world.hub_faults import (
    ANSWERED,
    BEFORE,
    COMMITTED,
    INSIDE,
    Death,
    DyingTransaction,
    HubDied,
    HubFaults,
)
from edgelite_sim.world.observer import Observer
from edgelite_sim.world.queue import EventQueue

Function = Callable[[Transaction], Any]
Settle = Callable[[Outcome[Any]], None]
CHANGES_ALL = 1 << 30


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every part of a simulated hub is given. `note` writes a line of the trace."""

    queue: EventQueue
    observers: Sequence[Observer]
    name: str
    note: Callable[[str], None]


class HubStore:
    """Commits, and tells observers of each once it is durable."""

    def __init__(self, around: Surroundings, store: Store, faults: HubFaults) -> None:
        self.store = store
        self.transactions = 0  # so far, over all lives
        self._around = around
        self._faults = faults

    def commit(self, functions: Sequence[Function], death: Death | None = None) -> list[Outcome[Any]]:
        """All in one commit; HubDied where the death is inside it."""
        if self._faults.store_error:
            return [Outcome(None, PlatformError(self._faults.store_error)) for _ in functions]
        first, before = self.transactions + 1, self.store.revision()
        self.transactions += len(functions)
        watched = [_Watched(function) for function in functions]
        if death is not None and death.point == INSIDE:
            watched[death.transaction - first].operations = death.operation - 1
        outcomes = self.store.transact_group(watched)
        done = [one for one, outcome in zip(watched, outcomes, strict=True) if outcome.error is None]
        self._tell(before, [sample for one in done for sample in one.samples])
        return outcomes

    def transact(self, function: Function) -> Any:
        """One commit on its own, at once; the function's error passes through."""
        return self.commit([function])[0].result()

    def _tell(self, before: int, samples: list[Sample]) -> None:
        """What a commit has changed; of one that changed no object and no sample there is nothing to tell."""
        revision = self.store.revision()
        if revision != before or samples:
            self._around.note(f"commit {self.transactions} revision {revision} samples {len(samples)}")
        now_ms = self._around.queue.now_ms
        if samples:
            for observer in self._around.observers:
                observer.stored(self._around.name, samples, now_ms)
        watching = [one for one in self._around.observers if type(one).changed is not Observer.changed]
        if revision == before or not watching:
            return
        for change in self.store.changes(before, CHANGES_ALL):
            for observer in watching:
                observer.changed(self._around.name, change.resource, change.namespace, change.name, change.new, now_ms)


class _Watched:
    """A function of a transaction, and the samples that it adds."""

    def __init__(self, function: Function) -> None:
        self.samples: list[Sample] = []
        self.operations: int | None = None  # that it may do before it dies
        self._function = function

    def __call__(self, transaction: Any) -> Any:
        add_samples = transaction.add_samples

        def add(samples: list[Sample]) -> None:
            add_samples(samples)
            self.samples.extend(samples)

        transaction.add_samples = add
        if self.operations is None:
            return self._function(transaction)
        self._function(DyingTransaction(transaction, self.operations))
        raise HubDied("behind its last operation")


class SimWriter:
    """The one writer of a life: transactions in order, those that wait while a commit is on its way in the next one."""

    def __init__(self, around: Surroundings, store: HubStore, faults: HubFaults, die: Callable[[str], None]) -> None:
        self._queue = around.queue
        self._store = store
        self._faults = faults
        self._die = die
        self._pending: deque[tuple[Work, Settle]] = deque()
        self._is_busy = False
        self._is_dead = False

    @property
    def waiting(self) -> int:
        """Transactions that wait for the next commit."""
        return len(self._pending)

    def close(self) -> None:
        """Nothing that waits is ever done."""
        self._is_dead = True
        self._pending.clear()

    def submit(self, work: Work, settle: Settle) -> None:
        """`settle` is called once it is durable, or has failed; at once for what only reads."""
        if work.reads_only:
            settle(_attempt(lambda: self._store.store.read(work.run)))
            return
        self._pending.append((work, settle))
        if not self._is_busy:
            self._is_busy = True
            self._begin()

    def _begin(self) -> None:
        while self._pending and not self._is_dead:
            if self._faults.store_ms:
                group = self._take()
                self._queue.after(self._faults.store_ms, partial(self._finish, group))
                return
            self._commit(self._take())
        self._is_busy = False

    def _take(self) -> list[tuple[Work, Settle]]:
        return [self._pending.popleft() for _ in range(min(len(self._pending), GROUP_MAX))]

    def _finish(self, group: list[tuple[Work, Settle]]) -> None:
        if not self._is_dead:
            self._commit(group)
            self._begin()

    def _commit(self, group: list[tuple[Work, Settle]]) -> None:
        first = self._store.transactions + 1
        death = self._faults.take_death(first, len(group))
        point = death.point if death is not None else ""
        if point == BEFORE:
            self._die(BEFORE)
            return
        try:
            outcomes = self._store.commit([work.run for work, _ in group], death)
        except HubDied as end:
            self._die(f"{INSIDE} a transaction, at {end}")
            return
        if point == COMMITTED:
            self._die(COMMITTED)
            return
        for number, ((_, settle), outcome) in enumerate(zip(group, outcomes, strict=True), first):
            settle(outcome)
            if self._is_dead:
                return
            if point == ANSWERED and death is not None and number == death.transaction:
                self._die(ANSWERED)
                return


def _attempt(function: Callable[[], Any]) -> Outcome[Any]:
    try:
        return Outcome(function(), None)
    except Exception as error:  # noqa: BLE001  handed to whoever asked, as a real store's reader does
        return Outcome(None, error)
