"""What a path under /api or /apis names: a kind, a namespace, a name, a subresource."""

from __future__ import annotations

from dataclasses import dataclass

from edgelite_hub.model.registry import Kind, Registry
from edgelite_hub.model.status import no_such_path

STATUS = "status"


@dataclass(frozen=True, slots=True)
class Target:
    kind: Kind
    namespace: str | None  # None: all of them, or the kind has none
    name: str | None  # None: the collection
    subresource: str = ""


def parse(registry: Registry, group: str, version: str, rest: str) -> Target:
    """`rest` is what follows the version; StatusError 404."""
    parts = rest.split("/")
    if not all(parts):
        raise no_such_path()
    namespace = None
    # /namespaces/x and /namespaces/x/status are the namespace itself, all that is longer lies in it
    if parts[0] == "namespaces" and len(parts) > 2 and parts[2] != STATUS:
        namespace, parts = parts[1], parts[2:]
    kind = registry.find(group, version, parts[0])
    if kind is None or len(parts) > 3:
        raise no_such_path()
    name = parts[1] if len(parts) > 1 else None
    subresource = parts[2] if len(parts) > 2 else ""
    _check(kind, namespace, name, subresource)
    return Target(kind, namespace, name, subresource)


def _check(kind: Kind, namespace: str | None, name: str | None, subresource: str) -> None:
    if kind.namespaced != (namespace is not None) and (namespace is not None or name is not None):
        raise no_such_path()
    if subresource and not (subresource == STATUS and kind.status):
        raise no_such_path()
