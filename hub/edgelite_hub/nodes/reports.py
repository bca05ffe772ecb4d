"""Stores what a node reports: one transaction for a batch, with the name of its last report in it, so that a batch
that comes twice counts once.

A report that is not the node's to make, or whose object is gone, is named in the log and counts as taken: an
acknowledgement says that the hub will never need it again, and an outbox must not stand still behind it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edgelite_hub.environment import Environment
from edgelite_hub.model.objects import DEVICES, NODES, PODS, Object, is_terminating, set_condition, uid_of
from edgelite_hub.nodes.dating import Dater
from edgelite_hub.nodes.departures import confirm_gone
from edgelite_hub.nodes.device_status import note_state, note_twin, note_values
from edgelite_hub.nodes.former_devices import was_given
from edgelite_hub.nodes.pod_status import with_report
from edgelite_hub.security.access import node_may_add_samples, node_may_report
from edgelite_hub.store.contract import Compacted, Position, Sample, Transaction
from edgelite_protocol import messages as m
from edgelite_protocol.events import Reports
from edgelite_protocol.messages import KIND_WORKLOAD

Body = dict[int, Any]

RECENT_ENTRIES = 64  # of the feed, where a workload that has just gone still stands


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who reports, and how to date it."""

    node: str
    address: str
    boot_id: bytes
    clock_offset_ms: int


@dataclass(slots=True)
class Batch:
    """What one transaction gathers before it writes: each Device and the samples are written once."""

    transaction: Transaction
    environment: Environment
    reporter: Reporter
    now_ms: int
    date: Dater
    ignored: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    devices: dict[str, Object | None] = field(default_factory=dict)  # "namespace/name": changed copy; None: not its own
    former: dict[str, bool] = field(default_factory=dict)  # "namespace/name": its samples still count
    places: dict[str, tuple[str, str]] | None = None  # uid: (namespace, name) of the workloads in the node's feed


def apply_reports(
    transaction: Transaction, environment: Environment, reporter: Reporter, reports: Reports
) -> list[str]:
    """Store a batch; returns what was ignored, in words for the log."""
    node, journal, lane = reporter.node, reports.journal, reports.lane
    before = transaction.position(node, journal, lane)
    last = Position(reports.generation, reports.sequence_last)
    if before is not None and _order(last) <= _order(before):
        return []
    date = Dater(transaction, node, reporter.boot_id, reporter.clock_offset_ms)
    batch = Batch(transaction, environment, reporter, environment.unix_ms(), date)
    for sequence, body in reports.items:
        if before is None or (reports.generation, sequence) > _order(before):
            _handle(batch, body)
    _write(batch)
    transaction.set_position(node, journal, lane, last)
    return batch.ignored


def _order(position: Position) -> tuple[int, int]:
    return position.generation, position.sequence


def _write(batch: Batch) -> None:
    for key, device in batch.devices.items():
        if device is not None:
            namespace, name = key.split("/")
            batch.transaction.update(DEVICES, namespace, name, device)
    if batch.samples:
        batch.transaction.add_samples(batch.samples)


# ---- one handler for each kind of report


def _workload(batch: Batch, body: Body) -> None:
    pod = _own_pod(batch, body[m.STATUS_UID])
    if pod is None:
        return
    changed = with_report(pod, body, batch.date, batch.reporter.address, batch.now_ms)
    if changed != pod:
        metadata = pod["metadata"]
        batch.transaction.update(PODS, metadata["namespace"], metadata["name"], changed)


def _workload_gone(batch: Batch, body: Body) -> None:
    pod = _own_pod(batch, body[1])
    if pod is None:
        return
    if not is_terminating(pod):
        batch.ignored.append(f"pod {pod['metadata']['name']} reported gone, but nobody deleted it")
        return
    confirm_gone(batch.transaction, batch.environment, PODS, pod)


def _telemetry(batch: Batch, body: Body) -> None:
    key = body[m.TELEMETRY_DEVICE]
    device = _own_device(batch, key)
    if device is None and not _is_former_device(batch, key):
        return
    time_ms = batch.date(body[m.TELEMETRY_TIME])
    dated_by = int(body[m.TELEMETRY_TIME][1])
    values = body[m.TELEMETRY_VALUES]
    batch.samples.extend(
        Sample(batch.reporter.node, key, name, time_ms, value, dated_by) for name, value in values.items()
    )
    if device is not None:
        note_values(device, values, time_ms)


def _twin(batch: Batch, body: Body) -> None:
    device = _own_device(batch, body[m.TWIN_DEVICE])
    if device is not None:
        note_twin(device["status"], body, batch.date(body[m.TWIN_TIME]))


def _device(batch: Batch, body: Body) -> None:
    device = _own_device(batch, body[m.DEVICE_STATE_DEVICE])
    if device is not None:
        note_state(device["status"], body, batch.date(body[m.DEVICE_STATE_TIME]), batch.now_ms)


def _dropped(batch: Batch, body: Body) -> None:
    """A node that is full for long tells of it again and again: the condition has the sum, so none is forgotten."""
    lane, count = int(body[1]), int(body[2])
    meta = f"dropped/{batch.reporter.node}/{lane}"
    total = count + int(batch.transaction.get_meta(meta) or b"0")
    batch.transaction.set_meta(meta, b"%d" % total)
    text = f"{total} reports of lane {lane} were dropped by the quota of the node's outbox, the last {count} at once"
    _mark_node(batch, "ReportsDropped", "QuotaExceeded", text)


def _damage(batch: Batch, body: Body) -> None:
    _mark_node(batch, "JournalDamaged", "RecoveryFoundDamage", body[1])


_HANDLERS: dict[int, Callable[[Batch, Body], None]] = {
    m.REPORT_WORKLOAD: _workload,
    m.REPORT_WORKLOAD_GONE: _workload_gone,
    m.REPORT_TELEMETRY: _telemetry,
    m.REPORT_TWIN: _twin,
    m.REPORT_DEVICE: _device,
    m.REPORT_DROPPED: _dropped,
    m.REPORT_DAMAGE: _damage,
}


def _handle(batch: Batch, body: Body) -> None:
    _HANDLERS[int(body[m.REPORT])](batch, body)


# ---- whose is it


def _own_pod(batch: Batch, uid: str) -> Object | None:
    """The Pod of a uid, found through the node's own feed: what was never given to this node is not its own."""
    if batch.places is None:
        batch.places = _places(batch)
    place = batch.places.get(uid)
    pod = batch.transaction.get(PODS, *place) if place is not None else None
    if (pod is None or uid_of(pod) != uid) and _was_its_own(batch, uid):
        return None  # a last word about a Pod that has gone meanwhile
    if pod is None or uid_of(pod) != uid or not node_may_report(batch.reporter.node, PODS, pod):
        batch.ignored.append(f"a report on workload {uid[:64]!r}, which is gone or none of its own")
        return None
    return pod


def _was_its_own(batch: Batch, uid: str) -> bool:
    """Whether the workload stands in the node's feed, or left it lately."""
    if uid in (batch.places or {}):
        return True
    last = batch.transaction.feed_last(batch.reporter.node)
    try:
        since = max(0, last.revision - RECENT_ENTRIES) if last is not None else 0
        recent = batch.transaction.feed_since(batch.reporter.node, since, RECENT_ENTRIES)
    except Compacted:
        return False
    return any(entry.value is None and entry.key.endswith("/" + uid) for entry in recent)


def _places(batch: Batch) -> dict[str, tuple[str, str]]:
    places: dict[str, tuple[str, str]] = {}
    for entry in batch.transaction.feed_snapshot(batch.reporter.node):
        if entry.kind == KIND_WORKLOAD:
            namespace, name, uid = entry.key.split("/")
            places[uid] = (namespace, name)
    return places


def _own_device(batch: Batch, key: str) -> Object | None:
    if key not in batch.devices:
        batch.devices[key] = _find_device(batch, key)
    return batch.devices[key]


def _find_device(batch: Batch, key: str) -> Object | None:
    namespace, slash, name = key.partition("/")
    device = batch.transaction.get(DEVICES, namespace, name) if slash else None
    if device is None or not node_may_report(batch.reporter.node, DEVICES, device):
        if not _is_former_device(batch, key):
            batch.ignored.append(f"reports on device {key[:128]!r}, which is gone or none of its own")
        return None
    device.setdefault("status", {})  # what a transaction hands out is ours to change
    return device


def _is_former_device(batch: Batch, key: str) -> bool:
    """What is none of its own any more: its status is another's to write, but what was measured still counts."""
    if key not in batch.former:
        node = batch.reporter.node
        batch.former[key] = node_may_add_samples(node, was_given(batch.transaction, node, key))
    return batch.former[key]


def _mark_node(batch: Batch, kind: str, reason: str, message: str) -> None:
    node = batch.transaction.get(NODES, "", batch.reporter.node)
    if node is None:
        return
    changed = copy.deepcopy(node)
    set_condition(changed.setdefault("status", {}), kind, "True", reason, message, batch.now_ms)
    batch.transaction.update(NODES, "", batch.reporter.node, changed)
