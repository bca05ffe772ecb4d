"""A scenario's workloads: the Pod of each node, and whether a simulated process knows its command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgelite_sim.scenario.model import WorkloadPart
from edgelite_sim.world import behaviour
from edgelite_sim.written.names import one_of

NAMESPACE = "default"


def command_error(command: Sequence[str]) -> tuple[str, str] | None:
    """What is wrong with it, and what is allowed."""
    if not command:
        return "a workload needs a command", one_of("", behaviour.NAMES)
    if command[0] != "sim":
        return f"'{command[0]}' is no simulated process", 'write a list that begins with "sim", such as ["sim", "runs"]'
    try:
        behaviour.parse(command)
    except behaviour.BehaviourError as error:
        name = command[1] if len(command) > 1 else ""
        return str(error), "" if name in behaviour.NAMES else one_of(name, behaviour.NAMES)
    return None


def pod_name(workload: WorkloadPart, node: str) -> str:
    return f"{workload.name}-{node}"


def pod(workload: WorkloadPart, node: str, command: Sequence[str] = ()) -> dict[str, Any]:
    container: dict[str, Any] = {"name": workload.name, "image": "host", "command": list(command or workload.command)}
    if workload.environment:
        container["env"] = [{"name": name, "value": str(value)} for name, value in workload.environment.items()]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": pod_name(workload, node), "namespace": NAMESPACE, "labels": {"app": workload.name}},
        "spec": {
            "nodeName": node,
            "runtimeClassName": "process",
            "restartPolicy": workload.restart,
            "containers": [container],
        },
    }
