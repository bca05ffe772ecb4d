"""Node: made when a node joins, its status written by the hub from what the node says."""

from __future__ import annotations

from typing import Any

from edgelite_hub.kinds.common import AGE, NAME, object_schema
from edgelite_hub.kinds.statuses import NODE_STATUS
from edgelite_hub.model.objects import Object
from edgelite_hub.model.registry import Column, Kind
from edgelite_hub.model.schema import Boolean, Open, Sequence, Struct, Text

_ROLE_LABEL = "node-role.kubernetes.io/"

_TAINT = Struct(
    fields={
        "key": Text(required=True, empty=False),
        "value": Text(),
        "effect": Text(required=True, enum=("NoSchedule", "PreferNoSchedule", "NoExecute")),
        "timeAdded": Text(),
    }
)

_SPEC = Struct(
    fields={
        "unschedulable": Boolean(description="No controller places new Pods here."),
        "taints": Sequence(item=_TAINT, merge_key="key", unique=False),
        "podCIDR": Text(),
        "podCIDRs": Sequence(item=Text()),
        "providerID": Text(),
        "externalID": Text(),
        "configSource": Open(),
    }
)


def node() -> Kind:
    return Kind(
        group="",
        version="v1",
        kind="Node",
        plural="nodes",
        singular="node",
        short_names=("no",),
        namespaced=False,
        status=True,
        schema=object_schema(spec=_SPEC, status=NODE_STATUS),
        columns=(
            NAME,
            Column("Status", _status, description="Ready while the node's session is alive."),
            Column("Roles", _roles),
            AGE,
            Column("Version", lambda value, _: _info(value, "kubeletVersion")),
            Column("Internal-IP", _address, priority=1),
            Column("OS-Image", lambda value, _: _info(value, "osImage"), priority=1),
            Column("Kernel-Version", lambda value, _: _info(value, "kernelVersion"), priority=1),
            Column("Container-Runtime", lambda value, _: _info(value, "containerRuntimeVersion"), priority=1),
        ),
    )


def _status(value: Object, now_ms: int) -> str:
    conditions = {one.get("type"): one.get("status") for one in value.get("status", {}).get("conditions") or []}
    words = ["Ready" if conditions.get("Ready") == "True" else "NotReady" if "Ready" in conditions else "Unknown"]
    words += ["Diverged"] if conditions.get("Diverged") == "True" else []
    words += ["SchedulingDisabled"] if (value.get("spec") or {}).get("unschedulable") else []
    return ",".join(words)


def _roles(value: Object, now_ms: int) -> str:
    labels = value["metadata"].get("labels") or {}
    roles = sorted(key.removeprefix(_ROLE_LABEL) for key in labels if key.startswith(_ROLE_LABEL))
    return ",".join(roles) or "<none>"


def _info(value: Object, key: str) -> Any:
    return (value.get("status", {}).get("nodeInfo") or {}).get(key, "")


def _address(value: Object, now_ms: int) -> str:
    addresses = value.get("status", {}).get("addresses") or []
    return next((one["address"] for one in addresses if one.get("type") == "InternalIP"), "<none>")
