"""DaemonSets: one Pod on each node that the template's nodeSelector matches.

A Pod's name is made from the node's, so that two runs never make two. A Pod of an older template is replaced:
deleted, and made anew under the same name once its node has confirmed that it is gone. All nodes at once, unless
updateStrategy.type is OnDelete: a limit on unavailable Pods would let one node that is out of reach hold up the rest.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator

from edgelite_hub.controllers.common import begin_deletion, desire, owner_of
from edgelite_hub.controllers.contract import Key, Work
from edgelite_hub.model.objects import (
    DAEMON_SETS,
    NODES,
    PODS,
    Object,
    get_condition,
    is_terminating,
    make_uid,
    name_of,
    namespace_of,
    new_object,
    node_of,
    uid_of,
)
from edgelite_hub.store.contract import Change, Transaction
from edgelite_protocol.digest import sha256

HASH_LABEL = "controller-revision-hash"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # no vowels, as in Kubernetes: no accidental words


class DaemonSetController:
    """Keys: (namespace, name, uid of the DaemonSet, node): what it has on that node, with "" on all of them."""

    is_patient = False

    def keys_for(self, change: Change, transaction: Transaction) -> Iterable[Key]:
        if change.resource == DAEMON_SETS:
            return [(*key, "") for key in _changed(change)]
        if change.resource == PODS and desire(change.old) != desire(change.new):
            return _owners(change)
        if change.resource == NODES and _labels(change.old) != _labels(change.new):
            return [(*_key(value), change.name) for value in transaction.list(DAEMON_SETS)]
        return []

    def keys_at_start(self, transaction: Transaction) -> Iterable[Key]:
        found = [(*_key(value), "") for value in transaction.list(DAEMON_SETS)]
        # Pods whose DaemonSet went while the hub was down.
        found += [
            (namespace_of(pod), *owner, "") for pod in transaction.list(PODS) if (owner := owner_of(pod, "DaemonSet"))
        ]
        return found

    def reconcile(self, work: Work, key: Key) -> None:
        namespace, _, uid, node = key
        daemon_set = _find(work.transaction, key)
        pods = list(_pods_of(work.transaction, namespace, uid, node or None))
        if daemon_set is None:
            for pod in pods:
                begin_deletion(work.transaction, pod, work.now_ms)
            return
        _reconcile_pods(work, daemon_set, pods, _nodes(work.transaction, daemon_set, node))


class DaemonSetStatusController:
    """Keys: (namespace, name, uid). It counts over all nodes, so a fleet that changes node by node costs it a count now
    and then, not one for each."""

    is_patient = True

    def keys_for(self, change: Change, transaction: Transaction) -> Iterable[Key]:
        if change.resource == DAEMON_SETS:
            return _changed(change)
        if change.resource == PODS:
            return [key[:3] for key in _owners(change)]
        if change.resource == NODES and _labels(change.old) != _labels(change.new):
            return self.keys_at_start(transaction)
        return []

    def keys_at_start(self, transaction: Transaction) -> Iterable[Key]:
        return [_key(value) for value in transaction.list(DAEMON_SETS)]

    def reconcile(self, work: Work, key: Key) -> None:
        daemon_set = _find(work.transaction, key)
        if daemon_set is not None:
            _write_status(work, daemon_set, _nodes(work.transaction, daemon_set, ""))


def _find(transaction: Transaction, key: Key) -> Object | None:
    """None where it is gone, or another one has its name."""
    daemon_set = transaction.get(DAEMON_SETS, key[0], key[1])
    if daemon_set is None or uid_of(daemon_set) != key[2] or is_terminating(daemon_set):
        return None
    return daemon_set


def _nodes(transaction: Transaction, daemon_set: Object, name: str) -> list[str]:
    """Those that it has to be on, of the one that is named, or of all with ""."""
    nodes = [transaction.get(NODES, "", name)] if name else transaction.list(NODES)
    return [name_of(node) for node in nodes if node is not None and _matches(daemon_set, node)]


def _reconcile_pods(work: Work, daemon_set: Object, pods: list[Object], nodes: list[str]) -> None:
    template_hash = hash_of(daemon_set["spec"]["template"])
    replaces = ((daemon_set["spec"].get("updateStrategy") or {}).get("type") or "RollingUpdate") != "OnDelete"
    wanted = {pod_name(daemon_set, node): node for node in nodes}
    for pod in pods:
        outdated = replaces and (pod["metadata"].get("labels") or {}).get(HASH_LABEL) != template_hash
        if wanted.get(name_of(pod)) != node_of(pod) or outdated:
            begin_deletion(work.transaction, pod, work.now_ms)
    taken = {name_of(pod) for pod in pods}
    for name, node in wanted.items():
        if name not in taken and work.transaction.get(PODS, namespace_of(daemon_set), name) is None:
            pod = _new_pod(work, daemon_set, name, node, template_hash)
            work.transaction.create(PODS, namespace_of(daemon_set), name, pod)


def _new_pod(work: Work, daemon_set: Object, name: str, node: str, template_hash: str) -> Object:
    template = copy.deepcopy(daemon_set["spec"]["template"])
    metadata = template.get("metadata") or {}
    pod = new_object(
        "v1",
        "Pod",
        {
            "name": name,
            "generateName": name_of(daemon_set) + "-",
            "namespace": namespace_of(daemon_set),
            "labels": {**(metadata.get("labels") or {}), HASH_LABEL: template_hash},
            "annotations": metadata.get("annotations") or {},
            "ownerReferences": [_owner_reference(daemon_set)],
        },
        make_uid(work.environment.random_bytes),
        work.now_ms,
    )
    pod["spec"] = {"restartPolicy": "Always", **template["spec"], "nodeName": node}
    pod["status"] = {"phase": "Pending"}
    return pod


def _owner_reference(daemon_set: Object) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "name": name_of(daemon_set),
        "uid": uid_of(daemon_set),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _write_status(work: Work, daemon_set: Object, nodes: list[str]) -> None:
    pods = [
        pod
        for pod in _pods_of(work.transaction, namespace_of(daemon_set), uid_of(daemon_set))
        if not is_terminating(pod)
    ]
    template_hash = hash_of(daemon_set["spec"]["template"])
    wanted = set(nodes)
    on_node = [pod for pod in pods if node_of(pod) in wanted]
    ready = sum(_is_ready(pod) for pod in on_node)
    updated = sum((pod["metadata"].get("labels") or {}).get(HASH_LABEL) == template_hash for pod in on_node)
    status = {
        "currentNumberScheduled": len(on_node),
        "desiredNumberScheduled": len(nodes),
        "numberMisscheduled": len(pods) - len(on_node),
        "numberReady": ready,
        "numberAvailable": ready,
        "numberUnavailable": len(nodes) - ready,
        "updatedNumberScheduled": updated,
        "observedGeneration": int(daemon_set["metadata"].get("generation") or 1),
    }
    changed = {**daemon_set, "status": {**(daemon_set.get("status") or {}), **status}}
    if changed != daemon_set:
        work.transaction.update(DAEMON_SETS, namespace_of(daemon_set), name_of(daemon_set), changed)


def pod_name(daemon_set: Object, node: str) -> str:
    return name_of(daemon_set)[:247] + "-" + _letters(node.encode(), 5)


def hash_of(template: Object) -> str:
    return _letters(json.dumps(template, sort_keys=True).encode(), 10)


def _letters(data: bytes, count: int) -> str:
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in sha256(data).digest()[:count])


def _key(daemon_set: Object) -> Key:
    return namespace_of(daemon_set), name_of(daemon_set), uid_of(daemon_set)


def _owners(change: Change) -> list[Key]:
    values = [value for value in (change.old, change.new) if value is not None]
    return [(change.namespace, *owner, node_of(value)) for value in values if (owner := owner_of(value, "DaemonSet"))]


def _changed(change: Change) -> list[Key]:
    value = change.new or change.old
    return [_key(value)] if value is not None else []


def _pods_of(transaction: Transaction, namespace: str, uid: str, node: str | None = None) -> Iterator[Object]:
    for pod in transaction.list(PODS, namespace, node):
        owner = owner_of(pod, "DaemonSet")
        if owner is not None and owner[1] == uid:
            yield pod


def _matches(daemon_set: Object, node: Object) -> bool:
    selector = daemon_set["spec"]["template"]["spec"].get("nodeSelector") or {}
    labels = node["metadata"].get("labels") or {}
    return not is_terminating(node) and all(labels.get(key) == value for key, value in selector.items())


def _labels(node: Object | None) -> object:
    return None if node is None else (node["metadata"].get("labels"), is_terminating(node))


def _is_ready(pod: Object) -> bool:
    condition = get_condition(pod.get("status") or {}, "Ready")
    return condition is not None and condition["status"] == "True"
