"""What all kinds share: metadata, and the cells of every table."""

from __future__ import annotations

from edgelite_hub.model import text_checks
from edgelite_hub.model.objects import Object, parse_rfc3339
from edgelite_hub.model.registry import Column
from edgelite_hub.model.schema import Boolean, Integer, Mapping, Open, Refused, Sequence, Struct, Text, Type

ANNOTATIONS_BYTES_MAX = 256 * 1024  # Kubernetes' bound on all annotations of one object

LABELS = Mapping(
    value=Text(check=text_checks.label_value),
    key_check=text_checks.label_key,
    description="Words to select the object by.",
)

_OWNER_REFERENCE = Struct(
    fields={
        "apiVersion": Text(required=True, empty=False),
        "kind": Text(required=True, empty=False),
        "name": Text(required=True, empty=False),
        "uid": Text(required=True, empty=False),
        "controller": Boolean(),
        "blockOwnerDeletion": Boolean(),
    }
)

METADATA = Struct(
    default={},
    description="Name, labels and what the hub notes of the object.",
    fields={
        "name": Text(check=text_checks.subdomain),
        "generateName": Text(length_max=253),
        "namespace": Text(check=text_checks.label),
        "labels": LABELS,
        "annotations": Mapping(value=Text(length_max=ANNOTATIONS_BYTES_MAX), key_check=text_checks.label_key),
        "finalizers": Sequence(item=Text(check=text_checks.label_key, empty=False), items_max=32),
        "ownerReferences": Sequence(item=_OWNER_REFERENCE, merge_key="uid"),
        "uid": Text(length_max=64),
        "resourceVersion": Text(length_max=32),
        "generation": Integer(),
        "creationTimestamp": Text(check=text_checks.time),
        "deletionTimestamp": Text(check=text_checks.time),
        "deletionGracePeriodSeconds": Integer(),
        "selfLink": Text(),
        "managedFields": Sequence(item=Open()),
    },
)

TEMPLATE_METADATA = Struct(
    fields={
        "name": Text(),
        "generateName": Text(),
        "namespace": Text(),
        "labels": LABELS,
        "annotations": METADATA.fields["annotations"],
        "finalizers": METADATA.fields["finalizers"],
        "creationTimestamp": Text(),
        "ownerReferences": Refused(reason="a template's objects get their owner from its controller"),
    }
)


def object_schema(**fields: Type) -> Struct:
    head: dict[str, Type] = {"apiVersion": Text(), "kind": Text(), "metadata": METADATA}
    return Struct(fields={**head, **fields})


def label_selector(required: bool) -> Struct:
    expression = Struct(
        fields={
            "key": Text(required=True, check=text_checks.label_key, empty=False),
            "operator": Text(required=True, enum=("In", "NotIn", "Exists", "DoesNotExist")),
            "values": Sequence(item=Text(check=text_checks.label_value)),
        }
    )
    return Struct(required=required, fields={"matchLabels": LABELS, "matchExpressions": Sequence(item=expression)})


# ---- cells
def name_cell(value: Object, now_ms: int) -> str:
    return str(value["metadata"]["name"])


def age_cell(value: Object, now_ms: int) -> str:
    return age_of(value["metadata"].get("creationTimestamp"), now_ms)


def age_of(time: str | None, now_ms: int) -> str:
    if not time:
        return "<unknown>"
    return duration_text(max(now_ms - parse_rfc3339(time), 0) // 1000)


def duration_text(seconds: int) -> str:
    """Short, as kubectl writes ages: two units while they matter, then one."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return _two(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    return _two(days // 365, "y", days % 365, "d") if days < 8 * 365 else f"{days // 365}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}" + (f"{small}{small_unit}" if small else "")


NAME = Column("Name", name_cell, format="name", description="Name of the object, unique in its namespace.")
AGE = Column("Age", age_cell, description="Time since the object was created.")
