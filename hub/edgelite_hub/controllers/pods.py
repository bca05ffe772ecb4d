"""Pods that no node will ever confirm: without a node, or bound to one that is not there."""

from __future__ import annotations

import copy
from collections.abc import Iterable

from edgelite_hub.controllers.common import desire, update_pod
from edgelite_hub.controllers.contract import Key, Work
from edgelite_hub.model.objects import (
    NODES,
    PODS,
    Object,
    is_terminating,
    name_of,
    namespace_of,
    node_of,
    set_condition,
)
from edgelite_hub.nodes.departures import confirm_gone
from edgelite_hub.store.contract import Change, Transaction

NO_SCHEDULER = "set spec.nodeName, or use a DaemonSet"


class PodController:
    """Keys: (namespace, name)."""

    is_patient = False

    def keys_for(self, change: Change, transaction: Transaction) -> Iterable[Key]:
        if change.resource == PODS and desire(change.old) != desire(change.new):
            return [(change.namespace, change.name)]
        if change.resource == NODES and (change.old is None or change.new is None):
            return [_key(pod) for pod in transaction.list(PODS, None, change.name)]
        return []

    def keys_at_start(self, transaction: Transaction) -> Iterable[Key]:
        return [_key(pod) for pod in transaction.list(PODS)]

    def reconcile(self, work: Work, key: Key) -> None:
        namespace, name = key
        pod = work.transaction.get(PODS, namespace, name)
        if pod is None:
            return
        node = node_of(pod)
        node_exists = bool(node) and work.transaction.get(NODES, "", node) is not None
        if is_terminating(pod) and not node_exists:
            confirm_gone(work.transaction, work.environment, PODS, pod)
        elif not node:
            _set_scheduled(work, pod, "False", "NoScheduler", NO_SCHEDULER)
        elif not node_exists:
            _set_scheduled(work, pod, "False", "NodeNotFound", f"no node {node} has joined: it starts when one does")
        else:
            _set_scheduled(work, pod, "True", "NodeNamed", "")


def _set_scheduled(work: Work, pod: Object, value: str, reason: str, message: str) -> None:
    changed = copy.deepcopy(pod)
    status = changed.setdefault("status", {})
    status.setdefault("phase", "Pending")
    if set_condition(status, "PodScheduled", value, reason, message, work.now_ms):
        update_pod(work.transaction, changed)


def _key(pod: Object) -> Key:
    return namespace_of(pod), name_of(pod)
