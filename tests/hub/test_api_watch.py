"""Watches over HTTP: what is sent first, what follows, bookmarks, and what becomes of those that fell behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from edgelite_hub.api import watches
from edgelite_hub.store.contract import Transaction
from edgelite_hub.store.memory import MemoryStore
from tests.hub.api_server import Api, config_map, pod, serving

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as made:
        yield made


def revision(api: Api) -> str:
    return str(api.hub.store.revision())


def test_without_a_version_what_is_there_comes_first(api: Api) -> None:
    for name in "ba":
        api.post(MAPS, config_map(name))
    with api.watch(f"{MAPS}?watch=true") as events:
        assert events.names(2) == [("ADDED", "a"), ("ADDED", "b")]
        api.post(MAPS, config_map("c"))
        api.patch(f"{MAPS}/c", {"data": {"x": "y"}})
        api.delete(f"{MAPS}/c")
        assert events.names(3) == [("ADDED", "c"), ("MODIFIED", "c"), ("DELETED", "c")]


def test_version_zero_is_as_good_as_none(api: Api) -> None:
    api.post(MAPS, config_map("a"))
    with api.watch(f"{MAPS}?watch=1&resourceVersion=0") as events:
        assert events.names(1) == [("ADDED", "a")]


def test_from_a_version_every_change_comes_once_in_order(api: Api) -> None:
    api.post(MAPS, config_map("a"))
    start = revision(api)
    for name in "bcd":
        api.post(MAPS, config_map(name))
    with api.watch(f"{MAPS}?watch=1&resourceVersion={start}") as events:
        for name in "ef":
            api.post(MAPS, config_map(name))
        received = [events.next()[1]["metadata"] for _ in range(5)]
    assert [one["name"] for one in received] == ["b", "c", "d", "e", "f"]
    versions = [int(one["resourceVersion"]) for one in received]
    assert versions == sorted(set(versions))


def test_deleted_object_carries_the_deletions_version(api: Api) -> None:
    created = int(api.post(MAPS, config_map("a")).json["metadata"]["resourceVersion"])
    with api.watch(f"{MAPS}?watch=1&resourceVersion={created}") as events:
        api.delete(f"{MAPS}/a")
        kind, value = events.next()
    assert kind == "DELETED"
    assert int(value["metadata"]["resourceVersion"]) > created


def test_a_watch_sees_its_namespace_and_kind_only(api: Api) -> None:
    api.post("/api/v1/namespaces", {"metadata": {"name": "lab"}})
    start = revision(api)
    with (
        api.watch(f"{MAPS}?watch=1&resourceVersion={start}") as inside,
        api.watch(f"/api/v1/configmaps?watch=1&resourceVersion={start}") as everywhere,
    ):
        api.post("/api/v1/namespaces/lab/configmaps", config_map("far"))
        api.post(PODS, pod("pod"))
        api.post(MAPS, config_map("near"))
        assert inside.names(1) == [("ADDED", "near")]
        assert everywhere.names(2) == [("ADDED", "far"), ("ADDED", "near")]


def test_selector_turns_changes_into_arrivals_and_departures(api: Api) -> None:
    api.post(PODS, pod("a"))
    with api.watch(f"{PODS}?watch=1&resourceVersion={revision(api)}&labelSelector=on") as events:
        for labels in ({"on": "1"}, {"on": "2"}, {"on": None}, {"x": "1"}, {"on": "3"}):
            api.patch(f"{PODS}/a", {"metadata": {"labels": labels}})
        api.delete(f"{PODS}/a")
        kinds = [events.next()[0] for _ in range(5)]
    assert kinds == ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]


def test_replaced_object_of_the_same_name_goes_and_comes(api: Api) -> None:
    api.post(MAPS, config_map("a"))

    def replace(tx: Transaction) -> None:
        value = tx.delete("configmaps", "default", "a")
        value["metadata"]["uid"] = "another"
        tx.create("configmaps", "default", "a", value)

    with api.watch(f"{MAPS}?watch=1&resourceVersion={revision(api)}") as events:
        api.hub.store.transact(replace)
        assert events.names(2) == [("DELETED", "a"), ("ADDED", "a")]


def test_timeout_ends_the_watch_with_a_bookmark(api: Api) -> None:
    api.post(MAPS, config_map("a"))
    start = revision(api)
    api.post(PODS, pod("elsewhere"))
    began = time.monotonic()
    query = f"watch=1&resourceVersion={start}&timeoutSeconds=1&allowWatchBookmarks=true"
    with api.watch(f"{MAPS}?{query}") as events:
        kind, value = events.next()
        assert events.ended()
    assert 0.9 < time.monotonic() - began < 5
    assert kind == "BOOKMARK"
    assert (value["kind"], value["apiVersion"]) == ("ConfigMap", "v1")
    assert value["metadata"]["resourceVersion"] == revision(api)


def test_bookmarks_come_while_nothing_happens(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "BOOKMARK_INTERVAL_S", 0.05)
    with api.watch(f"{MAPS}?watch=1&resourceVersion=1&allowWatchBookmarks=true") as events:
        assert [events.next()[0] for _ in range(2)] == ["BOOKMARK", "BOOKMARK"]


def test_without_leave_no_bookmarks(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "BOOKMARK_INTERVAL_S", 0.02)
    api.post(MAPS, config_map("a"))
    with api.watch(f"{MAPS}?watch=1&resourceVersion={revision(api)}&timeoutSeconds=1") as events:
        assert events.ended()


def test_compacted_version_is_an_error_event_with_410(api: Api) -> None:
    for name in "abc":
        api.post(MAPS, config_map(name))
    api.hub.store.compact(3)
    with api.watch(f"{MAPS}?watch=1&resourceVersion=1") as events:
        kind, status = events.next()
        assert events.ended()
    assert (kind, status["kind"], status["code"], status["reason"]) == ("ERROR", "Status", 410, "Expired")


def test_compacted_version_at_the_newest_revision_is_fine(api: Api) -> None:
    api.post(MAPS, config_map("a"))
    api.hub.store.compact(api.hub.store.revision())
    with api.watch(f"{MAPS}?watch=1&resourceVersion={revision(api)}") as events:
        api.post(MAPS, config_map("b"))
        assert events.names(1) == [("ADDED", "b")]


def test_a_restored_store_sends_every_watch_back_to_the_list() -> None:
    store = MemoryStore()
    with serving(store) as api:
        api.post(MAPS, config_map("a"))
        before = revision(api)
        store.lift_revision(1_000_000)
        with api.watch(f"{MAPS}?watch=1&resourceVersion={before}") as events:
            assert events.next()[1]["code"] == 410


def test_a_version_from_the_future_is_a_timeout(api: Api) -> None:
    answer = api.get(f"{MAPS}?watch=1&resourceVersion=999999")
    assert (answer.code, answer.json["reason"]) == (504, "Timeout")
    assert answer.causes == [("", "ResourceVersionTooLarge")]


def test_initial_events_end_with_an_annotated_bookmark(api: Api) -> None:
    api.post(MAPS, config_map("a"))
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    with api.watch(f"{MAPS}?{query}") as events:
        assert events.names(1) == [("ADDED", "a")]
        kind, value = events.next()
        assert kind == "BOOKMARK"
        assert value["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert value["metadata"]["resourceVersion"] == revision(api)
        api.post(MAPS, config_map("b"))
        assert events.names(1) == [("ADDED", "b")]


def test_initial_events_without_their_match_are_refused(api: Api) -> None:
    answer = api.get(f"{MAPS}?watch=1&sendInitialEvents=true")
    assert (answer.code, answer.causes) == (422, [("sendInitialEvents", "FieldValueInvalid")])


def test_table_watch_sends_rows(api: Api) -> None:
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    api.post(PODS, pod("a"))
    with api.open("GET", f"{PODS}?watch=1", Accept=accept) as response:
        kind, table = _first(response.readline())
    assert (kind, table["kind"], table["rows"][0]["cells"][0]) == ("ADDED", "Table", "a")


def _first(line: bytes) -> tuple[str, Any]:
    import json

    event = json.loads(line)
    return event["type"], event["object"]


def test_too_many_watches_are_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "WATCHES_MAX", 1)
    api.post(MAPS, config_map("a"))
    with api.watch(f"{MAPS}?watch=1") as events:
        events.next()
        answer = api.get(f"{MAPS}?watch=1")
        assert (answer.code, answer.json["reason"]) == (429, "TooManyRequests")
    for _ in range(100):  # the server notices the end of the first one a moment later
        if api.app.state.watches._open == 0:
            break
        time.sleep(0.02)
    with api.watch(f"{MAPS}?watch=1") as events:
        assert events.names(1) == [("ADDED", "a")]


def test_closing_ends_all_watches(api: Api) -> None:
    api.post(MAPS, config_map("a"))
    with api.watch(f"{MAPS}?watch=1") as events:
        events.next()
        api.app.state.watches.close()
        assert events.ended()
    with api.watch(f"{MAPS}?watch=1") as events:
        assert events.names(1) == [("ADDED", "a")]
        assert events.ended()


def test_many_changes_between_two_reads_all_come(api: Api) -> None:
    api.post(MAPS, config_map("a"))
    start = revision(api)
    count = watches.CHANGES_A_READ + 50

    def many(tx: Transaction) -> None:
        value = tx.get("configmaps", "default", "a")
        assert value is not None
        for number in range(count):
            name = f"m{number:04}"
            tx.create("configmaps", "default", name, {**value, "metadata": {**value["metadata"], "name": name}})

    with api.watch(f"{MAPS}?watch=1&resourceVersion={start}") as events:
        api.hub.store.transact(many)
        api.post(MAPS, config_map("zz"))
        received = [name for _, name in events.names(count + 1)]
    assert received == [f"m{number:04}" for number in range(count)] + ["zz"]
