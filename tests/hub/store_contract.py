"""What every store must do; test_store.py runs each of these functions on each implementation.

`store` is a fresh, empty store with changes_max=100.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edgelite_hub.store.contract import (
    REVISIONS_PER_MILLISECOND,
    AlreadyExists,
    Compacted,
    Conflict,
    Position,
    Sample,
    Store,
    Transaction,
)
from edgelite_protocol.digest import entry_digest
from edgelite_protocol.errors import MisuseError

POD: dict[str, Any] = {"kind": "Pod", "metadata": {"name": "a", "labels": {"x": "é"}}, "spec": {"n": [1, 2.5, None]}}


def create(store: Store, name: str = "a", namespace: str = "default", **fields: Any) -> dict[str, Any]:
    value = {**POD, "metadata": {**POD["metadata"], "name": name}, **fields}
    return store.transact(lambda tx: tx.create("pods", namespace, name, value))


def creation(name: str) -> Callable[[Transaction], Any]:
    return lambda tx: tx.create("pods", "default", name, POD)


def get(store: Store, name: str = "a", namespace: str = "default") -> dict[str, Any] | None:
    return store.read(lambda tx: tx.get("pods", namespace, name))


def version(value: dict[str, Any]) -> int:
    return int(value["metadata"]["resourceVersion"])


# ---- objects
def check_created_object_is_read_back_with_its_revision(store: Store) -> None:
    created = create(store)
    assert created == {**POD, "metadata": {**POD["metadata"], "resourceVersion": "1"}}
    assert get(store) == created
    assert store.revision() == 1


def check_create_twice_is_refused_and_leaves_the_first(store: Store) -> None:
    create(store)
    with pytest.raises(AlreadyExists):
        create(store, spec={})
    assert get(store)["spec"] == POD["spec"]  # type: ignore[index]
    assert store.revision() == 1


def check_update_with_stale_version_conflicts(store: Store) -> None:
    create(store)
    store.transact(lambda tx: tx.update("pods", "default", "a", {**POD, "spec": 2}, expected=1))
    with pytest.raises(Conflict) as caught:
        store.transact(lambda tx: tx.update("pods", "default", "a", {**POD, "spec": 3}, expected=1))
    assert caught.value.found == 2
    assert get(store)["spec"] == 2  # type: ignore[index]


def check_update_and_delete_of_absent_object_conflict(store: Store) -> None:
    for verb in (
        lambda tx: tx.update("pods", "default", "a", POD),
        lambda tx: tx.delete("pods", "default", "a"),
    ):
        with pytest.raises(Conflict) as caught:
            store.transact(verb)
        assert caught.value.found is None


def check_update_without_a_difference_is_no_change(store: Store) -> None:
    created = create(store)
    answer = store.transact(lambda tx: tx.update("pods", "default", "a", POD))
    assert answer == created
    assert store.revision() == 1
    assert len(store.changes(0, 10)) == 1


def check_boolean_and_number_are_different_values(store: Store) -> None:
    create(store, spec=1)
    assert version(store.transact(lambda tx: tx.update("pods", "default", "a", {**POD, "spec": True}))) == 2


def check_delete_answers_last_state_at_the_deletions_revision(store: Store) -> None:
    create(store)
    gone = store.transact(lambda tx: tx.delete("pods", "default", "a", expected=1))
    assert version(gone) == 2
    assert gone["spec"] == POD["spec"]
    assert get(store) is None


def check_list_finds_what_is_bound_to_a_node(store: Store) -> None:
    def bound(tx: Transaction, name: str, **spec: str) -> None:
        tx.create("pods", "a", name, {"metadata": {"name": name}, "spec": spec})

    def make(tx: Transaction) -> None:
        bound(tx, "z", nodeName="n1")
        bound(tx, "y", nodeName="n1")
        bound(tx, "other", nodeName="n10")
        bound(tx, "none")
        bound(tx, "quoted", command='"nodeName":"n1"')
        tx.create("pods", "a", "deep", {"metadata": {"name": "deep"}, "spec": {"template": {"nodeName": "n1"}}})

    store.transact(make)
    found = store.read(lambda tx: [pod["metadata"]["name"] for pod in tx.list("pods", None, "n1")])
    assert found == ["y", "z"]
    assert store.read(lambda tx: list(tx.list("pods", "b", "n1"))) == []


def check_list_is_ordered_and_bound_to_its_namespace_and_resource(store: Store) -> None:
    for namespace, name in (("b", "z"), ("a", "y"), ("b", "a"), ("a", "x")):
        create(store, name, namespace)
    store.transact(lambda tx: tx.create("nodes", "", "n", {"metadata": {}}))

    def names(namespace: str | None) -> list[str]:
        return store.read(lambda tx: [o["metadata"]["name"] for o in tx.list("pods", namespace)])

    assert names(None) == ["x", "y", "a", "z"]
    assert names("b") == ["a", "z"]
    assert names("c") == []


def check_callers_copies_are_their_own(store: Store) -> None:
    given: dict[str, Any] = {"metadata": {}, "spec": {"list": []}}
    answer = store.transact(lambda tx: tx.create("pods", "default", "a", given))
    given["spec"]["list"].append("given")
    answer["spec"]["list"].append("answered")
    read = get(store)
    assert read is not None
    read["spec"]["list"].append("read")
    assert get(store)["spec"] == {"list": []}  # type: ignore[index]


# ---- transactions
def check_transaction_sees_its_own_writes_under_one_revision(store: Store) -> None:
    def both(tx: Transaction) -> list[str]:
        for name in ("a", "b"):
            tx.create("pods", "default", name, {"metadata": {"name": name}})
        tx.update("pods", "default", "a", {"metadata": {"name": "a"}, "spec": 1}, expected=tx.revision)
        return [o["metadata"]["resourceVersion"] for o in tx.list("pods", "default")]

    assert store.transact(both) == ["1", "1"]
    changes = store.changes(0, 10)
    assert [(c.revision, c.name, c.old, c.new["spec"] if c.name == "a" else None) for c in changes if c.new] == [
        (1, "a", None, 1),
        (1, "b", None, None),
    ]


def check_failed_transaction_leaves_nothing(store: Store) -> None:
    create(store)
    sample = Sample("n", "default/d", "p", 1, 1, 1)

    def fails(tx: Transaction) -> None:
        tx.create("pods", "default", "b", POD)
        tx.update("pods", "default", "a", {**POD, "spec": 9})
        tx.feed_append("n", 1, "k", b"\x01")
        tx.set_position("n", b"journal1", 0, Position(1, 1))
        tx.add_samples([sample])
        tx.set_meta("m", b"1")
        tx.delete("pods", "default", "a")
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        store.transact(fails)
    assert store.revision() == 1
    assert len(store.changes(0, 10)) == 1
    assert get(store)["spec"] == POD["spec"]  # type: ignore[index]
    assert get(store, "b") is None
    assert store.read(lambda tx: tx.feed_last("n")) is None
    assert store.read(lambda tx: tx.position("n", b"journal1", 0)) is None
    assert store.read(lambda tx: tx.samples("default/d", None, None, None, 10)) == []
    assert store.read(lambda tx: tx.get_meta("m")) is None


def check_group_loses_only_the_function_that_fails(store: Store) -> None:
    def fails(tx: Transaction) -> None:
        tx.create("pods", "default", "bad", POD)
        raise ValueError("on purpose")

    def after(tx: Transaction) -> int:
        assert tx.get("pods", "default", "first") is not None
        tx.create("pods", "default", "last", POD)
        return tx.revision

    outcomes = store.transact_group([lambda tx: tx.create("pods", "default", "first", POD), fails, after])
    assert [type(outcome.error) for outcome in outcomes] == [type(None), ValueError, type(None)]
    assert outcomes[2].result() == 2
    with pytest.raises(ValueError, match="on purpose"):
        outcomes[1].result()
    assert [(c.revision, c.name) for c in store.changes(0, 10)] == [(1, "first"), (2, "last")]


def check_reading_cannot_write(store: Store) -> None:
    create(store)
    for write in (
        lambda tx: tx.create("pods", "default", "b", POD),
        lambda tx: tx.update("pods", "default", "a", {**POD, "spec": 0}),
        lambda tx: tx.delete("pods", "default", "a"),
        lambda tx: tx.feed_append("n", 1, "k", None),
        lambda tx: tx.feed_compact("n", 1),
        lambda tx: tx.feed_remove("n"),
        lambda tx: tx.set_position("n", b"j", 0, Position(0, 0)),
        lambda tx: tx.add_samples([]),
        lambda tx: tx.trim_samples(0, 0),
        lambda tx: tx.set_meta("m", b""),
    ):
        with pytest.raises(MisuseError):
            store.read(write)
    assert store.revision() == 1


# ---- changes
def check_changes_carry_old_and_new(store: Store) -> None:
    create(store)
    store.transact(lambda tx: tx.update("pods", "default", "a", {**POD, "spec": 2}))
    store.transact(lambda tx: tx.delete("pods", "default", "a"))
    rows = [(c.revision, c.old and c.old["spec"], c.new and c.new["spec"]) for c in store.changes(0, 10)]
    assert rows == [(1, None, POD["spec"]), (2, POD["spec"], 2), (3, 2, None)]
    assert [c.revision for c in store.changes(1, 10)] == [2, 3]
    assert store.changes(3, 10) == []
    assert store.changes(99, 10) == []


def check_created_and_deleted_in_one_transaction_is_no_change(store: Store) -> None:
    def both(tx: Transaction) -> None:
        tx.create("pods", "default", "a", POD)
        tx.delete("pods", "default", "a")

    store.transact(both)
    assert store.changes(0, 10) == []
    assert store.revision() == 0


def check_a_page_of_changes_never_splits_a_revision(store: Store) -> None:
    create(store, "first")
    store.transact(lambda tx: [tx.create("pods", "default", name, POD) for name in "abc"])
    assert [c.revision for c in store.changes(0, 1)] == [1]
    assert [c.name for c in store.changes(0, 2)] == ["first", "a", "b", "c"]
    assert [c.name for c in store.changes(1, 1)] == ["a", "b", "c"]


def check_changes_of_chosen_resources(store: Store) -> None:
    create(store)
    store.transact(lambda tx: tx.create("nodes", "", "n", {"metadata": {}}))
    create(store, "b")
    assert [c.name for c in store.changes(0, 10, ["nodes"])] == ["n"]
    assert [c.name for c in store.changes(0, 1, {"pods", "nodes"})] == ["a"]
    assert store.changes(0, 10, []) == []


def check_compaction_forgets_and_says_so(store: Store) -> None:
    for name in "abcd":
        create(store, name)
    store.compact(2)
    assert store.compacted() == 2
    with pytest.raises(Compacted):
        store.changes(1, 10)
    assert [c.name for c in store.changes(2, 10)] == ["c", "d"]
    store.compact(1)
    assert store.compacted() == 2
    store.compact(99)
    assert store.compacted() == 4
    assert store.changes(4, 10) == []
    assert get(store, "a") is not None


def check_surplus_changes_are_forgotten_by_themselves(store: Store) -> None:
    for number in range(130):
        create(store, str(number))
    assert 5 < store.compacted() <= 30
    assert len(store.changes(store.compacted(), 1000)) >= 100
    with pytest.raises(Compacted):
        store.changes(0, 10)


def check_lifted_revision_is_above_all_and_forgets_changes(store: Store) -> None:
    create(store)
    lifted = 1_700_000_000_000 * REVISIONS_PER_MILLISECOND
    store.lift_revision(lifted)
    assert store.revision() == lifted
    with pytest.raises(Compacted):
        store.changes(1, 10)
    assert version(create(store, "b")) == lifted + 1
    store.lift_revision(5)
    assert store.revision() == lifted + 1


def check_subscribers_hear_of_commits_that_changed_objects(store: Store) -> None:
    heard: list[int] = []
    end = store.subscribe(heard.append)
    create(store)
    store.transact(lambda tx: tx.set_meta("m", b"1"))
    store.transact_group([creation(name) for name in "bc"])
    end()
    end()
    create(store, "d")
    assert heard == [1, 3]


def check_a_subscriber_may_read_what_it_is_told_of(store: Store) -> None:
    seen: list[list[str]] = []
    store.subscribe(lambda revision: seen.append([c.name for c in store.changes(revision - 1, 10)]))
    create(store)
    assert seen == [["a"]]


# ---- feeds
def check_feed_entries_are_numbered_and_digested_per_node(store: Store) -> None:
    first = store.transact(lambda tx: tx.feed_append("n", 1, "a/b/c", b"\x01"))
    second = store.transact(lambda tx: tx.feed_append("n", 1, "a/b/c", None))
    other = store.transact(lambda tx: tx.feed_append("m", 2, "d", b"\x02"))
    assert [first.revision, second.revision, other.revision] == [1, 2, 1]
    assert first.digest == entry_digest(1, 1, "a/b/c", b"\x01")
    assert second.digest == entry_digest(2, 1, "a/b/c", None)
    assert store.read(lambda tx: tx.feed_last("n")) == second
    assert store.read(lambda tx: tx.feed_entry("n", 1)) == first
    assert store.read(lambda tx: tx.feed_entry("n", 3)) is None
    assert store.read(lambda tx: tx.feed_last("none")) is None
    assert store.read(lambda tx: tx.feed_since("n", 0, 10)) == [first, second]
    assert store.read(lambda tx: tx.feed_since("n", 0, 1)) == [first]
    assert store.read(lambda tx: tx.feed_since("n", 2, 10)) == []
    assert store.read(lambda tx: tx.feed_since("n", 7, 10)) == []


def feed(store: Store, *rows: tuple[str, bytes | None]) -> None:
    store.transact(lambda tx: [tx.feed_append("n", 1, key, value) for key, value in rows])


def check_feed_snapshot_is_the_newest_of_each_key(store: Store) -> None:
    feed(store, ("a", b"1"), ("b", b"2"), ("a", b"3"), ("c", b"4"), ("b", None))
    store.transact(lambda tx: tx.feed_append("n", 2, "a", b"other kind"))
    snapshot = store.read(lambda tx: tx.feed_snapshot("n"))
    assert [(e.revision, e.kind, e.key, e.value) for e in snapshot] == [
        (3, 1, "a", b"3"),
        (4, 1, "c", b"4"),
        (6, 2, "a", b"other kind"),
    ]


def check_feed_compaction_keeps_snapshot_and_newest(store: Store) -> None:
    feed(store, ("a", b"1"), ("b", b"2"), ("a", b"3"), ("b", None), ("c", b"5"), ("c", b"6"))
    before = store.read(lambda tx: tx.feed_snapshot("n"))
    store.transact(lambda tx: tx.feed_compact("n", 2))
    assert store.read(lambda tx: tx.feed_snapshot("n")) == before
    assert [e.revision for e in store.read(lambda tx: tx.feed_since("n", 4, 10))] == [5, 6]
    with pytest.raises(Compacted):
        store.read(lambda tx: tx.feed_since("n", 0, 10))
    with pytest.raises(Compacted):
        store.read(lambda tx: tx.feed_since("n", 3, 10))
    assert store.read(lambda tx: tx.feed_entry("n", 4)) is None
    assert store.read(lambda tx: tx.feed_entry("n", 3)) is not None


def check_feed_compaction_keeps_the_last_entry_even_a_deletion(store: Store) -> None:
    feed(store, ("a", b"1"), ("a", None))
    store.transact(lambda tx: tx.feed_compact("n", 0))
    store.transact(lambda tx: tx.feed_compact("none", 0))
    last = store.read(lambda tx: tx.feed_last("n"))
    assert last is not None
    assert (last.revision, last.value) == (2, None)
    assert store.transact(lambda tx: tx.feed_append("n", 1, "a", b"3")).revision == 3


def check_feed_removed_starts_again(store: Store) -> None:
    feed(store, ("a", b"1"), ("a", b"2"))
    store.transact(lambda tx: tx.feed_remove("n"))
    assert store.read(lambda tx: tx.feed_snapshot("n")) == []
    feed(store, ("a", b"3"))
    assert [e.revision for e in store.read(lambda tx: tx.feed_since("n", 0, 10))] == [1]


# ---- positions, facts
def check_positions_are_kept_per_node_journal_and_lane(store: Store) -> None:
    store.transact(lambda tx: tx.set_position("n", b"journal1", 0, Position(2, 7)))
    store.transact(lambda tx: tx.set_position("n", b"journal1", 0, Position(3, 1)))
    store.transact(lambda tx: tx.set_position("n", b"journal2", 0, Position(1, 1)))

    def position(node: str, journal: bytes, lane: int) -> Position | None:
        return store.read(lambda tx: tx.position(node, journal, lane))

    assert position("n", b"journal1", 0) == Position(3, 1)
    assert position("n", b"journal2", 0) == Position(1, 1)
    assert position("n", b"journal1", 1) is None
    assert position("m", b"journal1", 0) is None


def check_meta_is_set_replaced_and_removed(store: Store) -> None:
    assert store.read(lambda tx: tx.get_meta("epoch")) is None

    def kept(value: bytes) -> bytes | None:
        store.transact(lambda tx: tx.set_meta("epoch", value))
        return store.read(lambda tx: tx.get_meta("epoch"))

    assert [kept(value) for value in (b"1", b"\x00\xff", b"")] == [b"1", b"\x00\xff", b""]
    store.transact(lambda tx: tx.set_meta("epoch", None))
    assert store.read(lambda tx: tx.get_meta("epoch")) is None


# ---- telemetry
def sample(time_ms: int, value: Any, property: str = "p", device: str = "default/d") -> Sample:
    return Sample("n", device, property, time_ms, value, time_ms % 2)


def check_samples_keep_their_types(store: Store) -> None:
    values = [True, False, 1, -(2**63), 2**64 - 1, -(2**64), 1.5, float("inf"), "text", "", b"\x00bytes", b"", 0, 1.0]
    store.transact(lambda tx: tx.add_samples([sample(n, value) for n, value in enumerate(values)]))
    found = [s.value for s in store.read(lambda tx: tx.samples("default/d", "p", None, None, 100))]
    assert [(type(value), value) for value in found] == [(type(value), value) for value in values]


def check_a_sample_that_is_not_a_number_is_kept_as_such(store: Store) -> None:
    store.transact(lambda tx: tx.add_samples([sample(1, float("nan"))]))
    (found,) = store.read(lambda tx: tx.samples("default/d", "p", None, None, 100))
    assert found.value != found.value


def check_samples_are_found_by_device_property_and_time(store: Store) -> None:
    rows = [sample(5, 5), sample(3, 3), sample(4, 4, "q"), sample(1, 1), sample(2, 2, "p", "default/other")]
    store.transact(lambda tx: tx.add_samples(rows))

    def times(*query: Any) -> list[int]:
        return [s.time_ms for s in store.read(lambda tx: tx.samples("default/d", *query))]

    assert times(None, None, None, 10) == [1, 3, 4, 5]
    assert times("p", None, None, 10) == [1, 3, 5]
    assert times(None, 3, 4, 10) == [3, 4]
    assert times(None, None, None, 2) == [4, 5]
    assert times("none", None, None, 10) == []
    assert times(None, None, None, 0) == []


def check_samples_of_one_time_keep_their_order(store: Store) -> None:
    store.transact(lambda tx: tx.add_samples([sample(1, n) for n in range(5)]))
    assert [s.value for s in store.read(lambda tx: tx.samples("default/d", "p", None, None, 3))] == [2, 3, 4]


def check_trim_removes_old_then_oldest(store: Store) -> None:
    store.transact(lambda tx: tx.add_samples([sample(n, n) for n in (9, 8, 7, 6, 5, 4, 3, 2, 1, 0)]))
    assert store.transact(lambda tx: tx.trim_samples(2, 5)) == 5
    assert [s.time_ms for s in store.read(lambda tx: tx.samples("default/d", "p", None, None, 100))] == [5, 6, 7, 8, 9]
    assert store.transact(lambda tx: tx.trim_samples(0, 5)) == 0
    assert store.transact(lambda tx: tx.trim_samples(0, 0)) == 5
