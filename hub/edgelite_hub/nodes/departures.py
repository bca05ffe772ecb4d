"""Objects that may go because nothing of them runs any more: a node said so, or no node can have it."""

from __future__ import annotations

from edgelite_hub.environment import Environment
from edgelite_hub.model.objects import Object, name_of, namespace_of, uid_of
from edgelite_hub.model.strategy import Operation
from edgelite_hub.model.verbs import Verbs
from edgelite_hub.security.authz import ADMIN, Subject
from edgelite_hub.store.contract import Transaction


def confirm_gone(transaction: Transaction, environment: Environment, resource: str, value: Object) -> bool:
    """Whether the object, which is being deleted, is gone now: one that has finalizers stays until they are removed."""
    subject = Subject(ADMIN, "hub")
    operation = Operation(transaction, subject, environment.unix_ms(), environment.random_bytes)
    kind = environment.registry[resource]
    return Verbs(environment.registry).confirm_gone(kind, operation, namespace_of(value), name_of(value), uid_of(value))
