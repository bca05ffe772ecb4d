"""From what a person types (`po`, `pod`, `devices`) or a manifest says to a place in the API, by discovery."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from edgelite_cli.client import Client
from edgelite_cli.failure import Failure
from edgelite_cli.main import EXIT_USAGE


@dataclass(frozen=True, slots=True)
class Resource:
    group_version: str
    kind: str
    plural: str
    names: frozenset[str]  # what a person may type, lower case
    namespaced: bool

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """`namespace` None means all of them."""
        root = "/api/v1" if self.group_version == "v1" else "/apis/" + self.group_version
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{scope}/{self.plural}" + (f"/{name}" if name else "")

    def title(self, name: str) -> str:
        group = self.group_version.partition("/")[0] if "/" in self.group_version else ""
        return f"{self.kind.lower()}{'.' + group if group else ''}/{name}"


def from_list(document: dict[str, Any]) -> list[Resource]:
    return [
        Resource(
            document["groupVersion"],
            entry["kind"],
            entry["name"],
            frozenset(
                name.lower()
                for name in (entry["name"], entry.get("singularName"), entry["kind"], *entry.get("shortNames", []))
                if name
            ),
            bool(entry["namespaced"]),
        )
        for entry in document["resources"]
        if "/" not in entry["name"]
    ]


def discover(client: Client) -> list[Resource]:
    groups = client.request("GET", "/apis")["groups"]
    versions = [group["preferredVersion"]["groupVersion"] for group in groups]
    documents = [client.request("GET", "/api/v1"), *(client.request("GET", "/apis/" + version) for version in versions)]
    return [resource for document in documents for resource in from_list(document)]


def by_name(resources: list[Resource], name: str) -> Resource:
    short, _, group = name.lower().partition(".")
    for resource in resources:
        if short in resource.names and resource.group_version.startswith(group):
            return resource
    known = sorted(resource.plural for resource in resources)
    close = difflib.get_close_matches(short, known, 1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    raise Failure(f"the hub has no kind '{name}'; {hint}It knows: {', '.join(known)}", EXIT_USAGE)


def by_manifest(resources: list[Resource], manifest: dict[str, Any], source: str) -> Resource:
    """Failure where apiVersion or kind is absent or unknown; everything else is the server's to judge."""
    version, kind = manifest.get("apiVersion"), manifest.get("kind")
    for field, value in (("apiVersion", version), ("kind", kind)):
        if not isinstance(value, str) or not value:
            raise Failure(f"{source}: {field} is missing")
    for resource in resources:
        if resource.group_version == version and resource.kind == kind:
            return resource
    same = [f"{resource.group_version} {resource.kind}" for resource in resources if resource.kind == kind]
    known = ", ".join(same or sorted(f"{resource.group_version} {resource.kind}" for resource in resources))
    raise Failure(f"{source}: the hub does not know apiVersion {version} kind {kind}; it knows: {known}")
