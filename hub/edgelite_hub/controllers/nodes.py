"""What people do to Nodes: deleting one ends its session, the annotation edgelite.dev/adopt settles a divergence."""

from __future__ import annotations

from collections.abc import Iterable

from edgelite_hub.controllers.contract import Key, Work
from edgelite_hub.model.objects import ADOPT_ANNOTATION, NODES, Object
from edgelite_hub.security import oscore_keys
from edgelite_hub.store.contract import Change, Transaction


class NodeController:
    """Keys: (name,)."""

    is_patient = False

    def keys_for(self, change: Change, transaction: Transaction) -> Iterable[Key]:
        if change.resource != NODES:
            return []
        gone = change.new is None
        return [(change.name,)] if gone or _adopt(change.new) != _adopt(change.old) else []

    def keys_at_start(self, transaction: Transaction) -> Iterable[Key]:
        return []  # no session is there yet; each hello looks for itself

    def reconcile(self, work: Work, key: Key) -> None:
        node = work.transaction.get(NODES, "", key[0])
        if node is None:
            oscore_keys.forget(work.transaction, key[0])
            work.notices.nodes_removed.add(key[0])
        elif _adopt(node):
            work.notices.nodes_adopted.add(key[0])


def _adopt(node: Object | None) -> str:
    return str(((node or {}).get("metadata") or {}).get("annotations", {}).get(ADOPT_ANNOTATION, ""))
