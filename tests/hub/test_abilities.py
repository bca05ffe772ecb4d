"""What a node has told it cannot run stays at the hub, which says why."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from edgelite_hub.model.objects import DEVICES, NODES, PODS, get_condition
from edgelite_protocol import messages
from tests.hub.hub_world import Node, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def waiting(world: World, name: str) -> str:
    status = world.get(PODS, name)["status"]
    return str(status["containerStatuses"][0]["state"].get("waiting", {}).get("reason", ""))


def told(world: World, **capabilities: Any) -> Node:
    node = world.join("n1")
    node.capabilities.update(capabilities)
    return node.connect()


def device_condition(world: World, name: str = "d") -> dict[str, Any]:
    return get_condition(world.get(DEVICES, name).get("status", {}), "Compiled") or {}


def test_a_pod_of_a_runtime_that_the_node_lacks_stays_here_and_says_why(world: World) -> None:
    node = told(world, runtimes=["task"], cannot={"runtime-process": "this port starts no processes"})
    world.pod("p", "n1")
    world.settle()
    assert node.workloads() == {} and waiting(world, "p") == "RuntimeUnavailable"
    message = world.get(PODS, "p")["status"]["containerStatuses"][0]["state"]["waiting"]["message"]
    assert message == (
        "spec.runtimeClassName process: node n1 has no such runtime; it has task (this port starts no processes)"
    )
    ready = get_condition(world.get(PODS, "p")["status"], "Ready") or {}
    assert (ready["status"], ready["reason"]) == ("False", "RuntimeUnavailable")


def test_it_goes_at_once_when_the_node_announces_the_runtime(world: World) -> None:
    node = told(world, runtimes=["task"])
    world.pod("p", "n1")
    world.settle()
    node.cut()
    node.capabilities["runtimes"] = ["task", "process"]
    node.connect()
    assert set(node.workloads()) == {"p"} and waiting(world, "p") == "ContainerCreating"


def test_a_device_of_a_driver_that_the_node_lacks_stays_here_until_it_is_announced(world: World) -> None:
    node = told(world, drivers=[], cannot={"driver-modbus": "frozen without it"})
    world.device_model()
    world.device("d", "n1")
    world.settle()
    assert node.devices() == {}
    assert device_condition(world)["reason"] == "DriverUnavailable"
    assert device_condition(world)["message"] == (
        "spec.protocol.protocolName modbus: node n1 has no such driver; it has none (frozen without it)"
    )
    node.cut()
    node.capabilities["drivers"] = ["modbus"]
    node.connect()
    assert set(node.devices()) == {"d"} and device_condition(world) == {}


def test_a_node_that_never_said_hello_or_does_not_tell_is_not_refused(world: World) -> None:
    node = world.join("n1")
    for name in ("runtimes", "drivers"):
        node.capabilities.pop(name)
    world.pod("p", "n1")
    world.device_model()
    world.device("d", "n1")
    world.settle()
    assert waiting(world, "p") == "ContainerCreating" and device_condition(world) == {}
    node.connect()
    assert set(node.workloads()) == {"p"} and set(node.devices()) == {"d"}


def test_what_runs_goes_on_when_its_node_no_longer_announces_the_runtime(world: World) -> None:
    node = told(world)
    world.pod("p", "n1")
    world.settle()
    node.cut()
    node.capabilities["runtimes"] = ["task"]
    node.connect()
    assert set(node.workloads()) == {"p"}, "only the node knows whether it runs it; a deletion is a person's to order"


def test_reasons_beyond_their_bounds_are_left_out(world: World) -> None:
    reasons: dict[Any, Any] = {f"runtime-{number:02}": "x" * 120 for number in range(20)}
    reasons |= {"runtime-long": "x" * 121, "driver-empty": "", "driver-number": 5, 7: "x"}
    told(world, cannot=reasons)
    kept = world.get(NODES, "n1")["status"]["abilities"]["cannot"]
    assert list(kept) == [f"runtime-{number:02}" for number in range(16)]


def with_fail_safe(world: World) -> None:
    world.device_model()
    device = copy.deepcopy(world.device("d", "n1"))
    device["spec"]["properties"][0]["failSafe"] = {"value": "5", "afterMs": 60_000}
    world.put(DEVICES, device)
    world.settle()


def test_what_an_older_node_would_skip_without_a_word_stays_here_until_it_is_updated(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = world.join("n1")
    with monkeypatch.context() as older:
        older.setattr(messages, "VERSION_MINOR", 0)
        node.connect()
    with_fail_safe(world)
    assert node.devices() == {}
    condition = device_condition(world)
    assert condition["reason"] == "NodeTooOld" and "property power: failSafe" in condition["message"]
    world.device("plain", "n1")
    world.settle()
    assert set(node.devices()) == {"plain"}, "a device without such a wish goes there as ever"
    node.cut()
    node.connect()
    assert set(node.devices()) == {"d", "plain"} and device_condition(world) == {}


def test_a_node_that_never_said_hello_is_not_called_too_old_until_it_does(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = world.join("n1")
    with_fail_safe(world)
    assert device_condition(world) == {}
    monkeypatch.setattr(messages, "VERSION_MINOR", 0)
    node.connect()
    world.settle()
    assert device_condition(world)["reason"] == "NodeTooOld" and node.devices() == {}


def test_a_stream_is_named_in_the_device_and_the_other_properties_go_on(world: World) -> None:
    node = told(world)
    world.device_model()
    model = copy.deepcopy(world.get("devicemodels.devices.kubeedge.io", "meter"))
    model["spec"]["properties"].append({"name": "video", "type": "STREAM"})
    world.put("devicemodels.devices.kubeedge.io", model)
    device = copy.deepcopy(world.device("d", "n1"))
    device["spec"]["properties"].append({"name": "video"})
    world.put(DEVICES, device)
    world.settle()
    rows = node.devices()["d"][messages.DEVICE_PROPERTIES]
    assert [row[messages.PROPERTY_NAME] for row in rows] == ["power"]
    condition = get_condition(world.get(DEVICES, "d")["status"], "StreamsCollected") or {}
    assert condition["status"] == "False" and condition["message"].startswith("video: a STREAM")
    device["spec"]["properties"].pop()
    world.put(DEVICES, device)
    world.settle()
    assert get_condition(world.get(DEVICES, "d")["status"], "StreamsCollected") is None
