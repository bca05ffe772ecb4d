"""Pod: the rules that no field of its spec has alone, what may change of it, and its table."""

from __future__ import annotations

import copy

from edgelite_hub.kinds.common import AGE, NAME, age_of, object_schema
from edgelite_hub.kinds.pod_schema import POD_SPEC, VOLUME_SOURCES
from edgelite_hub.kinds.statuses import POD_STATUS
from edgelite_hub.model.objects import NODES, Object, node_of
from edgelite_hub.model.registry import Column, Kind
from edgelite_hub.model.status import Cause, forbidden_value, invalid_value, not_found_value, required
from edgelite_hub.model.strategy import Operation, Strategy


def pod() -> Kind:
    return Kind(
        group="",
        version="v1",
        kind="Pod",
        plural="pods",
        singular="pod",
        short_names=("po",),
        categories=("all",),
        status=True,
        subresources=("log",),
        schema=object_schema(spec=POD_SPEC, status=POD_STATUS),
        stored_status={"phase": "Pending"},
        columns=(
            NAME,
            Column("Ready", _ready, description="Running containers of all."),
            Column("Status", _status),
            Column("Restarts", _restarts),
            AGE,
            Column("Node", lambda value, _: node_of(value) or "<none>", priority=1),
            Column("Image", _images, priority=1),
        ),
        strategy=Strategy(validate=[_check_spec, _check_changes], waits_for_node=_runs_on_a_node),
    )


# ---- rules that no field has alone
def _check_spec(operation: Operation, new: Object, old: Object | None) -> list[Cause]:
    return check_pod_spec(new["spec"], "spec")


def check_pod_spec(spec: Object, path: str) -> list[Cause]:
    causes = []
    volumes = {volume["name"] for volume in spec.get("volumes") or []}
    for index, volume in enumerate(spec.get("volumes") or []):
        causes += _exactly_one(volume, VOLUME_SOURCES, f"{path}.volumes[{index}]")
    for index, container in enumerate(spec["containers"]):
        causes += _check_container(container, volumes, f"{path}.containers[{index}]")
    return causes


def _check_container(container: Object, volumes: set[str], path: str) -> list[Cause]:
    causes = []
    if not container.get("command") and not container.get("args"):
        causes.append(
            required(f"{path}.command", "an artifact has no entry point, so command or args must say what runs")
        )
    for index, variable in enumerate(container.get("env") or []):
        causes += _check_variable(variable, f"{path}.env[{index}]")
    for index, source in enumerate(container.get("envFrom") or []):
        causes += _exactly_one(source, ("configMapRef", "secretRef"), f"{path}.envFrom[{index}]")
    for index, mount in enumerate(container.get("volumeMounts") or []):
        if mount["name"] not in volumes:
            causes.append(not_found_value(f"{path}.volumeMounts[{index}].name", mount["name"]))
    return causes


def _check_variable(variable: Object, path: str) -> list[Cause]:
    if "valueFrom" not in variable:
        return []
    if variable.get("value"):
        return [invalid_value(f"{path}.valueFrom", variable["valueFrom"], "may not be given together with value")]
    return _exactly_one(variable["valueFrom"], ("configMapKeyRef", "secretKeyRef", "fieldRef"), f"{path}.valueFrom")


def _exactly_one(value: Object, names: tuple[str, ...], path: str) -> list[Cause]:
    given = [name for name in names if name in value]
    if len(given) == 1:
        return []
    if not given:
        return [required(path, "one of " + ", ".join(names))]
    return [forbidden_value(f"{path}.{name}", "may not give more than one source") for name in given[1:]]


def _check_changes(operation: Operation, new: Object, old: Object | None) -> list[Cause]:
    """As in Kubernetes, only images and tolerations of a Pod may change; and it may be bound to a node, once."""
    if old is None or _fixed_part(new) == _fixed_part(old):
        before = node_of(old) if old is not None else ""
        moved = before and node_of(new) != before
        return [forbidden_value("spec.nodeName", "a Pod stays where it is bound")] if moved else []
    changeable = "`spec.containers[*].image`, `spec.tolerations` and, once, `spec.nodeName`"
    return [forbidden_value("spec", f"pod updates may not change fields other than {changeable}")]


def _fixed_part(value: Object) -> Object:
    spec = copy.deepcopy(value["spec"])
    for name in ("nodeName", "tolerations"):
        spec.pop(name, None)
    for container in spec["containers"]:
        container.pop("image", None)
    return dict(spec)


def _runs_on_a_node(operation: Operation, value: Object) -> bool:
    """Bound to a node that is still there: then only the node can say that nothing runs any more."""
    return bool(node_of(value)) and operation.transaction.get(NODES, "", node_of(value)) is not None


# ---- cells
def _statuses(value: Object) -> list[Object]:
    return list((value.get("status") or {}).get("containerStatuses") or [])


def _ready(value: Object, now_ms: int) -> str:
    ready = sum(1 for one in _statuses(value) if one.get("ready"))
    return f"{ready}/{len(value['spec']['containers'])}"


def _status(value: Object, now_ms: int) -> str:
    """The most telling word: a deletion, a container's trouble, else the phase."""
    if value["metadata"].get("deletionTimestamp"):
        return "Terminating"
    status = value.get("status") or {}
    for one in _statuses(value):
        state = one.get("state") or {}
        for name in ("waiting", "terminated"):
            if state.get(name, {}).get("reason"):
                return str(state[name]["reason"])
    return str(status.get("reason") or status.get("phase") or "Unknown")


def _restarts(value: Object, now_ms: int) -> str:
    total = sum(int(one.get("restartCount") or 0) for one in _statuses(value))
    ends = [((one.get("lastState") or {}).get("terminated") or {}).get("finishedAt") for one in _statuses(value)]
    last = max((end for end in ends if end), default=None)
    return f"{total} ({age_of(last, now_ms)} ago)" if total and last else str(total)


def _images(value: Object, now_ms: int) -> str:
    return ",".join(container["image"] for container in value["spec"]["containers"])
