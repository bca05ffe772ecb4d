"""The contract suite on each store, and a random history on both at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelite_hub.store.contract import AlreadyExists, Conflict, Store, Transaction
from edgelite_hub.store.memory import MemoryStore
from edgelite_hub.store.sqlite import SqliteStore
from tests.hub import store_contract

CHECKS = {name[6:]: check for name, check in vars(store_contract).items() if name.startswith("check_")}


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = (
        MemoryStore(changes_max=100) if request.param == "memory" else SqliteStore(tmp_path / "hub.db", changes_max=100)
    )
    yield made
    made.close()


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())
def test_contract(check: Callable[[Store], None], store: Store) -> None:
    check(store)


names = st.sampled_from("abc")
steps = st.one_of(
    st.tuples(st.just("create"), names, st.integers(0, 2)),
    st.tuples(st.just("update"), names, st.integers(0, 2)),
    st.tuples(st.just("delete"), names, st.just(0)),
    st.tuples(st.just("feed"), names, st.integers(0, 2)),
    st.tuples(st.just("feed_compact"), st.just("a"), st.integers(0, 3)),
    st.tuples(st.just("fail"), st.just("a"), st.just(0)),
)
histories = st.lists(st.lists(st.lists(steps, max_size=4), min_size=1, max_size=3), max_size=6)


def perform(step: tuple[str, str, int], tx: Transaction) -> None:
    verb, name, number = step
    value = {"metadata": {"name": name}, "spec": number}
    if verb == "create":
        tx.create("pods", "default", name, value)
    elif verb == "update":
        tx.update("pods", "default", name, value)
    elif verb == "delete":
        tx.delete("pods", "default", name)
    elif verb == "feed":
        tx.feed_append("n", 1, name, bytes([number]) if number else None)
    elif verb == "feed_compact":
        tx.feed_compact("n", number)
    else:
        raise ZeroDivisionError


def transaction(group: list[tuple[str, str, int]]) -> Callable[[Transaction], int]:
    def run(tx: Transaction) -> int:
        for step in group:
            perform(step, tx)
        return tx.revision

    return run


def observed(store: Store) -> Any:
    def everything(tx: Transaction) -> Any:
        return (
            list(tx.list("pods")),
            tx.feed_last("n"),
            tx.feed_snapshot("n"),
            [tx.feed_entry("n", n) for n in range(9)],
        )

    return store.revision(), store.changes(0, 1000), store.read(everything)


numbers = itertools.count()


@settings(max_examples=40, deadline=None)
@given(history=histories)
def test_both_stores_agree_on_any_history(history: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    memory, sqlite = MemoryStore(), SqliteStore(tmp_path_factory.getbasetemp() / f"history-{next(numbers)}.db")
    for groups in history:
        functions = [transaction(group) for group in groups]
        outcomes = [[(o.value, type(o.error)) for o in store.transact_group(functions)] for store in (memory, sqlite)]
        assert outcomes[0] == outcomes[1]
        assert {kind for _, kind in outcomes[0]} <= {type(None), AlreadyExists, Conflict, ZeroDivisionError}
        assert observed(memory) == observed(sqlite)
    sqlite.close()
