"""JoinToken and Artifact, our own kinds. Their hooks are added by who serves them."""

from __future__ import annotations

from typing import Any

from edgelite_hub.kinds.common import AGE, LABELS, NAME, object_schema
from edgelite_hub.model import text_checks
from edgelite_hub.model.objects import Object
from edgelite_hub.model.registry import READ_VERBS, Column, Kind
from edgelite_hub.model.schema import Integer, Open, Struct, Text

GROUP = "edgelite.dev"
VERSION = "v1"

_TOKEN_SPEC = Struct(
    default={},
    fields={
        "description": Text(),
        "ttlSeconds": Integer(minimum=1),
        "expiresAt": Text(check=text_checks.time),
        "uses": Integer(minimum=1, description="How many nodes may join with it; absent: any number."),
        "nodeNamePattern": Text(description="A shell pattern that the node's name must match."),
        "nodeLabels": LABELS,
    },
)

_ARTIFACT_SPEC = Struct(default={}, fields={"description": Text()})


def join_token() -> Kind:
    return Kind(
        group=GROUP,
        version=VERSION,
        kind="JoinToken",
        plural="jointokens",
        singular="jointoken",
        namespaced=False,
        verbs=("create", "delete", "deletecollection", "get", "list", "watch"),
        schema=object_schema(spec=_TOKEN_SPEC, status=Open()),
        columns=(
            NAME,
            Column("Id", lambda value, _: _status(value, "id")),
            Column("Expires", lambda value, _: (value.get("spec") or {}).get("expiresAt", "")),
            Column("Expired", lambda value, _: str(bool(_status(value, "expired"))).lower()),
            Column("Uses", lambda value, _: _status(value, "uses") or 0, type="integer"),
            Column("Description", lambda value, _: (value.get("spec") or {}).get("description", ""), priority=1),
            AGE,
        ),
    )


def artifact() -> Kind:
    """Made by pushing its bytes; the generic verbs read and delete it."""
    return Kind(
        group=GROUP,
        version=VERSION,
        kind="Artifact",
        plural="artifacts",
        singular="artifact",
        namespaced=False,
        verbs=("delete", "deletecollection", *READ_VERBS),
        schema=object_schema(spec=_ARTIFACT_SPEC, status=Open()),
        columns=(
            NAME,
            Column("Tags", _tags),
            Column("Digest", lambda value, _: str(_status(value, "digest"))[:19]),
            Column("Size", lambda value, _: _status(value, "sizeBytes") or 0, type="integer"),
            AGE,
        ),
    )


def _status(value: Object, key: str) -> Any:
    return (value.get("status") or {}).get(key, "")


def _tags(value: Object, now_ms: int) -> str:
    tags = _status(value, "tags") or {}
    return ",".join(sorted(tags)) if isinstance(tags, dict) else ""
