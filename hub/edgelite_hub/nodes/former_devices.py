"""Devices that a node was given and has no more. What it measured until it heard of that may still come, days later
where it was offline; it counts once, as all that is acknowledged to its producer does.

A Device whose entry stands in the node's feed needs no note here. A hub that is restored from a backup forgets.
"""

from __future__ import annotations

from typing import Any

import cbor2

from edgelite_hub.store.contract import Transaction
from edgelite_protocol.messages import KIND_DEVICE

FORMER_MAX = 1_024  # of one node; what it had before these has long arrived or was dropped from its outbox


def withdraw(transaction: Transaction, node: str, kind: int, key: str) -> None:
    """Take an entry out of a node's feed."""
    transaction.feed_append(node, kind, key, None)
    if kind == KIND_DEVICE:
        rows = [row for row in _read(transaction, node) if row != key]
        transaction.set_meta(_meta(node), cbor2.dumps([*rows, key][-FORMER_MAX:]))


def was_given(transaction: Transaction, node: str, key: str) -> bool:
    """Whether "namespace/name" is, or was, one of the node's Devices."""
    if key in _read(transaction, node):
        return True
    return any(entry.kind == KIND_DEVICE and entry.key == key for entry in transaction.feed_snapshot(node))


def _read(transaction: Transaction, node: str) -> list[Any]:
    kept = transaction.get_meta(_meta(node))
    return cbor2.loads(kept) if kept is not None else []


def _meta(node: str) -> str:
    return "former-devices/" + node
