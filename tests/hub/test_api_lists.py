"""Lists: selected, paged, of a past revision, and as tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from edgelite_hub.api import lists
from edgelite_hub.kinds import default_registry
from tests.hub.api_server import MAPS, PODS, Api, bound_pod, config_map, names, pod, serving


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as made:
        yield made


def test_lists_are_selected_by_labels_and_fields(api: Api) -> None:
    api.post(PODS, pod("a", nodeName="n1"))
    api.post(PODS, pod("b", nodeName="n2"))
    api.post("/api/v1/namespaces", {"metadata": {"name": "lab"}})
    api.post("/api/v1/namespaces/lab/pods", pod("c", nodeName="n1"))
    everywhere = "/api/v1/pods"
    assert names(api.get(everywhere)) == ["a", "b", "c"]
    assert names(api.get(PODS)) == ["a", "b"]
    for query, found in (
        ("labelSelector=app%3Da", ["a"]),
        ("labelSelector=app!%3Da", ["b", "c"]),
        ("labelSelector=app+in+(a,c),app", ["a", "c"]),
        ("labelSelector=!app", []),
        ("fieldSelector=spec.nodeName%3Dn1", ["a", "c"]),
        ("fieldSelector=spec.nodeName!%3Dn1", ["b"]),
        ("fieldSelector=metadata.namespace%3Dlab", ["c"]),
        ("fieldSelector=status.phase%3DPending,metadata.name%3Db", ["b"]),
        ("fieldSelector=status.phase%3DRunning", []),
    ):
        assert names(api.get(f"{everywhere}?{query}")) == found, query


def test_pages_belong_to_one_revision(api: Api) -> None:
    for name in "abcde":
        api.post(MAPS, config_map(name, v="old"))
    first = api.get(f"{MAPS}?limit=2")
    api.delete(f"{MAPS}/c")
    api.post(MAPS, config_map("cc"))
    api.patch(f"{MAPS}/d", {"data": {"v": "new"}})
    second = api.get(f"{MAPS}?limit=2&continue={first.json['metadata']['continue']}")
    third = api.get(f"{MAPS}?limit=2&continue={second.json['metadata']['continue']}")
    assert [names(page) for page in (first, second, third)] == [["a", "b"], ["c", "d"], ["e"]]
    assert second.json["items"][1]["data"] == {"v": "old"}
    assert {page.json["metadata"]["resourceVersion"] for page in (first, second, third)} == {"6"}
    assert "continue" not in third.json["metadata"]


def test_an_expired_page_is_gone(api: Api) -> None:
    for name in "abc":
        api.post(MAPS, config_map(name))
    token = api.get(f"{MAPS}?limit=1").json["metadata"]["continue"]
    api.delete(f"{MAPS}/c")
    api.hub.store.compact(api.hub.store.revision())
    answer = api.get(f"{MAPS}?limit=1&continue={token}")
    assert (answer.code, answer.json["reason"]) == (410, "Expired")


def test_a_page_behind_too_many_changes_is_gone_too(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "REVERTED_MAX", 3)
    for name in "abc":
        api.post(MAPS, config_map(name))
    token = api.get(f"{MAPS}?limit=1").json["metadata"]["continue"]
    for number in range(3):
        assert names(api.get(f"{MAPS}?limit=1&continue={token}")) == ["b"]
        api.patch(f"{MAPS}/c", {"data": {"n": str(number)}})
    assert api.get(f"{MAPS}?limit=1&continue={token}").code == 410


def test_exact_revision_lists_the_past(api: Api) -> None:
    api.post(MAPS, config_map("a"))
    revision = api.get(MAPS).json["metadata"]["resourceVersion"]
    api.post(MAPS, config_map("b"))
    exact = f"{MAPS}?resourceVersion={revision}&resourceVersionMatch=Exact"
    assert names(api.get(exact)) == ["a"]
    assert names(api.get(f"{MAPS}?resourceVersion={revision}")) == ["a", "b"]
    assert names(api.get(f"{MAPS}?resourceVersion=0")) == ["a", "b"]


TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


def test_table_for_a_list_and_an_object(api: Api) -> None:
    bound_pod(api)
    table = api.get(PODS, Accept=TABLE).json
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [c["name"] for c in table["columnDefinitions"]][:5] == ["Name", "Ready", "Status", "Restarts", "Age"]
    assert table["rows"][0]["cells"][:4] == ["a", "0/1", "Pending", "0"]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert "object" not in api.get(f"{PODS}?includeObject=None", Accept=TABLE).json["rows"][0]
    api.delete(f"{PODS}/a")
    assert api.get(f"{PODS}/a?includeObject=Object", Accept=TABLE).json["rows"][0]["cells"][2] == "Terminating"
    assert api.get(PODS, Accept="application/json").json["kind"] == "PodList"


def test_every_kind_has_a_table_for_an_object_that_says_little(api: Api) -> None:
    for kind in api.hub.registry:
        cells = [column.cell({"metadata": {"name": "x"}, "spec": _SMALLEST.get(kind.kind, {})}, 0)
                 for column in kind.columns]  # fmt: skip
        assert len(cells) == len(kind.columns)


def test_a_device_shows_at_a_glance_what_is_wrong_with_it() -> None:
    kind = default_registry()["devices.devices.kubeedge.io"]
    twins = [{"propertyName": name, "reported": {"metadata": {"quality": quality}}}
             for name, quality in (("power", "good"), ("energy", "bad"), ("no-longer-there", "good"))]  # fmt: skip
    online = {"type": "Online", "status": "False", "reason": "Offline", "message": "no answer within 1000 ms"}
    status = {"state": "offline", "lastOnlineTime": "1970-01-01T00:00:10Z", "twins": twins, "conditions": [online]}
    spec = {"deviceModelRef": {"name": "m"}, "nodeName": "n1", "properties": [{"name": "power"}, {"name": "energy"}]}
    value: dict[str, Any] = {"metadata": {"name": "x"}, "spec": spec, "status": status}

    def shown() -> dict[str, Any]:
        return {column.name: column.cell(value, 40_000) for column in kind.columns}

    assert {**shown(), "Age": ""} == {
        "Name": "x", "Model": "m", "Node": "n1", "State": "offline", "Twins": "1/2", "Last Online": "30s ago",
        "Age": "", "Reason": "no answer within 1000 ms",
    }  # fmt: skip
    missing = {"type": "Compiled", "status": "False", "reason": "DeviceModelNotFound", "message": "no DeviceModel m"}
    value["status"] = {"conditions": [missing]}
    assert shown() | {"Age": ""} == {
        "Name": "x", "Model": "m", "Node": "n1", "State": "DeviceModelNotFound", "Twins": "0/2",
        "Last Online": "<never>", "Age": "", "Reason": "no DeviceModel m",
    }  # fmt: skip


_SMALLEST: dict[str, Any] = {
    "Pod": {"containers": [{"image": "host"}]},
    "DaemonSet": {"template": {"spec": {}}},
    "Device": {"deviceModelRef": {"name": "m"}},
}
