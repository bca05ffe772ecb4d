"""What clients ask before anything else: versions, groups, resources."""

from __future__ import annotations

import sys
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from edgelite_hub.api.errors import json_response
from edgelite_hub.api.hub import Hub
from edgelite_hub.model.registry import Kind, Registry
from edgelite_hub.model.status import no_such_path
from edgelite_protocol.release import VERSION

KUBERNETES_MAJOR, KUBERNETES_MINOR = "1", "32"  # whose behaviour is followed


def routes(hub: Hub) -> list[Route]:
    registry = hub.registry

    async def ready(request: Request) -> Response:
        return PlainTextResponse("ok") if hub.is_ready else PlainTextResponse("starting or stopping", 503)

    async def group(request: Request) -> Response:
        return json_response(_group(registry, request.path_params["group"]))

    async def resources(request: Request) -> Response:
        names = request.path_params
        return json_response(_resources(registry, names.get("group", ""), names["version"]))

    fixed = {
        "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
        "/apis": _group_list(registry),
        "/version": _version(),
        "/version/": _version(),
        "/": {"paths": ["/api", "/apis", "/openapi/v3", "/readyz", "/livez", "/version"]},
    }
    return [
        *(_fixed(path, value) for path, value in fixed.items()),
        *(Route(path, _alive, methods=["GET"]) for path in ("/livez", "/healthz")),
        Route("/readyz", ready, methods=["GET"]),
        Route("/api/{version}", resources, methods=["GET"]),
        Route("/apis/{group}", group, methods=["GET"]),
        Route("/apis/{group}/{version}", resources, methods=["GET"]),
    ]


def _fixed(path: str, value: dict[str, Any]) -> Route:
    async def answer(request: Request) -> Response:
        return json_response(value)

    return Route(path, answer, methods=["GET"])


async def _alive(request: Request) -> Response:
    return PlainTextResponse("ok")


def _version() -> dict[str, str]:
    return {
        "major": KUBERNETES_MAJOR,
        "minor": KUBERNETES_MINOR,
        "gitVersion": f"v{KUBERNETES_MAJOR}.{KUBERNETES_MINOR}.0+edgelite.{VERSION}",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": sys.implementation.name,
        "platform": sys.platform,
    }


def _group_list(registry: Registry) -> dict[str, Any]:
    groups = [_group_entry(name, versions) for name, versions in registry.groups().items()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def _group(registry: Registry, name: str) -> dict[str, Any]:
    versions = registry.groups().get(name)
    if versions is None:
        raise no_such_path()
    return {"kind": "APIGroup", "apiVersion": "v1", **_group_entry(name, versions)}


def _group_entry(name: str, versions: list[str]) -> dict[str, Any]:
    entries = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": entries, "preferredVersion": entries[0]}


def _resources(registry: Registry, group: str, version: str) -> dict[str, Any]:
    kinds = [kind for kind in registry if (kind.group, kind.version) == (group, version)]
    if not kinds:
        raise no_such_path()
    rows = [row for kind in kinds for row in _rows(kind)]
    api_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": rows}


def _rows(kind: Kind) -> list[dict[str, Any]]:
    row: dict[str, Any] = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": sorted(kind.verbs),
    }
    if kind.short_names:
        row["shortNames"] = list(kind.short_names)
    if kind.categories:
        row["categories"] = list(kind.categories)
    rows = [row]
    if kind.status:
        rows.append(_subresource(kind, "status", ["get", "patch", "update"]))
    return rows + [_subresource(kind, name, ["get"]) for name in kind.subresources]


def _subresource(kind: Kind, name: str, verbs: list[str]) -> dict[str, Any]:
    return {
        "name": f"{kind.plural}/{name}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": verbs,
    }
