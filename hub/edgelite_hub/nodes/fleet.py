"""Which nodes are connected, which are late, and what the log has been told already.

A node is NotReady when its session ended and none came back within the return window, or when its session fell
silent (the session itself notices: after 15 s while something is owed, after two and a half resting intervals
else). Nothing is ever evicted for that: only the Node's condition says it.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgelite_hub.artifacts import Artifacts
from edgelite_hub.controllers.contract import Notices
from edgelite_hub.environment import Environment
from edgelite_hub.model.objects import NODES, get_condition, rfc3339, set_condition
from edgelite_hub.nodes.join_logic import JoinLimiter
from edgelite_hub.nodes.journals import Live
from edgelite_hub.nodes.node_status import READY
from edgelite_hub.security.oscore_keys import KeyIdentity
from edgelite_hub.store.contract import Transaction
from edgelite_hub.work import Work
from edgelite_protocol.events import Ended

if TYPE_CHECKING:
    from edgelite_hub.nodes.node_logic import NodeConnection

COMPLAINT_WINDOW_MS = 60_000  # one line for one peer and matter in this time
COMPLAINTS_MAX = 1_024  # remembered at once

# Ends that say at once that the node is out of reach; after all others it may be back in a moment.
SILENT = "silent"


@dataclass(slots=True)
class _Away:
    since_ms: int  # monotonic
    since_unix_ms: int
    reason: str
    is_told: bool = False  # the Node says so already


class Fleet:
    def __init__(
        self, environment: Environment, artifacts: Artifacts, wake: Callable[[NodeConnection | None], None]
    ) -> None:
        """`wake(connection)` is called when a connection, or with None the fleet itself, has new work."""
        self.environment = environment
        self.artifacts = artifacts
        self.join_limiter = JoinLimiter()
        self.relay_limiter = JoinLimiter()  # by gateway and node id
        self.wake = wake
        self._connections: dict[str, NodeConnection] = {}
        self._away: dict[str, _Away] = {}
        self._applied: dict[str, int] = {}
        self._complaints: OrderedDict[str, int] = OrderedDict()

    # ---- who is there

    def connection_of(self, node: str) -> NodeConnection | None:
        return self._connections.get(node)

    def live_of(self, node: str) -> Live | None:
        connection = self._connections.get(node)
        return connection.live if connection is not None else None

    def connected(self) -> list[str]:
        return sorted(self._connections)

    def away_since_unix_ms(self, node: str) -> int | None:
        """None where it is connected, or was not seen since this hub started."""
        away = self._away.get(node)
        return away.since_unix_ms if away is not None and away.reason else None

    def expect(self, nodes: Iterable[str], now_ms: int) -> None:
        """At a start: these nodes were there, and have the return window to come back."""
        for node in nodes:
            self._away.setdefault(node, _Away(now_ms, self.environment.unix_ms(), ""))

    def welcomed(self, connection: NodeConnection, now_ms: int) -> None:
        earlier = self._connections.get(connection.node)
        self._connections[connection.node] = connection
        self._away.pop(connection.node, None)
        if earlier is not None and earlier is not connection:
            earlier.refuse("superseded", "a newer session of this node took over", now_ms)
            self.wake(earlier)

    def ended(self, connection: NodeConnection, event: Ended, now_ms: int) -> None:
        self._log_end(connection, event, now_ms)
        if self._connections.get(connection.node) is not connection:
            return
        del self._connections[connection.node]
        window_ms = self.environment.settings.return_window_ms if event.code == SILENT else 0
        self._away[connection.node] = _Away(
            now_ms - window_ms, self.environment.unix_ms(), event.text or event.code or "ended"
        )
        self.wake(None)

    def removed(self, node: str, now_ms: int) -> None:
        """The Node object is gone: so is its session."""
        self._away.pop(node, None)
        connection = self._connections.get(node)
        if connection is not None:
            connection.refuse("node_revoked", "the node was deleted at the hub", now_ms)
            self.wake(connection)

    def provisioned(self, node: str, now_ms: int) -> None:
        """It has new keys, so a session on the old ones is over."""
        connection = self._connections.get(node)
        if connection is not None and isinstance(connection.identity, KeyIdentity):
            connection.refuse("node_revoked", "the node was provisioned anew", now_ms)
            self.wake(connection)

    def notified(self, notices: Notices, now_ms: int) -> None:
        """What the controllers did, now that it is durable. In the order of names, so that a run can be repeated."""
        self.feeds_grown(sorted(notices.feeds_grown))
        for node in sorted(notices.nodes_removed):
            self.removed(node, now_ms)
        for node in sorted(notices.nodes_adopted):
            self.adopted(node)

    def feeds_grown(self, nodes: Iterable[str]) -> None:
        for node in nodes:
            connection = self._connections.get(node)
            if connection is not None:
                connection.feed_grown()
                self.wake(connection)

    def adopted(self, node: str) -> None:
        connection = self._connections.get(node)
        if connection is not None:
            connection.adopt()
            self.wake(connection)

    def applied(self, node: str, revision: int) -> None:
        self._applied[node] = revision

    def applied_revision(self, node: str) -> int | None:
        """Of the feed, in this hub's lifetime."""
        return self._applied.get(node)

    # ---- who is late

    def next_work(self, now_ms: int) -> Work | None:
        late = [
            node
            for node, away in self._away.items()
            if not away.is_told and now_ms >= away.since_ms + self.environment.settings.return_window_ms
        ]
        if not late:
            return None
        for node in late:
            self._away[node].is_told = True
        return Work(lambda transaction: self._tell(transaction, late), self._told)

    def deadline_ms(self) -> int | None:
        """When `next_work` has something to do if nothing else happens."""
        window_ms = self.environment.settings.return_window_ms
        return min((away.since_ms + window_ms for away in self._away.values() if not away.is_told), default=None)

    def _tell(self, transaction: Transaction, late: list[str]) -> list[str]:
        told = []
        for name in late:
            node = transaction.get(NODES, "", name)
            away = self._away.get(name)
            if node is None or away is None or _is_never_connected(node):
                continue
            changed = copy.deepcopy(node)
            since = rfc3339(away.since_unix_ms)
            message = f"no session since {since}" + (f": {away.reason}" if away.reason else "")
            set_condition(
                changed.setdefault("status", {}),
                READY,
                "Unknown",
                "NodeUnreachable",
                message,
                self.environment.unix_ms(),
            )
            transaction.update(NODES, "", name, changed)
            told.append(f"node {name}: NotReady, {message}")
        return told

    def _told(self, told: list[str], now_ms: int) -> None:
        for line in told:
            self.environment.log(line)

    # ---- what the log is told

    def complain(self, peer: str, matter: str, line: str, now_ms: int) -> None:
        """Log a line about a peer's mistakes, each matter once a minute: a bad peer does not fill the log, not even
        with words that differ each time."""
        key = peer + "\0" + matter
        if now_ms < self._complaints.get(key, now_ms):
            return
        self._complaints.pop(key, None)
        self._complaints[key] = now_ms + COMPLAINT_WINDOW_MS
        while len(self._complaints) > COMPLAINTS_MAX:
            self._complaints.popitem(last=False)
        self.environment.log(line)

    def _log_end(self, connection: NodeConnection, event: Ended, now_ms: int) -> None:
        who = f"node {connection.node}" if connection.live is not None else f"peer {connection.address}"
        if connection.live is None and (not event.code or (connection.has_shown_ca and event.code == "link_lost")):
            return  # a join or renewal that went well has its own line
        by = "lost" if event.code == "link_lost" else "ended by the node" if event.by_peer else "ended"
        detail = f" ({event.code}: {event.text})" if event.code else ""
        self.complain(who, event.code, f"{who}: session {by}{detail}", now_ms)


def _is_never_connected(node: dict[str, object]) -> bool:
    status = node.get("status")
    condition = get_condition(status, READY) if isinstance(status, dict) else None
    return condition is not None and condition["reason"] == "NeverConnected"
