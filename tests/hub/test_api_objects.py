"""The writing and reading verbs over HTTP: what is stored, what conflicts, what a deletion waits for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from edgelite_hub.model.objects import parse_rfc3339
from edgelite_hub.model.strategy import Operation
from edgelite_hub.model.verbs import Verbs
from edgelite_hub.security.authz import NODE, Subject
from edgelite_hub.store.contract import Transaction
from tests.hub.api_server import MAPS, NODES, PODS, SECRETS, SETS, Api, bound_pod, config_map, names, node, pod, serving


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as made:
        yield made


# ---- create
def test_created_pod_has_what_the_server_adds(api: Api) -> None:
    created = api.post(PODS, {**pod(), "status": {"phase": "Running"}}).json
    metadata = created["metadata"]
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", metadata["uid"])
    assert abs(parse_rfc3339(metadata["creationTimestamp"]) - api.hub.now_ms()) < 10_000
    assert (metadata["namespace"], metadata["generation"]) == ("default", 1)
    assert created["spec"]["restartPolicy"] == "Always"
    assert created["spec"]["terminationGracePeriodSeconds"] == 30
    assert created["status"] == {"phase": "Pending"}
    assert api.get(f"{PODS}/a").json == created


def test_what_only_the_server_sets_is_not_taken_from_a_client(api: Api) -> None:
    given = {"uid": "mine", "generation": 9, "creationTimestamp": "2000-01-01T00:00:00Z", "selfLink": "/x",
             "deletionTimestamp": "2000-01-01T00:00:00Z", "managedFields": [{"manager": "x"}]}  # fmt: skip
    metadata = api.post(MAPS, {**config_map(), "metadata": {"name": "a", **given}}).json["metadata"]
    assert metadata["uid"] != "mine"
    assert metadata.keys() == {"name", "namespace", "uid", "creationTimestamp", "resourceVersion"}


def test_generate_name_makes_names(api: Api) -> None:
    body = {**config_map(), "metadata": {"generateName": "job-"}}
    made = {api.post(MAPS, body).json["metadata"]["name"] for _ in range(3)}
    assert len(made) == 3
    assert all(re.fullmatch(r"job-[b-z2-9]{5}", name) for name in made)


def test_create_twice_is_already_exists(api: Api) -> None:
    api.post(MAPS, config_map(a="1"))
    answer = api.post(MAPS, config_map(a="2"))
    assert (answer.code, answer.json["reason"]) == (409, "AlreadyExists")
    assert answer.json["message"] == 'configmaps "a" already exists'
    assert answer.json["details"] == {"name": "a", "kind": "configmaps"}
    assert api.get(f"{MAPS}/a").json["data"] == {"a": "1"}


def test_dry_run_answers_and_stores_nothing(api: Api) -> None:
    assert api.post(f"{MAPS}?dryRun=All", config_map()).code == 201
    assert api.get(f"{MAPS}/a").code == 404


def test_typed_clients_may_leave_kind_out(api: Api) -> None:
    created = api.post(MAPS, {"metadata": {"name": "a"}}).json
    assert (created["apiVersion"], created["kind"]) == ("v1", "ConfigMap")


def test_secret_text_is_folded_into_data(api: Api) -> None:
    body = {"metadata": {"name": "s"}, "data": {"a": "YQ==", "b": "YQ=="}, "stringData": {"b": "é"}}
    created = api.post(SECRETS, body).json
    assert created["data"] == {"a": "YQ==", "b": "w6k="}
    assert "stringData" not in created
    assert created["type"] == "Opaque"


def test_default_namespace_is_there_and_stays(api: Api) -> None:
    assert names(api.get("/api/v1/namespaces")) == ["default"]
    answer = api.delete("/api/v1/namespaces/default")
    assert (answer.code, answer.json["reason"]) == (403, "Forbidden")


def test_namespace_with_objects_in_it_stays(api: Api) -> None:
    assert api.post("/api/v1/namespaces", {"metadata": {"name": "lab"}}).json["status"] == {"phase": "Active"}
    assert api.post("/api/v1/namespaces/lab/configmaps", config_map()).code == 201
    answer = api.delete("/api/v1/namespaces/lab")
    assert (answer.code, answer.json["reason"]) == (409, "Conflict")
    assert "configmaps" in answer.json["message"]
    api.delete("/api/v1/namespaces/lab/configmaps/a")
    assert api.delete("/api/v1/namespaces/lab").code == 200


# ---- update
def test_replace_with_stale_version_conflicts(api: Api) -> None:
    first = api.post(MAPS, config_map(a="1")).json
    second = api.put(f"{MAPS}/a", {**first, "data": {"a": "2"}}).json
    answer = api.put(f"{MAPS}/a", {**first, "data": {"a": "3"}})
    assert (answer.code, answer.json["reason"]) == (409, "Conflict")
    assert "please apply your changes to the latest version" in answer.json["message"]
    assert api.get(f"{MAPS}/a").json == second
    unconditional = {**config_map(a="4")}
    assert api.put(f"{MAPS}/a", unconditional).json["data"] == {"a": "4"}


def test_generation_counts_changes_of_what_is_desired(api: Api) -> None:
    created = bound_pod(api)
    metadata = {**created["metadata"], "labels": {"x": "y"}}
    relabelled = api.put(f"{PODS}/a", {**created, "metadata": metadata}).json
    assert relabelled["metadata"]["generation"] == 1
    changed = api.patch(f"{PODS}/a", [{"op": "replace", "path": "/spec/containers/0/image", "value": "app:2"}],
                        "json-patch").json  # fmt: skip
    assert changed["metadata"]["generation"] == 2
    status = api.patch(f"{PODS}/a/status", {"status": {"phase": "Running"}}).json
    assert (status["metadata"]["generation"], status["status"]["phase"]) == (2, "Running")


def test_a_version_that_is_none_is_refused(api: Api) -> None:
    created = api.post(MAPS, config_map()).json
    answer = api.put(f"{MAPS}/a", {**created, "metadata": {**created["metadata"], "resourceVersion": "newest"}})
    assert (answer.code, answer.json["reason"]) == (400, "BadRequest")


def test_replace_without_a_difference_changes_nothing(api: Api) -> None:
    created = api.post(MAPS, config_map(a="1")).json
    assert api.put(f"{MAPS}/a", created).json == created


def test_identity_cannot_be_changed(api: Api) -> None:
    created = api.post(MAPS, config_map()).json
    other = {**created, "metadata": {**created["metadata"], "uid": "another"}}
    assert api.put(f"{MAPS}/a", other).json["reason"] == "Conflict"
    assert api.put(f"{MAPS}/a", config_map("b")).code == 400
    assert api.patch(f"{MAPS}/a", {"metadata": {"name": "b"}}).code == 400


def test_most_of_a_pod_is_fixed(api: Api) -> None:
    bound_pod(api)
    for patch, field in (
        ({"spec": {"restartPolicy": "Never"}}, "spec"),
        ({"spec": {"terminationGracePeriodSeconds": 1}}, "spec"),
        ({"spec": {"containers": [{"name": "main", "image": "host", "command": ["/bin/false"]}]}}, "spec"),
        ({"spec": {"nodeName": "n2"}}, "spec.nodeName"),
    ):
        answer = api.patch(f"{PODS}/a", patch)
        assert (answer.code, answer.causes) == (422, [(field, "FieldValueForbidden")]), patch


def test_an_unbound_pod_may_be_bound_once(api: Api) -> None:
    api.post(PODS, pod())
    assert api.patch(f"{PODS}/a", {"spec": {"nodeName": "n1"}}).json["spec"]["nodeName"] == "n1"
    assert api.patch(f"{PODS}/a", {"spec": {"nodeName": None}}).code == 422


def test_status_and_spec_are_written_apart(api: Api) -> None:
    created = bound_pod(api)
    status = {"phase": "Running", "hostIP": "10.0.0.1"}
    both = {**created, "spec": {**created["spec"], "nodeName": "n9"}, "status": status}
    answered = api.put(f"{PODS}/a/status", both).json
    assert answered["status"] == status
    assert answered["spec"]["nodeName"] == "n1"
    body = {**answered, "status": {"phase": "Failed"}, "metadata": {**answered["metadata"], "labels": {"l": "1"}}}
    replaced = api.put(f"{PODS}/a", body).json
    assert replaced["status"] == status
    assert replaced["metadata"]["labels"] == {"l": "1"}
    assert api.get(f"{PODS}/a/status").json == replaced
    assert api.put(f"{PODS}/a/status", created).json["reason"] == "Conflict"


def test_immutable_config_map_and_secret_type(api: Api) -> None:
    api.post(MAPS, {**config_map(a="1"), "immutable": True})
    assert api.patch(f"{MAPS}/a", {"data": {"a": "2"}}).causes == [("data", "FieldValueForbidden")]
    assert api.patch(f"{MAPS}/a", {"immutable": False}).causes == [("immutable", "FieldValueForbidden")]
    assert api.patch(f"{MAPS}/a", {"metadata": {"labels": {"a": "b"}}}).code == 200
    api.post(SECRETS, {"metadata": {"name": "s"}})
    assert api.patch(f"{SECRETS}/s", {"type": "tls"}).causes == [("type", "FieldValueInvalid")]


def test_merge_patch_changes_and_removes(api: Api) -> None:
    api.post(MAPS, config_map(a="1", b="2"))
    patched = api.patch(f"{MAPS}/a", {"data": {"a": None, "c": "3"}, "metadata": {"labels": {"x": "y"}}}).json
    assert patched["data"] == {"b": "2", "c": "3"}
    assert patched["metadata"]["labels"] == {"x": "y"}


def test_patch_with_a_stale_version_conflicts(api: Api) -> None:
    created = api.post(MAPS, config_map(a="1")).json
    api.patch(f"{MAPS}/a", {"data": {"a": "2"}})
    stale = {"metadata": {"resourceVersion": created["metadata"]["resourceVersion"]}, "data": {"a": "3"}}
    assert api.patch(f"{MAPS}/a", stale).json["reason"] == "Conflict"


def test_patch_that_makes_the_object_invalid_is_refused(api: Api) -> None:
    api.post(MAPS, config_map(a="1"))
    assert api.patch(f"{MAPS}/a", {"data": {"a": 1}}).causes == [("data[a]", "FieldValueTypeInvalid")]
    assert api.patch(f"{MAPS}/a?fieldValidation=Strict", {"colour": 1}).code == 400
    assert api.patch(f"{MAPS}/a", {"kind": "Pod"}).code == 400
    misfit = [{"op": "remove", "path": "/data/none"}]
    assert api.patch(f"{MAPS}/a", misfit, "json-patch").json["reason"] == "Invalid"


def test_strategic_merge_finds_containers_by_name(api: Api) -> None:
    bound_pod(api)
    patch = {"spec": {"containers": [{"name": "main", "image": "app:2"}]}}
    patched = api.patch(f"{PODS}/a", patch, "strategic-merge-patch").json
    assert patched["spec"]["containers"] == [{"name": "main", "image": "app:2", "command": ["/bin/true"]}]


# ---- delete
def test_deleted_config_map_is_gone_and_answered_with_success(api: Api) -> None:
    uid = api.post(MAPS, config_map()).json["metadata"]["uid"]
    answer = api.delete(f"{MAPS}/a", {"propagationPolicy": "Background"})
    assert answer.json["status"] == "Success"
    assert answer.json["details"] == {"name": "a", "kind": "configmaps", "uid": uid}
    assert api.get(f"{MAPS}/a").code == 404


def test_unbound_pod_vanishes_at_once(api: Api) -> None:
    api.post(PODS, pod())
    assert api.delete(f"{PODS}/a").json["metadata"]["name"] == "a"
    assert api.get(f"{PODS}/a").code == 404


def test_pod_of_a_node_that_is_not_there_vanishes_at_once(api: Api) -> None:
    api.post(PODS, pod(nodeName="ghost"))
    api.delete(f"{PODS}/a")
    assert api.get(f"{PODS}/a").code == 404


def confirm_gone(api: Api, name: str, uid: str) -> bool:
    """What the hub does when a node reports a workload gone."""
    kind = api.hub.registry["pods"]

    def run(tx: Transaction) -> bool:
        operation = Operation(tx, Subject(NODE, "n1"), api.hub.now_ms())
        return Verbs(api.hub.registry).confirm_gone(kind, operation, "default", name, uid)

    return api.hub.store.transact(run)


def test_bound_pod_is_terminating_until_its_node_confirms(api: Api) -> None:
    uid = bound_pod(api, terminationGracePeriodSeconds=7)["metadata"]["uid"]
    assert not confirm_gone(api, "a", uid), "nobody has deleted it"
    metadata = api.delete(f"{PODS}/a").json["metadata"]
    assert metadata["deletionGracePeriodSeconds"] == 7
    assert metadata["generation"] == 2
    assert 5_000 <= parse_rfc3339(metadata["deletionTimestamp"]) - api.hub.now_ms() <= 7_000
    assert api.delete(f"{PODS}/a").json["metadata"] == metadata, "asking again changes nothing"
    shorter = api.delete(f"{PODS}/a", {"gracePeriodSeconds": 2}).json["metadata"]
    assert shorter["deletionGracePeriodSeconds"] == 2
    assert confirm_gone(api, "none", uid) is not True or api.get(f"{PODS}/a").code == 200
    assert confirm_gone(api, "a", "another uid") and api.get(f"{PODS}/a").code == 200
    assert confirm_gone(api, "a", uid)
    assert api.get(f"{PODS}/a").code == 404


def test_forced_deletion_does_not_wait_for_the_node(api: Api) -> None:
    bound_pod(api)
    api.delete(f"{PODS}/a")
    assert api.get(f"{PODS}/a").code == 200
    api.delete(f"{PODS}/a", {"gracePeriodSeconds": 0})
    assert api.get(f"{PODS}/a").code == 404


def test_finalizers_hold_an_object(api: Api) -> None:
    body = config_map()
    body["metadata"]["finalizers"] = ["example.com/keep", "example.com/too"]
    api.post(MAPS, body)
    held = api.delete(f"{MAPS}/a").json
    assert held["metadata"]["deletionTimestamp"]
    added = {"metadata": {"finalizers": ["example.com/keep", "example.com/new"]}}
    assert api.patch(f"{MAPS}/a", added).json["metadata"]["finalizers"] == ["example.com/keep"]
    assert api.patch(f"{MAPS}/a", {"metadata": {"finalizers": None}}).code == 200
    assert api.get(f"{MAPS}/a").code == 404


def test_preconditions_of_a_deletion(api: Api) -> None:
    metadata = api.post(MAPS, config_map()).json["metadata"]
    for wrong in ({"uid": "another"}, {"resourceVersion": "1"}):
        assert api.delete(f"{MAPS}/a", {"preconditions": wrong}).json["reason"] == "Conflict"
    right = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
    assert api.delete(f"{MAPS}/a", {"preconditions": right}).code == 200


def daemon_set(api: Api) -> dict[str, Any]:
    body = {
        "metadata": {"name": "d"},
        "spec": {
            "selector": {"matchLabels": {"app": "d"}},
            "template": {"metadata": {"labels": {"app": "d"}}, "spec": pod()["spec"]},
        },
    }
    answer = api.post(SETS, body)
    assert answer.code == 201, answer.text
    created: dict[str, Any] = answer.json
    return created


def owned_pod(api: Api, name: str, owner: dict[str, Any], **spec: Any) -> None:
    reference = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": owner["metadata"]["uid"]}
    body = pod(name, **spec)
    body["metadata"]["ownerReferences"] = [reference]
    assert api.post(PODS, body).code == 201


def test_daemon_set_has_the_counts_that_clients_require(api: Api) -> None:
    status = daemon_set(api)["status"]
    counts = ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady")
    assert status == dict.fromkeys(counts, 0)


def test_deleted_daemon_set_takes_its_pods_along(api: Api) -> None:
    owner = daemon_set(api)
    api.post(NODES, node())
    owned_pod(api, "waits", owner, nodeName="n1")
    owned_pod(api, "goes", owner)
    api.post(PODS, pod("other"))
    api.delete(f"{SETS}/d")
    assert names(api.get(PODS)) == ["other", "waits"]
    assert api.get(f"{PODS}/waits").json["metadata"]["deletionTimestamp"]


def test_orphaned_pods_stay_without_their_owner(api: Api) -> None:
    owned_pod(api, "a", daemon_set(api))
    api.delete(f"{SETS}/d", {"propagationPolicy": "Orphan"})
    metadata = api.get(f"{PODS}/a").json["metadata"]
    assert "deletionTimestamp" not in metadata
    assert metadata["ownerReferences"] == []


def test_delete_collection_takes_what_the_selector_says(api: Api) -> None:
    for name in "abc":
        body = config_map(name)
        body["metadata"]["labels"] = {"n": name}
        api.post(MAPS, body)
    answer = api.delete(f"{MAPS}?labelSelector=n+in+(a,b)")
    assert names(answer) == ["a", "b"]
    assert names(api.get(MAPS)) == ["c"]


# ---- who asks
def test_a_node_reads_its_own_pods_only(api: Api) -> None:
    bound_pod(api)
    api.post(PODS, pod("foreign", nodeName="n2"))
    api.hub.subjects["node-token"] = Subject(NODE, "n1")
    mine = Api(api.port, api.hub, api.app, "node-token")
    assert mine.get(f"{PODS}/a").code == 200
    assert names(mine.get(f"{PODS}?fieldSelector=spec.nodeName%3Dn1")) == ["a"]
    assert mine.get(f"{NODES}/n1").code == 200
    for answer in (
        mine.get(f"{PODS}/foreign"),
        mine.get(PODS),
        mine.get(f"{PODS}?fieldSelector=spec.nodeName%3Dn2"),
        mine.get(f"{NODES}/n2"),
        mine.get(SECRETS),
        mine.delete(f"{PODS}/a"),
        mine.post(MAPS, config_map()),
        mine.patch(f"{PODS}/foreign/status", {"status": {}}),
    ):
        assert (answer.code, answer.json["reason"]) == (403, "Forbidden")
    assert mine.patch(f"{PODS}/a/status", {"status": {"phase": "Running"}}).code == 200


# ---- discovery
def test_discovery_lists_what_is_served(api: Api) -> None:
    assert api.get("/api").json["versions"] == ["v1"]
    groups = {group["name"]: group["preferredVersion"]["version"] for group in api.get("/apis").json["groups"]}
    assert groups == {"apps": "v1", "devices.kubeedge.io": "v1beta1", "edgelite.dev": "v1"}
    rows = {row["name"]: row for row in api.get("/api/v1").json["resources"]}
    assert rows["configmaps"]["shortNames"] == ["cm"]
    assert rows["pods"]["singularName"] == "pod"
    assert {"pods/status", "pods/log", "nodes/status"} <= rows.keys()
    assert api.get("/apis/devices.kubeedge.io/v1beta1").json["groupVersion"] == "devices.kubeedge.io/v1beta1"
    assert api.get("/apis/apps").json["kind"] == "APIGroup"
    assert api.get("/apis/none/v1").code == 404
    assert api.get("/version").json["minor"] == "32"


def test_readiness_follows_the_hub(api: Api) -> None:
    assert api.get("/readyz").text == "ok"
    api.hub.is_ready = False
    assert api.get("/readyz").code == 503
    assert api.get("/livez").code == 200


def test_openapi_has_one_patch_operation_for_each_kind(api: Api) -> None:
    paths = api.get("/openapi/v3").json["paths"]
    found = set()
    for entry in paths.values():
        document = api.get(entry["serverRelativeURL"]).json
        for operations in document["paths"].values():
            names_ = operations["patch"]["x-kubernetes-group-version-kind"]
            found.add((names_["group"], names_["kind"]))
            assert "fieldValidation" in [one["name"] for one in operations["patch"]["parameters"]]
    assert found == {(kind.group, kind.kind) for kind in api.hub.registry}
    assert api.get("/openapi/v3/api/v9").code == 404
