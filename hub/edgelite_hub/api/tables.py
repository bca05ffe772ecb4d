"""Tables: what kubectl asks for when it prints. Rows carry metadata, so that a watch can tell them apart."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from edgelite_hub.model.objects import Object
from edgelite_hub.model.registry import Kind

API_VERSION = "meta.k8s.io/v1"


def wants_table(request: Request) -> bool:
    """The first media type of Accept that can be served decides."""
    for entry in request.headers.get("accept", "").split(","):
        parameters = dict(part.strip().partition("=")[::2] for part in entry.split(";")[1:])
        name = entry.split(";")[0].strip()
        if parameters.get("as") == "Table" and parameters.get("v") == "v1" and name in ("application/json", "*/*"):
            return True
        if name in ("application/json", "*/*") and "as" not in parameters:
            return False
    return False


def table(kind: Kind, items: list[Object], now_ms: int, include: str, metadata: dict[str, Any]) -> dict[str, Any]:
    """`include`: None, Metadata (the default) or Object, for each row's object."""
    return {
        "kind": "Table",
        "apiVersion": API_VERSION,
        "metadata": metadata,
        "columnDefinitions": [_definition(kind, index) for index in range(len(kind.columns))],
        "rows": [_row(kind, item, now_ms, include) for item in items],
    }


def _definition(kind: Kind, index: int) -> dict[str, Any]:
    column = kind.columns[index]
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _row(kind: Kind, item: Object, now_ms: int, include: str) -> dict[str, Any]:
    row: dict[str, Any] = {"cells": [column.cell(item, now_ms) for column in kind.columns]}
    if include == "Object":
        row["object"] = item
    elif include != "None":
        row["object"] = {"kind": "PartialObjectMetadata", "apiVersion": API_VERSION, "metadata": item["metadata"]}
    return row
