"""Objects on their way into a simulated hub: through the admission and the verbs that its API uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from edgelite_hub.kinds.core import DEFAULT_NAMESPACE
from edgelite_hub.model.admission import STRICT, admit
from edgelite_hub.model.objects import Object
from edgelite_hub.model.registry import Kind, Registry
from edgelite_hub.model.strategy import Operation
from edgelite_hub.model.verbs import DeleteOptions, Verbs, ensure_default_namespace
from edgelite_hub.security.authz import ADMIN, Subject
from edgelite_hub.store.contract import Transaction
from edgelite_protocol.errors import MisuseError

PERSON = Subject(ADMIN, "admin")

RandomBytes = Callable[[int], bytes]


def documents(manifest: Object | str) -> list[Object]:
    if not isinstance(manifest, str):
        return [manifest]
    return [value for value in yaml.load_all(manifest, Loader=yaml.SafeLoader) if value is not None]


def kind_of(registry: Registry, value: Any) -> Kind:
    """By apiVersion and kind; MisuseError names what there is."""
    version, name = (value.get("apiVersion"), value.get("kind")) if isinstance(value, dict) else (None, None)
    for kind in registry:
        if (kind.api_version, kind.kind) == (version, name):
            return kind
    known = ", ".join(f"{kind.api_version} {kind.kind}" for kind in registry)
    raise MisuseError(f"no kind {version} {name}: there are {known}")


def find_kind(registry: Registry, resource: str) -> Kind:
    """By "pods", "Pod", "pod" or the store's name; MisuseError names what there is."""
    for kind in registry:
        if resource in (kind.resource, kind.plural, kind.singular, kind.kind, *kind.short_names):
            return kind
    raise MisuseError(f"no resource {resource!r}: there are {', '.join(kind.resource for kind in registry)}")


def apply(
    registry: Registry, kind: Kind, value: Object, now_ms: int, random_bytes: RandomBytes, transaction: Transaction
) -> Object:
    """Create or replace; what is shown once stands in the answer's status, as in the API's."""
    admitted, _ = admit(kind, value, STRICT)
    verbs, operation = Verbs(registry), Operation(transaction, PERSON, now_ms, random_bytes)
    ensure_default_namespace(registry, operation)
    metadata = admitted["metadata"]
    namespace = str(metadata.get("namespace") or DEFAULT_NAMESPACE) if kind.namespaced else ""
    name = metadata.get("name")
    if name and transaction.get(kind.resource, namespace, name) is not None:
        return verbs.replace(kind, operation, namespace, name, admitted)
    created = verbs.create(kind, operation, namespace, admitted)
    if not operation.answer_status:
        return created
    return {**created, "status": {**(created.get("status") or {}), **operation.answer_status}}


def delete(
    registry: Registry,
    kind: Kind,
    namespace: str,
    name: str,
    now_ms: int,
    random_bytes: RandomBytes,
    transaction: Transaction,
) -> None:
    operation = Operation(transaction, PERSON, now_ms, random_bytes)
    Verbs(registry).delete(kind, operation, namespace, name, DeleteOptions())
