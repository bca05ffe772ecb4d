"""Who may do what: one function of subject, verb, resource, namespace, name and owner, over one table.

`resource` is the registry's name, with "/status" and the like for a subresource; `owner` is the node that the object
is bound to (spec.nodeName of a Pod or Device; the node whose Pods name a ConfigMap, Secret or Artifact), None where the
caller knows none. What no row allows is refused.

A node writes twins as the status of its Devices, and samples as their telemetry: these also of Devices that it once
had, under its own name, because what it measured may arrive after a Device was deleted or moved. "certificates"
stands for the node's own certificate, which is no object of the API.
"""

from __future__ import annotations

from dataclasses import dataclass

ADMIN = "admin"
NODE = "node"
EXPIRED_NODE = "expired-node"
ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Subject:
    kind: str  # ADMIN, NODE, EXPIRED_NODE, ANONYMOUS
    name: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    allowed: bool
    reason: str

    def __bool__(self) -> bool:
        return self.allowed


@dataclass(frozen=True, slots=True)
class Rule:
    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    condition: str  # _SELF: the object's name is the subject's; _OWNED: its owner is


_SELF = "self"
_OWNED = "owned"

_RENEW = Rule(("renew",), ("certificates",), _SELF)

RULES: dict[str, tuple[Rule, ...]] = {
    NODE: (
        Rule(("get",), ("nodes",), _SELF),
        Rule(("update", "patch"), ("nodes/status",), _SELF),
        Rule(("get", "list", "watch"), ("pods", "devices.devices.kubeedge.io"), _OWNED),
        Rule(("update", "patch"), ("pods/status", "devices.devices.kubeedge.io/status"), _OWNED),
        Rule(("create",), ("devices.devices.kubeedge.io/telemetry",), _OWNED),
        Rule(("get",), ("configmaps", "secrets", "artifacts.edgelite.dev"), _OWNED),
        _RENEW,
    ),
    EXPIRED_NODE: (_RENEW,),
    ANONYMOUS: (),
}


def authorize(
    subject: Subject, verb: str, resource: str, namespace: str, name: str | None = None, owner: str | None = None
) -> Decision:
    """Never raises; a subject of an unknown kind may do nothing."""
    if subject.kind == ADMIN:
        return Decision(True, "administrator")
    for rule in RULES.get(subject.kind, ()):
        if verb in rule.verbs and resource in rule.resources and _meets(rule, subject, name, owner):
            return Decision(True, f"{subject.kind} {subject.name}: its own")
    where = f' in the namespace "{namespace}"' if namespace else ""
    who = f"{subject.kind} {subject.name}".strip()
    return Decision(False, f'{who} cannot {verb} resource "{resource}"{where}')


def _meets(rule: Rule, subject: Subject, name: str | None, owner: str | None) -> bool:
    if not subject.name:
        return False
    return (name if rule.condition == _SELF else owner) == subject.name
