"""What several controllers need."""

from __future__ import annotations

import copy
from typing import Any

from edgelite_hub.model.objects import PODS, Object, is_terminating, name_of, namespace_of, rfc3339
from edgelite_hub.store.contract import Transaction

GRACE_SECONDS_DEFAULT = 30


def desire(value: Object | None) -> Any:
    """The part of an object that says what someone wants: reports and resourceVersions change the rest."""
    if value is None:
        return None
    metadata = {
        key: value["metadata"].get(key)
        for key in ("uid", "labels", "annotations", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
    }
    return metadata, value.get("spec"), value.get("data"), value.get("binaryData"), value.get("stringData")


def owner_of(value: Object, kind: str) -> tuple[str, str] | None:
    """(name, uid) of the controller of that kind that owns the object."""
    for reference in value["metadata"].get("ownerReferences") or []:
        if reference.get("kind") == kind and reference.get("controller"):
            return str(reference.get("name")), str(reference.get("uid"))
    return None


def begin_deletion(transaction: Transaction, pod: Object, now_ms: int) -> None:
    """Mark a Pod Terminating; it goes when its node confirms, or at once where no node has it."""
    if is_terminating(pod):
        return
    changed = copy.deepcopy(pod)
    grace_seconds = pod["spec"].get("terminationGracePeriodSeconds")
    grace_seconds = GRACE_SECONDS_DEFAULT if grace_seconds is None else grace_seconds
    changed["metadata"]["deletionTimestamp"] = rfc3339(now_ms + grace_seconds * 1000)
    changed["metadata"]["deletionGracePeriodSeconds"] = grace_seconds
    update_pod(transaction, changed)


def update_pod(transaction: Transaction, pod: Object) -> None:
    transaction.update(PODS, namespace_of(pod), name_of(pod), pod)
