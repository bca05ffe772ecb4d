"""Namespace, ConfigMap, Secret, Event."""

from __future__ import annotations

import base64

from edgelite_hub.kinds.common import AGE, NAME, age_of, object_schema
from edgelite_hub.kinds.statuses import NAMESPACE_STATUS
from edgelite_hub.model import text_checks
from edgelite_hub.model.objects import Object
from edgelite_hub.model.registry import Column, Kind
from edgelite_hub.model.schema import Boolean, Integer, Mapping, Open, Sequence, Struct, Text
from edgelite_hub.model.status import Cause, duplicate, forbidden, forbidden_value, invalid_value
from edgelite_hub.model.strategy import Operation, Strategy

DEFAULT_NAMESPACE = "default"
DATA_BYTES_MAX = 1024 * 1024  # Kubernetes' bound on a ConfigMap or Secret


# ---- namespaces
def namespace() -> Kind:
    spec = Struct(fields={"finalizers": Sequence(item=Text())})
    return Kind(
        group="",
        version="v1",
        kind="Namespace",
        plural="namespaces",
        singular="namespace",
        short_names=("ns",),
        namespaced=False,
        status=True,
        generation=False,
        verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
        schema=object_schema(spec=spec, status=NAMESPACE_STATUS),
        stored_status={"phase": "Active"},
        columns=(NAME, Column("Status", lambda value, _: value.get("status", {}).get("phase", "Active")), AGE),
        strategy=Strategy(prepare=[_label_namespace], validate=[_check_namespace], before_delete=[_keep_default]),
    )


def _label_namespace(operation: Operation, new: Object, old: Object | None) -> None:
    labels = new["metadata"].setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = new["metadata"]["name"]


def _check_namespace(operation: Operation, new: Object, old: Object | None) -> list[Cause]:
    name = new["metadata"]["name"]
    problem = text_checks.label(name)
    return [invalid_value("metadata.name", name, problem)] if problem else []


def _keep_default(operation: Operation, value: Object) -> None:
    if value["metadata"]["name"] == DEFAULT_NAMESPACE:
        raise forbidden("namespaces", "", DEFAULT_NAMESPACE, "this namespace may not be deleted")


# ---- config maps and secrets
_KEYED_TEXT = Mapping(value=Text(length_max=DATA_BYTES_MAX), key_check=text_checks.data_key)
_KEYED_BYTES = Mapping(value=Text(check=text_checks.base64_text, length_max=2 * DATA_BYTES_MAX),
                       key_check=text_checks.data_key)  # fmt: skip


def config_map() -> Kind:
    return Kind(
        group="",
        version="v1",
        kind="ConfigMap",
        plural="configmaps",
        singular="configmap",
        short_names=("cm",),
        generation=False,
        schema=object_schema(data=_KEYED_TEXT, binaryData=_KEYED_BYTES, immutable=Boolean()),
        columns=(NAME, _DATA_COLUMN, AGE),
        strategy=Strategy(validate=[_check_config_map, _check_size, _check_immutable]),
    )


def _check_config_map(operation: Operation, new: Object, old: Object | None) -> list[Cause]:
    data = new.get("data") or {}
    return [duplicate(f"binaryData[{key}]", key) for key in new.get("binaryData") or {} if key in data]


def secret() -> Kind:
    fields = {
        "data": _KEYED_BYTES,
        "stringData": _KEYED_TEXT,
        "type": Text(default="Opaque", empty=False),
        "immutable": Boolean(),
    }
    return Kind(
        group="",
        version="v1",
        kind="Secret",
        plural="secrets",
        singular="secret",
        generation=False,
        schema=object_schema(**fields),
        columns=(NAME, Column("Type", lambda value, _: value.get("type", "")), _DATA_COLUMN, AGE),
        strategy=Strategy(prepare=[_fold_string_data], validate=[_check_secret_type, _check_size, _check_immutable]),
    )


def _fold_string_data(operation: Operation, new: Object, old: Object | None) -> None:
    """stringData is written and never read: each value replaces the one of its key in data."""
    given = new.pop("stringData", None)
    if given:
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in given.items()}
        new["data"] = {**(new.get("data") or {}), **encoded}


def _check_secret_type(operation: Operation, new: Object, old: Object | None) -> list[Cause]:
    if old is not None and old.get("type") != new.get("type"):
        return [invalid_value("type", new.get("type"), "field is immutable")]
    return []


def _check_size(operation: Operation, new: Object, old: Object | None) -> list[Cause]:
    parts = [new.get("data") or {}, new.get("binaryData") or {}]
    size_bytes = sum(len(key) + len(text.encode()) for part in parts for key, text in part.items())
    if size_bytes > 2 * DATA_BYTES_MAX:
        return [Cause("data", "FieldValueTooLong", f"Too long: may not be more than {2 * DATA_BYTES_MAX} bytes")]
    return []


def _check_immutable(operation: Operation, new: Object, old: Object | None) -> list[Cause]:
    if old is None or not old.get("immutable"):
        return []
    names = ("immutable", "data", "binaryData")
    changed = [name for name in names if (new.get(name) or {}) != (old.get(name) or {})]
    return [forbidden_value(name, "field is immutable when `immutable` is set") for name in changed]


def _data_count(value: Object, now_ms: int) -> int:
    return len(value.get("data") or {}) + len(value.get("binaryData") or {})


_DATA_COLUMN = Column("Data", _data_count, type="integer", description="How many keys it holds.")


# ---- events
_REFERENCE = Struct(
    required=True,
    fields={
        name: Text() for name in ("apiVersion", "fieldPath", "kind", "name", "namespace", "resourceVersion", "uid")
    },
)


def event() -> Kind:
    fields = {
        "involvedObject": _REFERENCE,
        "reason": Text(),
        "message": Text(),
        "type": Text(default="Normal"),
        "action": Text(),
        "count": Integer(),
        "firstTimestamp": Text(check=text_checks.time),
        "lastTimestamp": Text(check=text_checks.time),
        "eventTime": Text(check=text_checks.time),
        "reportingComponent": Text(),
        "reportingInstance": Text(),
        "source": Struct(fields={"component": Text(), "host": Text()}),
        "related": Open(),
        "series": Open(),
    }
    return Kind(
        group="",
        version="v1",
        kind="Event",
        plural="events",
        singular="event",
        short_names=("ev",),
        generation=False,
        schema=object_schema(**fields),
        columns=(
            Column("Last Seen", lambda value, now_ms: age_of(value.get("lastTimestamp"), now_ms)),
            Column("Type", lambda value, _: value.get("type", "")),
            Column("Reason", lambda value, _: value.get("reason", "")),
            Column("Object", _involved),
            Column("Message", lambda value, _: value.get("message", "")),
        ),
    )


def _involved(value: Object, now_ms: int) -> str:
    involved = value.get("involvedObject") or {}
    return f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}"
