"""The kinds that the hub knows."""

from __future__ import annotations

from ..objects import Object
from ..registry import Kind
from ..status import conflict
from ..strategy import Operation
from .apps import daemon_set
from .core import config_map, event, namespace, secret
from .devices import device, device_model
from .edgelite import artifact, join_token
from .nodes import node
from .pods import pod


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
