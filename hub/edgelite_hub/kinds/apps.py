"""DaemonSet: one Pod on each node that its nodeSelector selects."""

from __future__ import annotations

from typing import Any

from edgelite_hub.kinds.common import AGE, NAME, label_selector, object_schema
from edgelite_hub.kinds.pod_schema import POD_TEMPLATE
from edgelite_hub.kinds.pods import check_pod_spec
from edgelite_hub.kinds.statuses import DAEMON_SET_STATUS
from edgelite_hub.model.objects import PODS, Object
from edgelite_hub.model.registry import Column, Kind
from edgelite_hub.model.schema import Integer, IntegerOrText, Refused, Struct, Text
from edgelite_hub.model.selectors import matches_label_selector
from edgelite_hub.model.status import Cause, invalid_value, not_supported, required
from edgelite_hub.model.strategy import Operation, Strategy

_ROLLING_UPDATE = Struct(
    fields={
        "maxUnavailable": IntegerOrText(),
        "maxSurge": Refused(harmless=(0, "0", "0%")),
    }
)

_SPEC = Struct(
    required=True,
    fields={
        "selector": label_selector(required=True),
        "template": POD_TEMPLATE,
        "updateStrategy": Struct(
            default={"type": "RollingUpdate"},
            fields={
                "type": Text(default="RollingUpdate", enum=("RollingUpdate", "OnDelete")),
                "rollingUpdate": _ROLLING_UPDATE,
            },
        ),
        "minReadySeconds": Integer(minimum=0),
        "revisionHistoryLimit": Integer(default=10, minimum=0),
    },
)

# Clients refuse a whole list where one of these integers is missing.
_STORED_STATUS: Object = {
    "currentNumberScheduled": 0,
    "desiredNumberScheduled": 0,
    "numberMisscheduled": 0,
    "numberReady": 0,
}


def daemon_set() -> Kind:
    return Kind(
        group="apps",
        version="v1",
        kind="DaemonSet",
        plural="daemonsets",
        singular="daemonset",
        short_names=("ds",),
        categories=("all",),
        status=True,
        dependents=(PODS,),
        schema=object_schema(spec=_SPEC, status=DAEMON_SET_STATUS),
        stored_status=_STORED_STATUS,
        columns=(
            NAME,
            _count("Desired", "desiredNumberScheduled"),
            _count("Current", "currentNumberScheduled"),
            _count("Ready", "numberReady"),
            _count("Up-to-date", "updatedNumberScheduled"),
            _count("Available", "numberAvailable"),
            Column("Node Selector", _node_selector),
            AGE,
        ),
        strategy=Strategy(validate=[_check_template, _check_selector]),
    )


def _check_template(operation: Operation, new: Object, old: Object | None) -> list[Cause]:
    spec = new["spec"]["template"]["spec"]
    causes = check_pod_spec(spec, "spec.template.spec")
    if spec["restartPolicy"] != "Always":
        causes.append(not_supported("spec.template.spec.restartPolicy", spec["restartPolicy"], ("Always",)))
    if spec.get("nodeName"):
        message = "a DaemonSet chooses nodes by nodeSelector"
        causes.append(invalid_value("spec.template.spec.nodeName", spec["nodeName"], message))
    return causes


def _check_selector(operation: Operation, new: Object, old: Object | None) -> list[Cause]:
    selector = new["spec"]["selector"]
    labels = (new["spec"]["template"].get("metadata") or {}).get("labels") or {}
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        return [required("spec.selector", "an empty selector would select every Pod")]
    if not matches_label_selector(selector, labels):
        return [invalid_value("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")]
    if old is not None and old["spec"]["selector"] != selector:
        return [invalid_value("spec.selector", selector, "field is immutable")]
    return []


def _count(name: str, key: str) -> Column:
    def cell(value: Object, now_ms: int) -> Any:
        return (value.get("status") or {}).get(key, 0)

    return Column(name, cell, type="integer")


def _node_selector(value: Object, now_ms: int) -> str:
    selector = value["spec"]["template"]["spec"].get("nodeSelector") or {}
    return ",".join(f"{key}={selector[key]}" for key in sorted(selector)) or "<none>"
