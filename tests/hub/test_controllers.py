"""Controllers on a real store: DaemonSets, unbound Pods, feeds, what waits and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgelite_hub.controllers.daemonsets import pod_name
from edgelite_hub.model.objects import (
    ARTIFACTS,
    CONFIG_MAPS,
    DAEMON_SETS,
    DEVICE_MODELS,
    DEVICES,
    NODES,
    PODS,
    get_condition,
    node_of,
    rfc3339,
)
from edgelite_hub.model.strategy import Operation
from edgelite_hub.model.verbs import Verbs
from edgelite_hub.security.authz import ADMIN, Subject
from edgelite_hub.store.contract import Transaction
from edgelite_protocol import messages as m
from tests.hub.hub_world import Node, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def labelled(world: World, name: str, **labels: str) -> Node:
    return world.join(name, nodeLabels=labels).connect()


def pods(world: World) -> dict[str, Any]:
    return {node_of(pod): pod for pod in world.list(PODS)}


def confirm(world: World, node: Node, sequence: int) -> None:
    """The node reports every Terminating workload gone."""
    gone = [value for value in node.workloads().values() if value.get(m.WORKLOAD_TERMINATING)]
    items = [
        (sequence + number, {m.REPORT: m.REPORT_WORKLOAD_GONE, 1: value[m.WORKLOAD_UID]})
        for number, value in enumerate(gone)
    ]
    node.report(m.LANE_STATE, *items)


# ---- DaemonSets


def test_one_pod_on_each_matching_node(world: World) -> None:
    labelled(world, "roof", site="roof")
    labelled(world, "cellar", site="cellar")
    labelled(world, "attic", site="roof")
    world.daemon_set("meter", {"site": "roof"})
    world.settle()
    assert set(pods(world)) == {"roof", "attic"}
    pod = pods(world)["roof"]
    assert pod["metadata"]["name"] == pod_name(world.get(DAEMON_SETS, "meter"), "roof")
    assert pod["metadata"]["ownerReferences"][0]["kind"] == "DaemonSet"
    assert pod["metadata"]["labels"]["app"] == "meter"


def test_a_node_that_joins_or_is_labelled_later_gets_its_pod(world: World) -> None:
    world.daemon_set("meter", {"site": "roof"})
    node = labelled(world, "n1", site="cellar")
    assert pods(world) == {}
    value = world.get(NODES, "n1")
    value["metadata"]["labels"]["site"] = "roof"
    world.put(NODES, value)
    world.settle()
    assert len(node.workloads()) == 1
    labelled(world, "n2", site="roof")
    assert set(pods(world)) == {"n1", "n2"}


def test_a_node_that_no_longer_matches_loses_its_pod_once_it_confirms(world: World) -> None:
    node = labelled(world, "n1", site="roof")
    world.daemon_set("meter", {"site": "roof"})
    world.settle()
    value = world.get(NODES, "n1")
    value["metadata"]["labels"]["site"] = "cellar"
    world.put(NODES, value)
    world.settle()
    assert pods(world)["n1"]["metadata"]["deletionTimestamp"]
    confirm(world, node, 1)
    assert pods(world) == {} and node.workloads() == {}


def test_a_changed_template_replaces_pods_under_the_same_name(world: World) -> None:
    node = labelled(world, "n1", site="roof")
    world.daemon_set("meter", {"site": "roof"})
    world.settle()
    before = pods(world)["n1"]
    world.daemon_set("meter", {"site": "roof"}, command="/bin/false")
    world.settle()
    assert pods(world)["n1"]["metadata"]["uid"] == before["metadata"]["uid"], "the old one must go first"
    confirm(world, node, 1)
    after = pods(world)["n1"]
    assert after["metadata"]["name"] == before["metadata"]["name"]
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    containers = [value[m.WORKLOAD_CONTAINERS] for value in node.workloads().values()]
    assert [rows[0][m.CONTAINER_COMMAND] for rows in containers] == [["/bin/false"]]


def test_on_delete_leaves_outdated_pods_alone(world: World) -> None:
    labelled(world, "n1", site="roof")
    world.daemon_set("meter", {"site": "roof"}, updateStrategy={"type": "OnDelete"})
    world.settle()
    world.daemon_set("meter", {"site": "roof"}, command="/bin/false", updateStrategy={"type": "OnDelete"})
    world.settle()
    assert "deletionTimestamp" not in pods(world)["n1"]["metadata"]
    assert world.get(DAEMON_SETS, "meter")["status"]["updatedNumberScheduled"] == 0


def test_a_deleted_daemon_set_takes_its_pods_along(world: World) -> None:
    node = labelled(world, "n1", site="roof")
    world.daemon_set("meter", {"site": "roof"})
    world.pod("other", "n1")
    world.settle()
    world.delete(DAEMON_SETS, "meter")
    world.settle()
    confirm(world, node, 1)
    assert [pod["metadata"]["name"] for pod in world.list(PODS)] == ["other"]


def test_a_daemon_set_deleted_while_the_hub_was_down(world: World) -> None:
    labelled(world, "n1", site="roof")
    world.daemon_set("meter", {"site": "roof"})
    world.settle()
    world.delete(DAEMON_SETS, "meter")
    world.seen = world.store.revision()  # the change was missed
    world.store.transact(world.dispatcher.note_everything)
    world.settle()
    assert pods(world)["n1"]["metadata"]["deletionTimestamp"]


def test_status_has_every_number_that_clients_require(world: World) -> None:
    node = labelled(world, "n1", site="roof")
    labelled(world, "n2", site="roof")
    world.daemon_set("meter", {"site": "roof"})
    world.settle()
    uid = pods(world)["n1"]["metadata"]["uid"]
    running = {m.STATUS_CONTAINER_NAME: "main", m.STATUS_CONTAINER_STATE: "running"}
    body = {
        m.REPORT: m.REPORT_WORKLOAD,
        m.STATUS_UID: uid,
        m.STATUS_TIME: [1, m.TIME_UNIX],
        m.STATUS_CONTAINERS: [running],
    }
    node.report(m.LANE_STATE, (1, body))
    assert world.get(DAEMON_SETS, "meter")["status"] == {
        "currentNumberScheduled": 2,
        "desiredNumberScheduled": 2,
        "numberMisscheduled": 0,
        "numberReady": 1,
        "numberAvailable": 1,
        "numberUnavailable": 1,
        "updatedNumberScheduled": 2,
        "observedGeneration": 1,
    }


def test_a_settled_world_writes_nothing_more(world: World) -> None:
    labelled(world, "n1", site="roof")
    world.daemon_set("meter", {"site": "roof"})
    world.settle()
    revision, feed = world.store.revision(), world.store.read(lambda tx: tx.feed_last("n1"))
    world.store.transact(world.dispatcher.note_everything)
    world.settle()
    assert world.store.revision() == revision
    assert world.store.read(lambda tx: tx.feed_last("n1")) == feed


# ---- Pods that nobody runs


def test_a_pod_without_a_node_says_that_there_is_no_scheduler(world: World) -> None:
    world.pod("lost")
    world.settle()
    status = world.get(PODS, "lost")["status"]
    assert status["phase"] == "Pending"
    assert (get_condition(status, "PodScheduled") or {})["reason"] == "NoScheduler"


def test_a_pod_for_a_node_that_joins_later_starts_then(world: World) -> None:
    world.pod("early", "n1")
    world.settle()
    assert (get_condition(world.get(PODS, "early")["status"], "PodScheduled") or {})["reason"] == "NodeNotFound"
    node = world.join("n1").connect()
    assert set(node.workloads()) == {"early"}
    assert (get_condition(world.get(PODS, "early")["status"], "PodScheduled") or {})["status"] == "True"


def terminate(world: World, name: str) -> None:
    pod = world.get(PODS, name)
    pod["metadata"].update({"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 3})
    world.put(PODS, pod)
    world.settle()


@pytest.mark.parametrize("node", ["", "ghost"])
def test_a_terminating_pod_that_no_node_has_goes_at_once(world: World, node: str) -> None:
    world.pod("lost", node)
    world.settle()
    terminate(world, "lost")
    assert world.get(PODS, "lost") is None


def test_a_terminating_pod_stays_until_its_node_confirms(world: World) -> None:
    node = world.join("n1").connect()
    world.pod("p", "n1")
    world.settle()
    node.cut()
    terminate(world, "p")
    assert world.get(PODS, "p") is not None, "the node is away and still runs it"
    node.connect()
    assert node.workloads()["p"][m.WORKLOAD_TERMINATING] is True
    assert node.workloads()["p"][m.WORKLOAD_GRACE_MS] == 3_000
    confirm(world, node, 1)
    assert world.get(PODS, "p") is None and node.workloads() == {}


def test_pods_of_a_deleted_node_go_when_somebody_deletes_them(world: World) -> None:
    world.join("n1").connect()
    world.pod("p", "n1")
    world.settle()
    world.delete(NODES, "n1")
    world.settle()
    assert world.get(PODS, "p") is not None
    terminate(world, "p")
    assert world.get(PODS, "p") is None


# ---- what a Pod waits for


def waiting(world: World, name: str) -> str:
    status = world.get(PODS, name)["status"]
    return str(status["containerStatuses"][0]["state"].get("waiting", {}).get("reason", ""))


def test_a_pod_waits_for_its_artifact_and_follows_its_tag(world: World) -> None:
    node = world.join("n1").connect()
    world.pod("p", "n1", image="app:v1")
    world.settle()
    assert waiting(world, "p") == "ArtifactNotFound" and node.workloads() == {}
    digest = world.push("app", "v1", b"one")
    world.settle()
    assert waiting(world, "p") == "ContainerCreating"
    assert node.workloads()["p"][m.WORKLOAD_CONTAINERS][0][m.CONTAINER_DIGEST].hex() == digest
    newer = world.push("app", "v1", b"two")
    world.settle()
    assert node.workloads()["p"][m.WORKLOAD_CONTAINERS][0][m.CONTAINER_DIGEST].hex() == newer


def test_a_pod_waits_for_its_config_map_and_keeps_what_it_has_when_that_goes(world: World) -> None:
    node = world.join("n1").connect()
    source = {"configMapKeyRef": {"name": "settings", "key": "rate"}}
    world.pod("p", "n1", env=[{"name": "RATE", "valueFrom": source}])
    world.settle()
    assert waiting(world, "p") == "CreateContainerConfigError"
    world.config_map("settings", other="1")
    world.settle()
    assert waiting(world, "p") == "CreateContainerConfigError"
    world.config_map("settings", rate="9600")
    world.settle()
    assert node.workloads()["p"][m.WORKLOAD_CONTAINERS][0][m.CONTAINER_ENVIRONMENT] == {"RATE": "9600"}
    revision = node.revision
    world.delete(CONFIG_MAPS, "settings")
    world.settle()
    assert node.revision == revision and waiting(world, "p") == "ContainerCreating"


def test_a_change_that_concerns_nobody_is_no_entry(world: World) -> None:
    node = world.join("n1").connect()
    world.pod("p", "n1")
    world.settle()
    revision = node.revision
    world.config_map("unrelated", a="b")
    world.push("unrelated", "v1", b"x")
    world.settle()
    assert node.revision == revision


def test_a_pod_bound_to_another_node_leaves_the_first(world: World) -> None:
    first, second = world.join("n1").connect(), world.join("n2").connect()
    world.pod("p", "n1")
    world.settle()
    world.delete(PODS, "p")
    world.pod("p", "n2")
    world.settle()
    assert first.workloads() == {} and set(second.workloads()) == {"p"}


def test_what_was_deleted_while_the_hub_was_down_leaves_the_feed(world: World) -> None:
    node = world.join("n1").connect()
    world.pod("p", "n1")
    world.device_model()
    world.device("d", "n1")
    world.settle()
    world.delete(PODS, "p")
    world.delete(DEVICES, "d")
    world.seen = world.store.revision()
    world.store.transact(world.dispatcher.note_everything)
    world.settle()
    assert node.desired == {}


# ---- devices


def test_a_device_waits_for_its_model_and_follows_it(world: World) -> None:
    node = world.join("n1").connect()
    world.device("d", "n1")
    world.settle()
    condition = get_condition(world.get(DEVICES, "d")["status"], "Compiled") or {}
    assert (condition["status"], condition["reason"]) == ("False", "DeviceModelNotFound")
    world.device_model()
    world.settle()
    assert get_condition(world.get(DEVICES, "d")["status"], "Compiled") is None
    assert node.devices()["d"][m.DEVICE_PROPERTIES][0][m.PROPERTY_UNIT] == "W"
    world.device_model(unit="kW")
    world.settle()
    assert node.devices()["d"][m.DEVICE_PROPERTIES][0][m.PROPERTY_UNIT] == "kW"
    world.delete(DEVICES, "d")
    world.settle()
    assert node.devices() == {}


def test_a_desired_value_keeps_its_version_until_it_changes(world: World) -> None:
    node = world.join("n1").connect()
    world.device_model()
    world.device("d", "n1", desired="5")
    world.settle()

    def version() -> int:
        found: int = node.devices()["d"][m.DEVICE_PROPERTIES][0][m.PROPERTY_DESIRED_VERSION]
        return found

    assert version() == 1
    value = world.get(DEVICES, "d")
    value["spec"]["properties"][0]["collectCycle"] = 2000
    world.put(DEVICES, value)
    world.settle()
    assert version() == 1 and node.devices()["d"][m.DEVICE_GENERATION] == 2
    world.device("d", "n1", desired="6")
    world.settle()
    assert version() == 3


def test_one_object_that_cannot_be_compiled_disturbs_no_other(world: World) -> None:
    node = world.join("n1").connect()
    world.pod("bad", "n1", image="not/ours:1")
    world.pod("good", "n1")
    world.settle()
    assert set(node.workloads()) == {"good"}
    assert waiting(world, "bad") == "InvalidImageName"


def test_deleting_a_model_leaves_the_device_running_and_says_so(world: World) -> None:
    node = world.join("n1").connect()
    world.device_model()
    world.device("d", "n1")
    world.settle()
    world.delete(DEVICE_MODELS, "meter")
    world.settle()
    assert set(node.devices()) == {"d"}
    assert get_condition(world.get(DEVICES, "d")["status"], "Compiled") is not None
    assert world.list(ARTIFACTS) == []


# ---- finalizers and hooks hold, whoever lets a Pod go


def dying(world: World, name: str, node: str = "", finalizers: tuple[str, ...] = ("example.com/keep",)) -> Any:
    pod = world.pod(name, node)
    world.settle()
    pod["metadata"] |= {
        "deletionTimestamp": rfc3339(world.unix_ms),
        "deletionGracePeriodSeconds": 30,
        "finalizers": list(finalizers),
    }
    world.put(PODS, pod)
    world.settle()
    return world.get(PODS, name)


def without_finalizers(world: World, name: str) -> None:
    registry = world.environment.registry

    def write(transaction: Transaction) -> None:
        operation = Operation(transaction, Subject(ADMIN, "admin"), world.unix_ms, world.random_bytes)
        value = transaction.get(PODS, "default", name)
        assert value is not None
        value["metadata"]["finalizers"] = []
        Verbs(registry).replace(registry[PODS], operation, "default", name, value)

    world.store.transact(write)
    world.settle()


def test_a_finalizer_outlasts_the_nodes_word_and_the_node_is_not_waited_for_again(world: World) -> None:
    node = world.join("n1").connect()
    assert dying(world, "p", "n1") is not None
    confirm(world, node, 1)
    held = world.get(PODS, "p")
    assert held is not None and held["metadata"]["deletionGracePeriodSeconds"] == 0
    node.cut()
    without_finalizers(world, "p")
    assert world.get(PODS, "p") is None


def test_a_finalizer_outlasts_that_no_node_has_the_pod(world: World) -> None:
    world.join("never-connected")
    for name, bound in (("unbound", ""), ("of-no-node", "nowhere")):
        assert dying(world, name, bound) is not None
        without_finalizers(world, name)
        assert world.get(PODS, name) is None


def test_hooks_of_a_deletion_run_whoever_lets_the_pod_go(world: World) -> None:
    gone: list[str] = []
    world.environment.registry[PODS].strategy.deleted.append(lambda _, pod: gone.append(pod["metadata"]["name"]))
    node = world.join("n1").connect()
    dying(world, "unbound", finalizers=())
    dying(world, "confirmed", "n1", finalizers=())
    confirm(world, node, 1)
    pod = world.pod("never-compiled", "n1", image="tool:missing")
    world.settle()
    world.put(PODS, pod | {"metadata": pod["metadata"] | {"deletionTimestamp": rfc3339(world.unix_ms)}})
    world.settle()
    assert gone == ["unbound", "confirmed", "never-compiled"] and world.list(PODS) == []
