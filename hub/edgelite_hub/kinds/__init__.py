"""The kinds that the hub knows."""

from __future__ import annotations

from edgelite_hub.kinds.apps import daemon_set
from edgelite_hub.kinds.core import config_map, event, namespace, secret
from edgelite_hub.kinds.devices import device, device_model
from edgelite_hub.kinds.edgelite import artifact, join_token
from edgelite_hub.kinds.nodes import node
from edgelite_hub.kinds.pods import pod
from edgelite_hub.model.objects import Object
from edgelite_hub.model.registry import Kind, Registry
from edgelite_hub.model.status import conflict
from edgelite_hub.model.strategy import Operation


def all_kinds() -> list[Kind]:
    """In the order of discovery: where two kinds share a short name, the first has it."""
    namespaces = namespace()
    kinds = [
        namespaces,
        node(),
        pod(),
        config_map(),
        secret(),
        event(),
        daemon_set(),
        device_model(),
        device(),
        join_token(),
        artifact(),
    ]
    inside = [kind.resource for kind in kinds if kind.namespaced]

    def keep_while_used(operation: Operation, value: Object) -> None:
        """No cascade: who deletes a namespace by mistake would stop every node's work."""
        name = value["metadata"]["name"]
        used = [resource for resource in inside if next(operation.transaction.list(resource, name), None)]
        if used:
            raise conflict("namespaces", "", name, f"the namespace is not empty: delete its {', '.join(used)} first")

    namespaces.strategy.before_delete.append(keep_while_used)
    return kinds


def default_registry() -> Registry:
    """A fresh table with fresh strategies, so that one hub's hooks are never another's."""
    return Registry(all_kinds())
