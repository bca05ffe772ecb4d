"""What nodes report: stored once, dated, shown in Kubernetes' and KubeEdge's shapes, and only of their own."""

from __future__ import annotations

import copy
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edgelite_hub import telemetry
from edgelite_hub.model.objects import DEVICES, NODES, PODS, get_condition
from edgelite_hub.nodes.former_devices import FORMER_MAX, withdraw
from edgelite_hub.nodes.pod_status import phase_of
from edgelite_hub.store.contract import Transaction
from edgelite_protocol import messages as m
from tests.hub.hub_world import START_UNIX_MS, UNIX, Node, World, asked, reporting_world, sample, values


@pytest.fixture
def world(tmp_path: Path) -> World:
    return reporting_world(tmp_path)


@pytest.fixture
def node(world: World) -> Node:
    return world.join("n1").connect()


def container(state: str, **more: Any) -> dict[int, Any]:
    keys = {
        "reason": m.STATUS_CONTAINER_REASON,
        "message": m.STATUS_CONTAINER_MESSAGE,
        "exit_code": m.STATUS_CONTAINER_EXIT_CODE,
        "started": m.STATUS_CONTAINER_STARTED,
        "finished": m.STATUS_CONTAINER_FINISHED,
        "restarts": m.STATUS_CONTAINER_RESTARTS,
    }
    body: dict[int, Any] = {m.STATUS_CONTAINER_NAME: "main", m.STATUS_CONTAINER_STATE: state}
    return body | {keys[key]: value for key, value in more.items()}


def status(world: World, *containers: dict[int, Any], pod: str = "p") -> dict[int, Any]:
    uid = world.get(PODS, pod)["metadata"]["uid"]
    return {m.REPORT: m.REPORT_WORKLOAD, m.STATUS_UID: uid, m.STATUS_TIME: UNIX, m.STATUS_CONTAINERS: list(containers)}


# ---- once


def test_a_batch_that_comes_twice_counts_once(world: World, node: Node) -> None:
    node.report(m.LANE_TELEMETRY, (1, sample(10)), (2, sample(11)))
    assert node.acknowledged() == [(m.LANE_TELEMETRY, 2)]
    node.cut()
    node.connect()  # the acknowledgement was lost on the way
    assert node.welcome[m.WELCOME_STORED] == [[m.LANE_TELEMETRY, 1, 2]]
    node.report(m.LANE_TELEMETRY, (1, sample(10)), (2, sample(11)), (3, sample(12)))
    assert values(world) == [10, 11, 12]
    assert node.acknowledged() == [(m.LANE_TELEMETRY, 3)]


def test_a_later_generation_begins_its_sequence_anew(world: World, node: Node) -> None:
    node.report(m.LANE_TELEMETRY, (7, sample(10)))
    node.cut()
    node.generation, node.instance = 2, b"instance"
    node.connect()
    node.report(m.LANE_TELEMETRY, (1, sample(11)))
    assert values(world) == [10, 11]


def test_lanes_and_journals_count_apart(world: World, node: Node) -> None:
    node.report(m.LANE_TELEMETRY, (5, sample(10)))
    node.report(m.LANE_STATE, (5, status(world, container("running"))))
    node.cut()
    node.journal = b"wiped-it"
    node.connect()
    assert node.welcome[m.WELCOME_STORED] == []
    node.report(m.LANE_TELEMETRY, (5, sample(11)))
    assert values(world) == [10, 11]


def test_a_store_that_fails_keeps_nothing_of_the_batch_and_acknowledges_nothing(world: World, node: Node) -> None:
    original = world.store.transact

    def broken(function: Any) -> Any:
        def then_fail(transaction: Any) -> Any:
            function(transaction)
            raise OSError(28, "No space left on device")

        return original(then_fail)

    world.store.transact = broken  # type: ignore[method-assign]
    with pytest.raises(OSError, match="No space"):
        node.report(m.LANE_TELEMETRY, (1, sample(10)))
    world.store.transact = original  # type: ignore[method-assign]
    assert values(world) == [] and node.acknowledged() == []


# ---- only its own

FOREIGN: dict[str, tuple[int, Callable[[World], dict[int, Any]]]] = {
    "a sample of another node's device": (m.LANE_TELEMETRY, lambda world: sample(1, device="default/foreign")),
    "a sample of no device": (m.LANE_TELEMETRY, lambda world: sample(1, device="default/none")),
    "a sample without a namespace": (m.LANE_TELEMETRY, lambda world: sample(1, device="nonamespace")),
    "another node's pod": (m.LANE_STATE, lambda world: status(world, container("running"), pod="foreign")),
    "another node's pod gone": (
        m.LANE_STATE,
        lambda world: {m.REPORT: m.REPORT_WORKLOAD_GONE, 1: world.get(PODS, "foreign")["metadata"]["uid"]},
    ),
    "no pod": (m.LANE_STATE, lambda world: {m.REPORT: m.REPORT_WORKLOAD_GONE, 1: "no-such-uid"}),
    "another node's twin": (
        m.LANE_STATE,
        lambda world: {
            m.REPORT: m.REPORT_TWIN, m.TWIN_DEVICE: "default/foreign", m.TWIN_PROPERTY: "power", m.TWIN_TIME: UNIX,
            m.TWIN_REPORTED: "1", m.TWIN_QUALITY: "good", m.TWIN_VERSION: 1,
        },
    ),
    "another node's device state": (
        m.LANE_STATE,
        lambda world: {
            m.REPORT: m.REPORT_DEVICE, m.DEVICE_STATE_DEVICE: "default/foreign", m.DEVICE_STATE_TIME: UNIX,
            m.DEVICE_STATE: "online",
        },
    ),
    "a pod that nobody deleted gone": (
        m.LANE_STATE,
        lambda world: {m.REPORT: m.REPORT_WORKLOAD_GONE, 1: world.get(PODS, "p")["metadata"]["uid"]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_not_its_own_is_named_ignored_and_never_blocks(world: World, node: Node, name: str) -> None:
    lane, make = FOREIGN[name]
    before = [world.get(PODS, "foreign"), world.get(DEVICES, "foreign"), world.get(PODS, "p")]
    node.report(lane, (1, make(world)))
    assert [world.get(PODS, "foreign"), world.get(DEVICES, "foreign"), world.get(PODS, "p")] == before
    assert values(world) == values(world, "default/foreign") == []
    assert node.acknowledged() == [(lane, 1)]
    assert any("ignored" in line for line in world.log)


def test_a_last_word_about_a_pod_that_is_gone_is_no_complaint(world: World, node: Node) -> None:
    last_word, uid = status(world, container("terminated", exit_code=0)), world.get(PODS, "p")["metadata"]["uid"]
    pod = world.get(PODS, "p")
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    world.put(PODS, pod)
    world.settle()
    node.report(m.LANE_STATE, (1, {m.REPORT: m.REPORT_WORKLOAD_GONE, 1: uid}), (2, last_word))
    node.report(m.LANE_STATE, (3, last_word))
    assert world.get(PODS, "p") is None
    assert node.acknowledged()[-1] == (m.LANE_STATE, 3)
    assert not any("ignored" in line for line in world.log)


def test_the_log_says_it_once_a_minute(world: World, node: Node) -> None:
    for sequence in range(1, 6):
        node.report(m.LANE_TELEMETRY, (sequence, sample(1, device="default/foreign")))
    assert sum("ignored" in line for line in world.log) == 1


# ---- Devices that it once had


def test_a_backlog_of_a_device_that_was_deleted_meanwhile_is_stored_once(world: World, node: Node) -> None:
    world.settle()
    node.report(m.LANE_TELEMETRY, (1, sample(10)))
    node.cut()
    world.delete(DEVICES, "d")
    world.settle()
    node.connect()
    for _ in range(2):  # the acknowledgement of the first was lost on the way
        node.report(m.LANE_TELEMETRY, (2, sample(11)), (3, sample(12)))
        node.cut()
        node.connect()
    assert values(world) == [10, 11, 12] == answered(world)
    assert not any("ignored" in line for line in world.log)


def test_a_backlog_counts_between_the_deletion_and_the_feed(world: World, node: Node) -> None:
    world.settle()
    world.delete(DEVICES, "d")
    assert node.session is not None
    node.session.send_reports(m.LANE_TELEMETRY, 1, [(1, sample(10))])
    node.exchange()
    assert values(world) == [10]


def test_a_device_that_moved_takes_samples_of_both_nodes_and_the_twin_of_its_new_one(world: World, node: Node) -> None:
    world.settle()
    world.device("d", "n2")
    world.settle()
    node.report(m.LANE_TELEMETRY, (1, sample(10)))
    second = world.join("n2").connect()
    second.report(m.LANE_TELEMETRY, (1, sample(20, [START_UNIX_MS - 1, m.TIME_UNIX])))
    node.report(m.LANE_STATE, (1, twin_body("10", "good", 1, START_UNIX_MS + 1)))
    found = world.store.read(lambda tx: tx.samples("default/d", None, None, None, 10))
    assert [(one.node, one.value) for one in found] == [("n2", 20), ("n1", 10)]
    assert twin(world)["reported"]["value"] == "20"
    assert not any("ignored" in line for line in world.log), "a last word is no complaint"


def test_what_a_node_never_had_it_may_not_report_even_when_it_is_gone(world: World, node: Node) -> None:
    other = world.join("n2").connect()
    other.report(m.LANE_TELEMETRY, (1, sample(1, device="default/foreign")))
    world.delete(DEVICES, "foreign")
    world.settle()
    node.report(m.LANE_TELEMETRY, (1, sample(2, device="default/foreign")))
    assert values(world, "default/foreign") == [1]
    assert any("ignored" in line for line in world.log)


def test_only_so_many_former_devices_are_remembered(world: World, node: Node) -> None:
    def withdraw_many(transaction: Transaction) -> None:
        for number in range(FORMER_MAX + 1):
            withdraw(transaction, "n1", m.KIND_DEVICE, f"default/d{number}")

    world.store.transact(withdraw_many)
    for number in (0, 1):
        node.report(m.LANE_TELEMETRY, (number + 1, sample(5, device=f"default/d{number}")))
    assert (values(world, "default/d0"), values(world, "default/d1")) == ([], [5])


def test_telemetry_of_a_device_that_is_gone_is_answered_while_any_is_kept(world: World, node: Node) -> None:
    world.settle()
    query = telemetry.Query("default/d", property="no such property")
    node.report(m.LANE_TELEMETRY, (1, sample(10)))
    world.delete(DEVICES, "d")
    assert answered(world) == [10]
    assert world.store.read(partial(asked, query))["items"] == []
    world.store.transact(lambda tx: tx.trim_samples(START_UNIX_MS + 1, 10))
    assert world.store.read(partial(asked, query)) is None


# ---- Pods


def pod_status(world: World) -> Any:
    return world.get(PODS, "p")["status"]


def test_a_running_container(world: World, node: Node) -> None:
    node.report(m.LANE_STATE, (1, status(world, container("running", started=UNIX, restarts=2))))
    found = pod_status(world)
    assert found["phase"] == "Running" and found["hostIP"] == "192.0.2.1" and "podIP" not in found
    assert found["containerStatuses"] == [
        {
            "name": "main",
            "image": "host",
            "imageID": "",
            "ready": True,
            "started": True,
            "restartCount": 2,
            "state": {"running": {"startedAt": "2026-09-21T14:13:20Z"}},
            "lastState": {},
        }
    ]
    assert (get_condition(found, "Ready") or {})["status"] == "True"


def test_a_crash_loop_shows_the_last_end(world: World, node: Node) -> None:
    loop = {"reason": "CrashLoopBackOff", "message": "back-off 10s"}
    body = container("waiting", **loop, exit_code=3, finished=UNIX, restarts=4)
    node.report(m.LANE_STATE, (1, status(world, body)))
    found = pod_status(world)
    assert found["phase"] == "Running"
    first = found["containerStatuses"][0]
    assert first["state"] == {"waiting": loop}
    assert first["lastState"]["terminated"]["exitCode"] == 3
    assert (get_condition(found, "Ready") or {})["reason"] == "CrashLoopBackOff"


def test_a_missing_command_is_visible(world: World, node: Node) -> None:
    body = container("waiting", reason="CommandNotFound", message="no such file: /bin/nope")
    node.report(m.LANE_STATE, (1, status(world, body)))
    assert pod_status(world)["phase"] == "Pending"
    assert "no such file" in (get_condition(pod_status(world), "Ready") or {})["message"]


def test_containers_that_the_pod_does_not_have_are_left_out(world: World, node: Node) -> None:
    node.report(m.LANE_STATE, (1, status(world, container("running") | {m.STATUS_CONTAINER_NAME: "invented"})))
    assert pod_status(world)["containerStatuses"] == []


@pytest.mark.parametrize(
    ("states", "policy", "phase"),
    [
        ([], "Always", "Pending"),
        ([container("waiting")], "Always", "Pending"),
        ([container("waiting", restarts=1)], "Always", "Running"),
        ([container("waiting", exit_code=1)], "OnFailure", "Running"),
        ([container("running")], "Never", "Running"),
        ([container("running"), container("terminated", exit_code=0)], "Never", "Running"),
        ([container("terminated", exit_code=0)], "Never", "Succeeded"),
        ([container("terminated", exit_code=0)], "Always", "Running"),
        ([container("terminated", exit_code=0), container("terminated", exit_code=1)], "Never", "Failed"),
        ([container("terminated", exit_code=2)], "OnFailure", "Failed"),
    ],
)
def test_phases(states: list[dict[int, Any]], policy: str, phase: str) -> None:
    assert phase_of(states, policy) == phase


# ---- devices


def twin(world: World) -> Any:
    return world.get(DEVICES, "d")["status"]["twins"][0]


def twin_body(reported: str | None, quality: str, version: int, time_ms: int, **more: Any) -> dict[int, Any]:
    body: dict[int, Any] = {
        m.REPORT: m.REPORT_TWIN, m.TWIN_DEVICE: "default/d", m.TWIN_PROPERTY: "power",
        m.TWIN_TIME: [time_ms, m.TIME_UNIX], m.TWIN_QUALITY: quality, m.TWIN_VERSION: version,
    }  # fmt: skip
    if reported is not None:
        body[m.TWIN_REPORTED] = reported
    keys = {"error": m.TWIN_ERROR, "desired": m.TWIN_DESIRED, "desired_version": m.TWIN_DESIRED_VERSION}
    return body | {keys[key]: value for key, value in more.items()}


def test_twins_follow_reports_and_keep_the_value_when_it_goes_bad(world: World, node: Node) -> None:
    node.report(m.LANE_STATE, (1, twin_body("230", "good", 1, 1000, desired="5", desired_version=3)))
    assert twin(world) == {
        "propertyName": "power",
        "reported": {"value": "230", "metadata": {"timestamp": "1000", "quality": "good", "version": "1"}},
        "observedDesired": {"value": "5", "metadata": {"timestamp": "1000", "version": "3"}},
    }
    error = "Modbus exception 2: illegal data address"
    node.report(m.LANE_STATE, (2, twin_body(None, "bad", 2, 2000, error=error)))
    assert twin(world)["reported"]["value"] == "230"
    assert twin(world)["reported"]["metadata"]["error"] == error


def test_a_backlog_does_not_turn_the_twin_back(world: World, node: Node) -> None:
    node.report(m.LANE_STATE, (1, twin_body("230", "good", 1, START_UNIX_MS)))
    node.report(m.LANE_TELEMETRY, (1, sample(100, [START_UNIX_MS - 5000, m.TIME_UNIX])))
    assert twin(world)["reported"]["value"] == "230"
    node.report(m.LANE_TELEMETRY, (2, sample(240, [START_UNIX_MS + 5000, m.TIME_UNIX])))
    assert twin(world)["reported"]["value"] == "240"
    assert values(world) == [100, 240], "the samples are kept, both of them"


@pytest.mark.parametrize(
    ("value", "text"), [(5, "5"), (2.5, "2.5"), (True, "true"), (False, "false"), ("on", "on"), (b"\x01\xff", "01ff")]
)
def test_every_type_of_value_is_kept_and_shown_as_text(world: World, node: Node, value: Any, text: str) -> None:
    node.report(m.LANE_TELEMETRY, (1, sample(value)))
    assert values(world) == [value] and type(values(world)[0]) is type(value)
    assert twin(world)["reported"]["value"] == text


def answered(world: World, device: str = "default/d") -> list[Any]:
    return [item["value"] for item in world.store.read(partial(asked, telemetry.Query(device)))["items"]]


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        (struct.unpack(">f", struct.pack(">f", 228.8673))[0], 228.8673),
        (0.1, 0.1),
        (1 / 3, 1 / 3),
        (50.0, 50.0),
        (1e300, 1e300),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (b"\x01\xff", "01ff"),
    ],
)
def test_a_float_has_the_digits_that_the_meter_gave_it(world: World, node: Node, value: Any, answer: Any) -> None:
    node.report(m.LANE_TELEMETRY, (1, sample(value)))
    assert answered(world) == [answer]
    assert twin(world)["reported"]["value"] == str(answer)


def test_why_a_desired_value_is_not_applied_outlives_the_next_sample(world: World, node: Node) -> None:
    error = "desired 5 is not applied: the device holds another value after it was written"
    body = twin_body("3", "good", 1, START_UNIX_MS, desired="5", desired_version=3, error=error)
    node.report(m.LANE_STATE, (1, body))
    assert "error" not in twin(world)["reported"]["metadata"], "what was read is good"
    node.report(m.LANE_TELEMETRY, (1, sample(4, [START_UNIX_MS + 1000, m.TIME_UNIX])))
    assert twin(world)["reported"]["value"] == "4"
    told = {"timestamp": str(START_UNIX_MS), "version": "3"}
    assert twin(world)["observedDesired"] == {"value": "5", "metadata": {**told, "error": error}}
    settled = twin_body("5", "good", 2, START_UNIX_MS + 2000, desired="5", desired_version=3)
    node.report(m.LANE_STATE, (2, settled))
    told["timestamp"] = str(START_UNIX_MS + 2000)
    assert twin(world)["observedDesired"] == {"value": "5", "metadata": told}


def test_a_bad_reading_is_no_error_of_the_desired_value(world: World, node: Node) -> None:
    body = twin_body(None, "bad", 1, START_UNIX_MS, desired="5", desired_version=3, error="no answer within 1000 ms")
    node.report(m.LANE_STATE, (1, body))
    assert twin(world)["reported"]["metadata"]["error"] == "no answer within 1000 ms"
    assert "error" not in twin(world)["observedDesired"]["metadata"]


def test_what_is_told_of_a_window_is_a_sample_and_no_twin(world: World, node: Node) -> None:
    device = copy.deepcopy(world.get(DEVICES, "d"))
    device["spec"]["properties"][0]["aggregate"] = {"windowMs": 1000, "functions": ["max"]}
    name = device["spec"]["properties"][0]["name"]
    world.put(DEVICES, device)
    body = {
        m.REPORT: m.REPORT_TELEMETRY,
        m.TELEMETRY_DEVICE: "default/d",
        m.TELEMETRY_TIME: [START_UNIX_MS, 1],
        m.TELEMETRY_VALUES: {name: 4, f"{name}.max": 9},
    }
    node.report(m.LANE_TELEMETRY, (1, body))
    assert [(one["propertyName"], one["reported"]["value"]) for one in world.get(DEVICES, "d")["status"]["twins"]] == [
        (name, "4")
    ]
    samples = world.store.read(lambda transaction: transaction.samples("default/d", None, None, None, 10))
    assert {(one.property, one.value) for one in samples} == {(name, 4), (f"{name}.max", 9)}


def test_whose_word_a_desired_value_is_stands_beside_it(world: World, node: Node) -> None:
    body = {**twin_body("7", "good", 1, START_UNIX_MS, desired="7", desired_version=3), m.TWIN_DESIRED_ORIGIN: "local"}
    node.report(m.LANE_STATE, (1, body))
    assert twin(world)["observedDesired"]["metadata"]["origin"] == "local"
    node.report(m.LANE_STATE, (2, twin_body("5", "good", 2, START_UNIX_MS + 1, desired="5", desired_version=4)))
    assert "origin" not in twin(world)["observedDesired"]["metadata"]


def test_one_batch_writes_each_device_once(world: World, node: Node) -> None:
    revision = world.store.revision()
    node.report(m.LANE_TELEMETRY, *[(number, sample(number)) for number in range(1, 20)])
    changes = [change for change in world.store.changes(revision, 100) if change.resource == DEVICES]
    assert len(changes) == 1 and len(values(world)) == 19


def test_device_states(world: World, node: Node) -> None:
    def state(sequence: int, word: str, reason: str = "") -> Any:
        body: dict[int, Any] = {m.REPORT: m.REPORT_DEVICE, m.DEVICE_STATE_DEVICE: "default/d", m.DEVICE_STATE: word}
        body[m.DEVICE_STATE_TIME] = UNIX
        node.report(m.LANE_STATE, (sequence, body | ({m.DEVICE_STATE_REASON: reason} if reason else {})))
        return world.get(DEVICES, "d")["status"]

    assert state(1, "online")["lastOnlineTime"] == "2026-09-21T14:13:20Z"
    offline = state(2, "offline", "no answer from unit 1")
    assert offline["state"] == "offline" and offline["lastOnlineTime"] == "2026-09-21T14:13:20Z"
    assert (get_condition(offline, "Online") or {})["message"] == "no answer from unit 1"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({m.REPORT: m.REPORT_DROPPED, 1: m.LANE_TELEMETRY, 2: 12, 3: 0, 4: 9}, "ReportsDropped"),
        ({m.REPORT: m.REPORT_DAMAGE, 1: "segment 3: CRC"}, "JournalDamaged"),
    ],
)
def test_losses_show_at_the_node(world: World, node: Node, body: dict[int, Any], kind: str) -> None:
    node.report(m.LANE_STATE, (1, body))
    assert (get_condition(world.get(NODES, "n1")["status"], kind) or {})["status"] == "True"


def test_what_is_dropped_again_and_again_is_summed(world: World, node: Node) -> None:
    def dropped(sequence: int, count: int) -> tuple[int, dict[int, Any]]:
        return sequence, {m.REPORT: m.REPORT_DROPPED, 1: m.LANE_TELEMETRY, 2: count, 3: 0, 4: 9}

    node.report(m.LANE_STATE, dropped(1, 12), dropped(2, 30))
    node.report(m.LANE_STATE, dropped(3, 8))
    told = get_condition(world.get(NODES, "n1")["status"], "ReportsDropped") or {}
    assert told["message"].startswith("50 reports of lane 1 were dropped"), told
