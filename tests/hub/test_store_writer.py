"""The writer: groups, answers after the commit, loses nothing and nobody else's work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from edgelite_hub.store.contract import Outcome, Transaction
from edgelite_hub.store.memory import MemoryStore
from edgelite_hub.store.writer import GROUP_MAX, Writer
from edgelite_protocol.errors import MisuseError, PlatformError

OBJECT: dict[str, Any] = {"metadata": {}}


class GatedStore(MemoryStore):
    """Commits only while the gate is open, and notes how many transactions each commit had."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.groups: list[int] = []
        self.failure: Exception | None = None

    def transact_group(self, functions: Sequence[Callable[[Transaction], Any]]) -> list[Outcome[Any]]:
        self.entered.set()
        assert self.gate.wait(10)
        self.groups.append(len(functions))
        if self.failure is not None:
            raise self.failure
        return super().transact_group(functions)


def run(body: Callable[[GatedStore, Writer], Awaitable[None]]) -> None:
    async def whole() -> None:
        store = GatedStore()
        writer = Writer(store)
        try:
            await body(store, writer)
        finally:
            store.gate.set()
            await writer.close()

    asyncio.run(asyncio.wait_for(whole(), 20))


def pod(name: str) -> Callable[[Transaction], Any]:
    return lambda tx: tx.create("pods", "default", name, OBJECT)


async def entered(store: GatedStore) -> None:
    await asyncio.get_running_loop().run_in_executor(None, store.entered.wait, 10)


def test_answer_comes_after_the_commit() -> None:
    async def body(store: GatedStore, writer: Writer) -> None:
        waiting = asyncio.ensure_future(writer.transact(pod("a")))
        await entered(store)
        await asyncio.sleep(0.02)
        assert not waiting.done()
        store.gate.set()
        assert (await waiting)["metadata"]["resourceVersion"] == "1"

    run(body)


def test_what_waits_goes_into_one_commit_and_failures_stay_alone() -> None:
    async def body(store: GatedStore, writer: Writer) -> None:
        first = asyncio.ensure_future(writer.transact(pod("first")))
        await entered(store)
        rest = [asyncio.ensure_future(writer.transact(pod(name))) for name in ("a", "first", "b")]
        await asyncio.sleep(0)
        store.gate.set()
        await first
        results = await asyncio.gather(*rest, return_exceptions=True)
        assert [type(result).__name__ for result in results] == ["dict", "AlreadyExists", "dict"]
        assert store.groups == [1, 3]

    run(body)


def test_a_group_is_bounded() -> None:
    async def body(store: GatedStore, writer: Writer) -> None:
        tasks = [asyncio.ensure_future(writer.transact(pod(str(n)))) for n in range(GROUP_MAX + 10)]
        await asyncio.sleep(0.02)
        store.gate.set()
        await asyncio.gather(*tasks)
        assert max(store.groups) <= GROUP_MAX
        assert sum(store.groups) == GROUP_MAX + 10

    run(body)


def test_a_failed_commit_fails_every_caller_and_the_writer_goes_on() -> None:
    async def body(store: GatedStore, writer: Writer) -> None:
        store.gate.set()
        store.failure = PlatformError("full")
        results = await asyncio.gather(writer.transact(pod("a")), writer.transact(pod("b")), return_exceptions=True)
        assert [type(result) for result in results] == [PlatformError, PlatformError]
        store.failure = None
        await writer.transact(pod("c"))
        assert await writer.read(lambda tx: [o["metadata"]["resourceVersion"] for o in tx.list("pods")]) == ["1"]

    run(body)


def test_a_cancelled_caller_disturbs_nobody() -> None:
    async def body(store: GatedStore, writer: Writer) -> None:
        first, second = (asyncio.ensure_future(writer.transact(pod(name))) for name in "ab")
        await entered(store)
        first.cancel()
        store.gate.set()
        await second
        assert store.revision() == 2

    run(body)


def test_close_finishes_what_is_queued_and_refuses_the_rest() -> None:
    async def body(store: GatedStore, writer: Writer) -> None:
        tasks = [asyncio.ensure_future(writer.transact(pod(name))) for name in "abc"]
        await asyncio.sleep(0)
        store.gate.set()
        await writer.close()
        await asyncio.gather(*tasks)
        assert store.revision() == 3
        with pytest.raises(MisuseError):
            await writer.transact(pod("d"))

    run(body)
