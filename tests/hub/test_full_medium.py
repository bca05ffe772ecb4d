"""A store that cannot be written for a while: the hub's own loops wait for it and then catch up; they never end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from edgelite_hub import retry
from edgelite_hub.controllers.contract import Notices
from edgelite_hub.controllers.dispatcher import Dispatcher
from edgelite_hub.controllers.loop import ControllerLoop
from edgelite_hub.store.memory import MemoryStore
from edgelite_protocol.errors import CorruptionError, PlatformError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "RETRY_S", 0.001)


class FailingWriter:
    """A Writer whose medium is full for the next `failures` transactions."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.failures = 0

    async def transact(self, function: Callable[[Any], Any]) -> Any:
        if self.failures:
            self.failures -= 1
            raise PlatformError("the disk is full", "make room")
        return self.store.transact(function)

    async def call(self, function: Callable[[], Any]) -> Any:
        return function()


def test_controllers_outlast_a_medium_that_stays_full() -> None:
    log: list[str] = []

    async def play() -> None:
        writer = FailingWriter()
        seen: list[str] = []
        controllers: Any = ControllerLoop(Dispatcher((Watching(seen),), None), writer, tell, log.append)  # type: ignore[arg-type]
        running = asyncio.create_task(controllers.run())
        await asyncio.sleep(0.01)
        writer.failures = 5
        writer.store.transact(lambda tx: tx.create("nodes", "", "n1", {"metadata": {"name": "n1"}}))
        for _ in range(200):
            await asyncio.sleep(0.005)
            if "n1" in seen:
                break
        assert not running.done()
        assert "n1" in seen
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(asyncio.wait_for(play(), 10))
    assert [line for line in log if "trying again" in line] == log[1:2], "said once"
    assert "go on" in log[-1]


def tell(notices: Notices) -> None:
    pass


class Watching:
    def __init__(self, seen: list[str]) -> None:
        self.seen = seen

    def keys_for(self, change: Any, transaction: Any) -> list[tuple[str]]:
        return [(change.name,)]

    def keys_at_start(self, transaction: Any) -> list[tuple[str]]:
        return [(node["metadata"]["name"],) for node in transaction.list("nodes")]

    def reconcile(self, work: Any, key: tuple[str]) -> None:
        self.seen.append(key[0])


def test_a_damaged_store_is_not_waited_for() -> None:
    async def attempt() -> None:
        raise CorruptionError("hub.sqlite", "the store is damaged")

    log: list[str] = []
    with pytest.raises(CorruptionError):
        asyncio.run(retry.until_written("controllers", attempt, log.append))
