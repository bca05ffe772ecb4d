"""OpenAPI v3, printed from the schemas: as much as `kubectl apply`, `create` and `explain` read of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edgelite_hub.api.errors import json_response
from edgelite_hub.model import schema
from edgelite_hub.model.registry import Kind, Registry
from edgelite_hub.model.status import no_such_path
from edgelite_protocol.release import VERSION


def routes(registry: Registry) -> list[Route]:
    async def index(request: Request) -> Response:
        paths = {_path(kind): {"serverRelativeURL": f"/openapi/v3/{_path(kind)}?hash={VERSION}"} for kind in registry}
        return json_response({"paths": paths})

    async def document(request: Request) -> Response:
        kinds = [kind for kind in registry if _path(kind) == request.path_params["path"]]
        if not kinds:
            raise no_such_path()
        return json_response(_document(kinds))

    return [
        Route("/openapi/v3", index, methods=["GET"]),
        Route("/openapi/v3/{path:path}", document, methods=["GET"]),
    ]


def _path(kind: Kind) -> str:
    return ("apis/" if kind.group else "api/") + kind.api_version


def _document(kinds: list[Kind]) -> dict[str, Any]:
    return {
        "openapi": "3.0.0",
        "info": {"title": "edgelite", "version": VERSION},
        "paths": dict(_operation(kind) for kind in kinds),
        "components": {"schemas": {_schema_name(kind): _kind_schema(kind) for kind in kinds}},
    }


def _operation(kind: Kind) -> tuple[str, dict[str, Any]]:
    inside = "/namespaces/{namespace}" if kind.namespaced else ""
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("dryRun", "fieldValidation")]
    operation = {
        "operationId": f"patch{kind.kind}",
        "parameters": parameters,
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": _names(kind),
    }
    return f"/{_path(kind)}{inside}/{kind.plural}/{{name}}", {"patch": operation}


def _names(kind: Kind) -> dict[str, str]:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _schema_name(kind: Kind) -> str:
    return ".".join([*reversed((kind.group or "core").split(".")), kind.version, kind.kind])


def _kind_schema(kind: Kind) -> dict[str, Any]:
    return {**describe(kind.schema), "x-kubernetes-group-version-kind": [_names(kind)]}


def describe(type_: schema.Type) -> dict[str, Any]:
    """A type as a JSON schema. Refused fields are left out: there is nothing that one could write there."""
    described = _DESCRIBERS[type(type_)](type_)
    if type_.description:
        described["description"] = type_.description
    if type_.default is not None:
        described["default"] = type_.default
    return described


def _struct(type_: schema.Struct) -> dict[str, Any]:
    fields = {name: one for name, one in type_.fields.items() if not isinstance(one, schema.Refused)}
    described: dict[str, Any] = {"type": "object", "properties": {name: describe(one) for name, one in fields.items()}}
    required = [name for name, one in fields.items() if one.required]
    if type_.keeps_unknown:
        described["x-kubernetes-preserve-unknown-fields"] = True
    return described | ({"required": required} if required else {})


def _sequence(type_: schema.Sequence) -> dict[str, Any]:
    described: dict[str, Any] = {"type": "array", "items": describe(type_.item)}
    if type_.merge_key:
        described |= {"x-kubernetes-patch-merge-key": type_.merge_key, "x-kubernetes-patch-strategy": "merge"}
    return described


def _open(type_: schema.Open) -> dict[str, Any]:
    return {"x-kubernetes-preserve-unknown-fields": True} | ({"type": "object"} if type_.structure else {})


def _text(type_: schema.Text) -> dict[str, Any]:
    return {"type": "string"} | ({"enum": list(type_.enum)} if type_.enum else {})


_DESCRIBERS: dict[type, Callable[[Any], dict[str, Any]]] = {
    schema.Struct: _struct,
    schema.Sequence: _sequence,
    schema.Mapping: lambda type_: {"type": "object", "additionalProperties": describe(type_.value)},
    schema.Text: _text,
    schema.Integer: lambda type_: {"type": "integer", "format": "int64"},
    schema.Number: lambda type_: {"type": "number"},
    schema.Boolean: lambda type_: {"type": "boolean"},
    schema.IntegerOrText: lambda type_: {"x-kubernetes-int-or-string": True},
    schema.Open: _open,
}
