"""A store that cannot be written for a while: the hub's own works wait for it and then catch up; they never end."""

from __future__ import annotations

from typing import Any

import pytest

from edgelite_hub.background import RETRY_MS, Background
from edgelite_hub.controllers.contract import Notices
from edgelite_hub.controllers.dispatcher import Dispatcher
from edgelite_hub.controllers.rounds import Rounds
from edgelite_hub.store.memory import MemoryStore
from edgelite_hub.work import Work
from edgelite_protocol.errors import CorruptionError, PlatformError

FULL = PlatformError("the disk is full", "make room")


class Hub:
    """Controllers on a store whose medium is full for the next `failures` transactions, and the time that passes."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.failures = 0
        self.now_ms = 0
        self.log: list[str] = []
        self.seen: list[str] = []
        dispatcher = Dispatcher((Watching(self.seen),), None)  # type: ignore[arg-type]  # of no use to Watching
        self.rounds = Rounds(dispatcher, self.store, tell, self.log.append)
        self.store.subscribe(lambda revision: self.rounds.committed())
        self.background = Background("controllers", self.rounds, self.log.append)

    def run(self) -> None:
        """Until nothing is due at this time."""
        while (work := self.background.next_work(self.now_ms)) is not None:
            try:
                result = self._transact(work)
            except Exception as error:  # noqa: BLE001  handed on, as whoever drives it does
                self.background.failed(work, error, self.now_ms)
            else:
                self.background.done(work, result, self.now_ms)

    def _transact(self, work: Work) -> Any:
        if self.failures:
            self.failures -= 1
            raise FULL
        return self.store.transact(work.run)

    def make_node(self, name: str) -> None:
        self.store.transact(lambda tx: tx.create("nodes", "", name, {"metadata": {"name": name}}))


def test_controllers_outlast_a_medium_that_stays_full() -> None:
    hub = Hub()
    hub.run()
    hub.failures = 5
    hub.make_node("n1")
    for _ in range(4):
        hub.run()
        assert hub.seen == []
        assert hub.background.deadline_ms() == hub.now_ms + RETRY_MS
        hub.now_ms += RETRY_MS
    hub.run()
    assert hub.seen == ["n1"]
    assert [line for line in hub.log if "trying again" in line] == hub.log[1:2], "said once"
    assert "go on" in hub.log[-1]


def test_nothing_is_tried_before_its_time() -> None:
    hub = Hub()
    hub.failures = 1
    hub.run()
    hub.now_ms += RETRY_MS - 1
    assert hub.background.next_work(hub.now_ms) is None
    hub.now_ms += 1
    assert hub.background.next_work(hub.now_ms) is not None


def test_an_object_that_a_controller_cannot_bear_does_not_stop_the_others() -> None:
    hub = Hub()
    hub.run()
    for name in ("n1", "bad", "n2"):
        hub.make_node(name)
    hub.run()
    assert hub.seen[-2:] == ["n1", "n2"]
    assert hub.log == ["controllers: KeyError 'bad': going one by one", "controllers: Watching bad: KeyError 'bad'"]
    hub.make_node("n3")
    hub.run()
    assert hub.seen[-1] == "n3", "and it goes on behind them"


def test_changes_that_were_forgotten_make_everything_count_as_changed() -> None:
    hub = Hub()
    hub.run()
    hub.make_node("n1")
    hub.store.compact(hub.store.revision())
    hub.run()
    assert hub.seen == ["n1"]


def tell(notices: Notices, now_ms: int) -> None:
    pass


class Watching:
    is_patient = False

    def __init__(self, seen: list[str]) -> None:
        self.seen = seen

    def keys_for(self, change: Any, transaction: Any) -> list[tuple[str]]:
        return [(change.name,)]

    def keys_at_start(self, transaction: Any) -> list[tuple[str]]:
        return [(node["metadata"]["name"],) for node in transaction.list("nodes")]

    def reconcile(self, work: Any, key: tuple[str]) -> None:
        if key[0] == "bad":
            raise KeyError(key[0])
        self.seen.append(key[0])


def test_a_damaged_store_is_not_waited_for() -> None:
    hub = Hub()
    work = hub.background.next_work(0)
    assert work is not None
    with pytest.raises(CorruptionError):
        hub.background.failed(work, CorruptionError("hub.sqlite", "the store is damaged"), 0)
