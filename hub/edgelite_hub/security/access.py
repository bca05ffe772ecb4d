"""What a node may touch, asked of the one authorization function."""

from __future__ import annotations

from collections.abc import Callable

from edgelite_hub.model.objects import ARTIFACTS, DEVICES, NODES, Object, name_of, namespace_of, node_of
from edgelite_hub.security.authz import ANONYMOUS, EXPIRED_NODE, NODE, Subject, authorize
from edgelite_hub.security.identity import EXPIRED, REVOKED, VALID


def node_may_report(node: str, resource: str, value: Object) -> bool:
    """Whether a node may write the status of an object: its own Pods and Devices, nobody else's."""
    decision = authorize(
        Subject(NODE, node), "update", resource + "/status", namespace_of(value), name_of(value), node_of(value)
    )
    return decision.allowed


def node_may_add_samples(node: str, was_given_to_it: bool) -> bool:
    """Whether a node may add samples of a Device: one that it has, or once had."""
    owner = node if was_given_to_it else None
    return authorize(Subject(NODE, node), "create", DEVICES + "/telemetry", "", owner=owner).allowed


def node_may_fetch(node: str, is_named_by_its_pods: bool) -> bool:
    """Whether a node may read an artifact: one that its own Pods name."""
    owner = node if is_named_by_its_pods else None
    return authorize(Subject(NODE, node), "get", ARTIFACTS, "", owner=owner).allowed


def node_may_open_session(node: str, verdict: str) -> bool:
    """`verdict` is identity.judge's on the certificate that the node showed."""
    return authorize(_SUBJECTS[verdict](node), "update", NODES + "/status", "", node).allowed


def node_may_renew(node: str, verdict: str) -> bool:
    return authorize(_SUBJECTS[verdict](node), "renew", "certificates", "", node).allowed


_SUBJECTS: dict[str, Callable[[str], Subject]] = {
    VALID: lambda node: Subject(NODE, node),
    EXPIRED: lambda node: Subject(EXPIRED_NODE, node),
    REVOKED: lambda node: Subject(ANONYMOUS),
}
