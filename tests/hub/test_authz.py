"""Authorization, enumerated: every subject, verb, resource, name and owner against a list written by hand."""

from __future__ import annotations

import itertools

import pytest

from edgelite_hub.kinds import default_registry
from edgelite_hub.model.registry import ALL_VERBS
from edgelite_hub.security.authz import ADMIN, ANONYMOUS, EXPIRED_NODE, NODE, Subject, authorize

VERBS = (*ALL_VERBS, "renew", "impersonate", "")
KINDS = list(default_registry())
RESOURCES = (
    *(kind.resource for kind in KINDS),
    *(f"{kind.resource}/status" for kind in KINDS),
    *("pods/log", "nodes/oscore", "devices.devices.kubeedge.io/telemetry", "certificates", "unknown", ""),
)
ME, OTHER = "node-1", "node-2"
OWNERS = (ME, OTHER, None, "")
NAMES = (ME, OTHER, "app", None)

DEVICES = "devices.devices.kubeedge.io"
# All that a node may do: (verb, resource) on what is bound to it, and on what has its name.
NODE_OWNED = {
    *((verb, resource) for verb in ("get", "list", "watch") for resource in ("pods", DEVICES)),
    *((verb, f"{resource}/status") for verb in ("update", "patch") for resource in ("pods", DEVICES)),
    ("create", f"{DEVICES}/telemetry"),
    *(("get", resource) for resource in ("configmaps", "secrets", "artifacts.edgelite.dev")),
}
NODE_NAMED = {("get", "nodes"), ("update", "nodes/status"), ("patch", "nodes/status"), ("renew", "certificates")}
CASES = list(itertools.product(VERBS, RESOURCES, NAMES, OWNERS))


def expected(kind: str, verb: str, resource: str, name: str | None, owner: str | None) -> bool:
    if kind == ADMIN:
        return True
    if kind == NODE:
        return ((verb, resource) in NODE_OWNED and owner == ME) or ((verb, resource) in NODE_NAMED and name == ME)
    if kind == EXPIRED_NODE:
        return (verb, resource, name) == ("renew", "certificates", ME)
    return False


@pytest.mark.parametrize("kind", [ADMIN, NODE, EXPIRED_NODE, ANONYMOUS, "unknown"])
def test_every_verb_kind_name_and_owner(kind: str) -> None:
    subject = Subject(kind, ME)
    for verb, resource, name, owner in CASES:
        decision = authorize(subject, verb, resource, "default", name, owner)
        assert decision.allowed is expected(kind, verb, resource, name, owner), (kind, verb, resource, name, owner)
        assert bool(decision) is decision.allowed
        assert decision.reason


def test_a_node_touches_nothing_of_a_foreign_node() -> None:
    """The same, said the other way round, so that a wrong table above cannot hide it."""
    for verb, resource, name, owner in CASES:
        if ME not in (name, owner):
            assert not authorize(Subject(NODE, ME), verb, resource, "default", name, owner)


def test_a_node_without_a_name_owns_nothing() -> None:
    for verb, resource, name, owner in CASES:
        assert not authorize(Subject(NODE, ""), verb, resource, "", name, owner)


def test_a_nodes_own_name_opens_no_object_that_is_merely_called_so() -> None:
    for verb, resource in itertools.product(VERBS, RESOURCES):
        allowed = authorize(Subject(NODE, ME), verb, resource, "default", ME, OTHER).allowed
        assert allowed is ((verb, resource) in NODE_NAMED)


def test_every_row_names_a_resource_that_exists() -> None:
    assert {resource for _, resource in NODE_OWNED | NODE_NAMED} <= set(RESOURCES)


def test_refusal_says_who_and_what() -> None:
    reason = authorize(Subject(NODE, ME), "delete", "pods", "prod").reason
    assert reason == 'node node-1 cannot delete resource "pods" in the namespace "prod"'
