"""Whoever follows a watch ends with what a list would show, from any revision on, whatever the selector."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edgelite_hub.api.watches import ADDED, DELETED, MODIFIED, events_of
from edgelite_hub.model.objects import Object
from edgelite_hub.model.selectors import Selector, parse_selector
from edgelite_hub.store.contract import Transaction
from edgelite_hub.store.memory import MemoryStore

# One step: what happens to which name, and whether it carries the label afterwards.
steps = st.tuples(st.sampled_from(["put", "delete", "replace"]), st.sampled_from("abc"), st.booleans())
histories = st.lists(st.lists(steps, min_size=1, max_size=4), min_size=1, max_size=12)


def perform(tx: Transaction, step: tuple[str, str, bool], uid: int) -> None:
    verb, name, labelled = step
    old = tx.get("pods", "default", name)
    value = {"metadata": {"uid": str(uid), "name": name, "labels": {"on": str(uid)} if labelled else {}}}
    if old is not None and verb in ("delete", "replace"):
        tx.delete("pods", "default", name)
    if verb == "replace" or (verb == "put" and old is None):
        tx.create("pods", "default", name, value)
    elif verb == "put" and old is not None:
        value["metadata"]["uid"] = old["metadata"]["uid"]
        tx.update("pods", "default", name, value)


def matching(store: MemoryStore, selector: Selector) -> dict[str, Object]:
    found = store.read(lambda tx: list(tx.list("pods", "default")))
    return {value["metadata"]["name"]: value for value in found if selector.matches(value)}


def follow(state: dict[str, Object], kind: str, value: Object) -> None:
    """A client's cache, as strict as one can be: nothing is added twice, nothing unknown changes or goes."""
    name = value["metadata"]["name"]
    if kind == ADDED:
        assert name not in state
    else:
        assert state[name]["metadata"]["uid"] == value["metadata"]["uid"]
        assert int(state[name]["metadata"]["resourceVersion"]) < int(value["metadata"]["resourceVersion"])
    if kind == DELETED:
        del state[name]
    else:
        assert kind in (ADDED, MODIFIED)
        state[name] = value


@settings(max_examples=150, deadline=None)
@given(history=histories, start=st.integers(0, 11), page=st.integers(1, 5), label=st.sampled_from(["", "on", "!on"]))
def test_list_and_watch_agree(history: Any, start: int, page: int, label: str) -> None:
    store, selector = MemoryStore(), parse_selector(label, "", "pods")
    state, revision, uid = matching(store, selector), 0, 0
    for number, group in enumerate(history):
        if number == start:
            state, revision = matching(store, selector), store.revision()

        def run(tx: Transaction, group: Any = group, first: int = uid) -> None:
            for offset, step in enumerate(group):
                perform(tx, step, first + offset)

        store.transact(run)
        uid += len(group)
    while changes := store.changes(revision, page, ["pods"]):
        for kind, value in events_of(changes, "default", selector):
            follow(state, kind, value)
        revision = changes[-1].revision
    assert state == matching(store, selector)
