"""What a hub begins with, each time that it starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgelite_hub.controllers.daemonsets import DaemonSetController, DaemonSetStatusController
from edgelite_hub.controllers.dispatcher import Dispatcher
from edgelite_hub.controllers.feeds import FeedController
from edgelite_hub.controllers.nodes import NodeController
from edgelite_hub.controllers.pods import PodController
from edgelite_hub.environment import Environment
from edgelite_hub.model.objects import NODES, get_condition, name_of
from edgelite_hub.nodes.feed import epoch_of
from edgelite_hub.nodes.node_status import READY
from edgelite_hub.store.contract import REVISIONS_PER_MILLISECOND, Store, Transaction


def make_dispatcher(environment: Environment) -> Dispatcher:
    controllers = (
        *(DaemonSetController(), DaemonSetStatusController()),
        *(PodController(), FeedController(), NodeController()),
    )
    return Dispatcher(controllers, environment)


def prepare(random_bytes: Callable[[int], bytes], transaction: Transaction) -> None:
    """What a first start makes in the store."""
    epoch_of(transaction, "", random_bytes)


def ready_nodes(transaction: Transaction) -> list[str]:
    """Those that the Node objects call Ready: at a start they have the return window to prove it."""
    found = []
    for node in transaction.list(NODES):
        condition: Any = get_condition(node.get("status") or {}, READY)
        if condition is not None and condition["status"] == "True":
            found.append(name_of(node))
    return found


def lift_restored(store: Store, unix_ms: int) -> None:
    """Once, before the first start on a store from a backup: go on beyond every revision that a client can have seen
    of the hub that was lost. Whether a node follows another history now, its hello finds out (nodes/feed.py)."""
    store.lift_revision(unix_ms * REVISIONS_PER_MILLISECOND)
