"""What is patient counts once for many changes, at once where nothing went before, and is never forgotten."""

from __future__ import annotations

from typing import Any

from edgelite_hub.controllers.dispatcher import Dispatcher
from edgelite_hub.controllers.rounds import PATIENCE_MS, Rounds
from edgelite_hub.store.memory import MemoryStore


class Counting:
    """One key for whatever changes, and when it came to it."""

    def __init__(self, is_patient: bool, hub: Hub) -> None:
        self.is_patient = is_patient
        self.times: list[int] = []
        self._hub = hub

    def keys_for(self, change: Any, transaction: Any) -> list[tuple[str]]:
        return [("all",)]

    def keys_at_start(self, transaction: Any) -> list[tuple[str]]:
        return []

    def reconcile(self, work: Any, key: tuple[str]) -> None:
        self.times.append(self._hub.now_ms)


class Hub:
    def __init__(self) -> None:
        self.now_ms = 0
        self.store = MemoryStore()
        self.quick, self.patient = Counting(False, self), Counting(True, self)
        dispatcher = Dispatcher((self.quick, self.patient), None)  # type: ignore[arg-type]  # of no use to Counting
        self.rounds = Rounds(dispatcher, self.store, lambda notices, now_ms: None, lambda line: None)
        self.store.subscribe(lambda revision: self.rounds.committed())

    def pass_time(self, until_ms: int) -> None:
        """Step by step, each at its deadline."""
        while True:
            while (work := self.rounds.next_work(self.now_ms)) is not None:
                work.done(self.store.transact(work.run), self.now_ms)
            deadline_ms = self.rounds.deadline_ms()
            if deadline_ms is None or deadline_ms > until_ms:
                break
            self.now_ms = deadline_ms
        self.now_ms = until_ms

    def change(self, name: str) -> None:
        self.store.transact(lambda tx: tx.create("nodes", "", name, {"metadata": {"name": name}}))


def test_a_burst_of_changes_is_counted_now_and_then() -> None:
    hub = Hub()
    hub.pass_time(10_000)
    for number in range(30):
        hub.change(f"n{number}")
        hub.pass_time(hub.now_ms + 100)
    hub.pass_time(20_000)
    assert len(hub.quick.times) == 30
    assert hub.patient.times == [10_000 + PATIENCE_MS * turn for turn in range(4)]


def test_a_change_on_its_own_is_counted_at_once() -> None:
    hub = Hub()
    hub.pass_time(10_000)
    for _ in range(3):
        hub.change(f"n{hub.now_ms}")
        hub.pass_time(hub.now_ms + 5_000)
    assert hub.patient.times == hub.quick.times == [10_000, 15_000, 20_000]


def test_nothing_to_count_is_no_deadline() -> None:
    hub = Hub()
    hub.pass_time(10_000)
    assert hub.rounds.deadline_ms() is None
