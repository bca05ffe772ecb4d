"""Turns Pods and Devices into entries of their nodes' feeds of desired state.

One key is one Pod or Device on one node. What is compiled is compared with the entry that the feed has now, and
appended only where it differs: the feed grows by what nodes need to know, not by what happens in the store.

A Terminating Pod becomes an entry that says so, and goes from the store when its node reports it gone (reports.py);
one whose node never heard of it goes at once.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator

from edgelite_hub.compiler.abilities import NODE_TOO_OLD, check_driver, check_features, check_runtime
from edgelite_hub.compiler.artifact_names import parse_image
from edgelite_hub.compiler.compile import compile_workload, runtime_of, terminating, workload_key
from edgelite_hub.compiler.compile_device import compile_device, device_key, driver_of, later_fields, streams_of
from edgelite_hub.compiler.compile_environment import CannotCompile, Lookup, references_of
from edgelite_hub.controllers.common import desire, update_pod
from edgelite_hub.controllers.contract import Key, Work
from edgelite_hub.model.objects import (
    ARTIFACTS,
    COMPILED,
    CONFIG_MAPS,
    DEVICE_MODELS,
    DEVICES,
    NODES,
    PODS,
    SECRETS,
    Object,
    is_terminating,
    name_of,
    namespace_of,
    node_of,
    remove_condition,
    set_condition,
)
from edgelite_hub.nodes.departures import confirm_gone
from edgelite_hub.nodes.feed_values import decode_value, encode_value, keep_desired_versions, value_bytes_max
from edgelite_hub.nodes.former_devices import withdraw
from edgelite_hub.nodes.node_status import abilities_of, frame_bytes_max
from edgelite_hub.nodes.pod_status import CREATING, with_waiting
from edgelite_hub.store.contract import Change, FeedEntry, Transaction
from edgelite_protocol.messages import FRAME_BYTES_MAX_LIMIT, KIND_DEVICE, KIND_WORKLOAD

STREAMS = "StreamsCollected"  # a condition of a Device, there only while it is False


class FeedController:
    """Keys: (resource, node, namespace, name); resource is PODS or DEVICES."""

    is_patient = False

    def keys_for(self, change: Change, transaction: Transaction) -> Iterable[Key]:
        if change.resource == NODES:
            return _of_node(change, transaction)
        if desire(change.old) == desire(change.new) and change.resource != ARTIFACTS:
            return []
        if change.resource in (PODS, DEVICES):
            return [_key(change.resource, value) for value in (change.old, change.new) if value and node_of(value)]
        finder = _DEPENDENTS.get(change.resource)
        return finder(change, transaction) if finder else []

    def keys_at_start(self, transaction: Transaction) -> Iterable[Key]:
        for resource in (PODS, DEVICES):
            yield from (_key(resource, value) for value in transaction.list(resource) if node_of(value))
        # What was deleted while the hub was down stands in feeds alone.
        for node in transaction.list(NODES):
            for entry in transaction.feed_snapshot(name_of(node)):
                namespace, name = entry.key.split("/")[:2]
                yield PODS if entry.kind == KIND_WORKLOAD else DEVICES, name_of(node), namespace, name

    def reconcile(self, work: Work, key: Key) -> None:
        resource, node, namespace, name = key
        value = work.transaction.get(resource, namespace, name)
        if value is not None and node_of(value) != node:
            value = None  # bound elsewhere since
        if resource == PODS:
            _reconcile_pod(work, node, namespace, name, value)
        else:
            _reconcile_device(work, node, namespace, name, value)


def _reconcile_pod(work: Work, node: str, namespace: str, name: str, pod: Object | None) -> None:
    wanted_key = workload_key(pod) if pod is not None else None
    live = _live(work.transaction, node, KIND_WORKLOAD, f"{namespace}/{name}/")
    for key in live:
        if key != wanted_key:
            _withdraw(work, node, KIND_WORKLOAD, key)
    if pod is None or wanted_key is None:
        return
    held = live.get(wanted_key)
    if is_terminating(pod):
        _stop_pod(work, node, wanted_key, pod, held)
        return
    node_object = work.transaction.get(NODES, "", node)
    room = _room(node_object, wanted_key)
    try:
        check_runtime(node_object, runtime_of(pod))
        compact = compile_workload(pod, _lookup(work.transaction, namespace))
        data = encode_value(KIND_WORKLOAD, compact, room)
    except CannotCompile as error:
        if held is None:  # else the node goes on with what it has, as under Kubernetes
            _set_waiting(work, pod, error.reason, error.text)
        return
    if held is None:
        _set_waiting(work, pod, CREATING, "")
    if held is None or held.value != data:
        _append(work, node, KIND_WORKLOAD, wanted_key, data)


def _stop_pod(work: Work, node: str, key: str, pod: Object, held: FeedEntry | None) -> None:
    if held is None or held.value is None:
        confirm_gone(work.transaction, work.environment, PODS, pod)
        return
    # From what the node has, since what the Pod names may be gone by now.
    room = len(held.value) + 16  # two more integers: what was sent fits, and so does this
    data = encode_value(KIND_WORKLOAD, terminating(decode_value(held.value), pod), room)
    if data != held.value:
        _append(work, node, KIND_WORKLOAD, key, data)


def _set_waiting(work: Work, pod: Object, reason: str, message: str) -> None:
    changed = with_waiting(pod, reason, message, work.now_ms)
    if changed != pod:
        update_pod(work.transaction, changed)


def _reconcile_device(work: Work, node: str, namespace: str, name: str, device: Object | None) -> None:
    key = f"{namespace}/{name}"
    held = _live(work.transaction, node, KIND_DEVICE, key).get(key)
    if device is None:
        if held is not None:
            _withdraw(work, node, KIND_DEVICE, key)
        return
    node_object = work.transaction.get(NODES, "", node)
    room = _room(node_object, key)
    try:
        compact = compile_device(device, lambda model: work.transaction.get(DEVICE_MODELS, namespace, model))
        check_driver(node_object, *driver_of(device, compact))
        check_features(node_object, later_fields(compact))
        if held is not None and held.value is not None:
            keep_desired_versions(compact, decode_value(held.value))
        data = encode_value(KIND_DEVICE, compact, room)
    except CannotCompile as error:
        _set_compiled(work, device, error)
        if error.reason == NODE_TOO_OLD and held is not None:
            _withdraw(work, node, KIND_DEVICE, key)  # it was given before the node said what it is
        return
    _set_compiled(work, device, None)
    _set_streams(work, namespace, name)
    if held is None or held.value != data:
        _append(work, node, KIND_DEVICE, device_key(device), data)


def _set_compiled(work: Work, device: Object, error: CannotCompile | None) -> None:
    changed = copy.deepcopy(device)
    status = changed.setdefault("status", {})
    if error is None:
        differs = remove_condition(status, COMPILED)
    else:
        differs = set_condition(status, COMPILED, "False", error.reason, error.text, work.now_ms)
    if differs:
        work.transaction.update(DEVICES, namespace_of(device), name_of(device), changed)


def _set_streams(work: Work, namespace: str, name: str) -> None:
    """A property of type STREAM has no value that could be read: its Device says so and goes without it."""
    device = work.transaction.get(DEVICES, namespace, name)
    if device is None:
        return
    model = work.transaction.get(DEVICE_MODELS, namespace, device["spec"]["deviceModelRef"]["name"])
    streams = streams_of(device, model)
    changed = copy.deepcopy(device)
    status = changed.setdefault("status", {})
    if streams:
        text = f"{', '.join(streams)}: a STREAM has no value to collect; the other properties go on"
        differs = set_condition(status, STREAMS, "False", "StreamNotSupported", text, work.now_ms)
    else:
        differs = remove_condition(status, STREAMS)
    if differs:
        work.transaction.update(DEVICES, namespace, name, changed)


def _room(node: Object | None, key: str) -> int:
    """What a value may have: a node says in its hello what frames it takes, and before that nobody knows."""
    return value_bytes_max(frame_bytes_max(node) or FRAME_BYTES_MAX_LIMIT, key)


def _append(work: Work, node: str, kind: int, key: str, data: bytes) -> None:
    work.transaction.feed_append(node, kind, key, data)
    work.notices.feeds_grown.add(node)


def _withdraw(work: Work, node: str, kind: int, key: str) -> None:
    withdraw(work.transaction, node, kind, key)
    work.notices.feeds_grown.add(node)


def _live(transaction: Transaction, node: str, kind: int, prefix: str) -> dict[str, FeedEntry]:
    entries = transaction.feed_snapshot(node)
    return {entry.key: entry for entry in entries if entry.kind == kind and entry.key.startswith(prefix)}


def _lookup(transaction: Transaction, namespace: str) -> Lookup:
    return lambda resource, name: transaction.get(resource, "" if resource == ARTIFACTS else namespace, name)


def _key(resource: str, value: Object) -> Key:
    return resource, node_of(value), namespace_of(value), name_of(value)


# ---- which Pods and Devices a change of something else concerns


def _of_node(change: Change, transaction: Transaction) -> list[Key]:
    if _told(change.old) == _told(change.new):
        return []
    return [
        _key(resource, value) for resource in (PODS, DEVICES) for value in transaction.list(resource, None, change.name)
    ]


def _told(node: Object | None) -> tuple[int, Object]:
    """What of a hello decides whether something goes to the node."""
    return frame_bytes_max(node), abilities_of(node)


def _pods_naming(change: Change, transaction: Transaction) -> Iterator[Key]:
    for pod in transaction.list(PODS, change.namespace):
        if node_of(pod) and (change.resource, change.name) in references_of(pod):
            yield _key(PODS, pod)


def _pods_running(change: Change, transaction: Transaction) -> Iterator[Key]:
    for pod in transaction.list(PODS):
        images = [parse_image(str(container.get("image"))) for container in pod["spec"].get("containers") or []]
        if node_of(pod) and any(image is not None and image.name == change.name for image in images):
            yield _key(PODS, pod)


def _devices_of_model(change: Change, transaction: Transaction) -> Iterator[Key]:
    for device in transaction.list(DEVICES, change.namespace):
        model = (device["spec"].get("deviceModelRef") or {}).get("name")
        if node_of(device) and model == change.name:
            yield _key(DEVICES, device)


_DEPENDENTS: dict[str, Callable[[Change, Transaction], Iterable[Key]]] = {
    CONFIG_MAPS: _pods_naming,
    SECRETS: _pods_naming,
    ARTIFACTS: _pods_running,
    DEVICE_MODELS: _devices_of_model,
}
