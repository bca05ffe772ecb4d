"""What a node may touch, asked of the one authorization function."""

from __future__ import annotations

from edgelite_hub.authz import NODE, Subject, authorize
from edgelite_hub.objects import ARTIFACTS, Object, name_of, namespace_of, node_of


def node_may_report(node: str, resource: str, value: Object) -> bool:
    """Whether a node may write the status of an object: its own Pods and Devices, nobody else's."""
    decision = authorize(
        Subject(NODE, node), "update", resource + "/status", namespace_of(value), name_of(value), node_of(value)
    )
    return decision.allowed


def node_may_fetch(node: str, is_named_by_its_pods: bool) -> bool:
    """Whether a node may read an artifact: one that its own Pods name."""
    owner = node if is_named_by_its_pods else None
    return authorize(Subject(NODE, node), "get", ARTIFACTS, "", owner=owner).allowed
