"""What carries a connection: who is let in, which kind of connection it is, and when the link can go. No I/O.

node_server.py has a socket under each link, a simulator has none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgelite_hub.nodes.fleet import Fleet
from edgelite_hub.nodes.node_logic import NodeConnection
from edgelite_hub.nodes.relayed import RelayedConnection
from edgelite_hub.security.identity import PeerIdentity
from edgelite_hub.store.contract import Outcome
from edgelite_hub.work import Work
from edgelite_protocol.errors import CorruptionError, PlatformError, ProtocolError
from edgelite_protocol.frames import HEADER_BYTES
from edgelite_protocol.relay import RELAY

UNPARSED_BYTES_MAX = 256 * 1024  # of one peer, while a commit of its is on the way; then its link waits


class Links:
    """All links of a hub. Their number is bounded, and more so that of peers that have said no hello yet."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self._all: set[Link] = set()
        self._pending: set[Link] = set()  # not welcomed yet
        self._by_connection: dict[NodeConnection, Link] = {}

    def admit(self, identity: PeerIdentity | None, address: str, now_ms: int) -> Link | None:
        """A link for one more peer; None where there is no room."""
        settings = self.fleet.environment.settings
        if len(self._all) >= settings.connections_max or len(self._pending) >= settings.connections_unidentified_max:
            line = f"peer {address}: turned away, too many connections"
            self.fleet.complain(address, "turned away", line, now_ms)
            return None
        link = Link(self, NodeConnection(self.fleet, identity, address, now_ms))
        self._all.add(link)
        self._pending.add(link)
        self._by_connection[link.connection] = link
        return link

    def wake(self, connection: NodeConnection) -> None:
        link = self._by_connection.get(connection)
        if link is not None:
            link.wake()

    def replaced(self, link: Link, former: NodeConnection) -> None:
        self._by_connection.pop(former, None)
        self._by_connection[link.connection] = link

    def welcomed(self, link: Link) -> None:
        self._pending.discard(link)

    def forget(self, link: Link) -> None:
        self._all.discard(link)
        self._pending.discard(link)
        self._by_connection.pop(link.connection, None)


def _nobody() -> None:
    pass


class Link:
    """One peer's. The outer layer takes `next_work` until None, settles each work before it asks again, sends
    `data_to_send`, calls `step`, and closes once `is_finished`."""

    def __init__(self, links: Links, connection: NodeConnection) -> None:
        self.connection = connection  # another one from the moment on that the peer turns out to be a gateway
        self.is_lost = False
        self.is_paused = False  # too much waits: read no more
        self.wake: Callable[[], None] = _nobody  # set by the outer layer: there is work
        self._links = links
        self._head: bytes | None = b""  # until the first frame's header is there

    # ---- from the peer

    def received(self, data: bytes, now_ms: int) -> None:
        if self._head is not None:
            data = self._head + data
            self._head = data if len(data) < HEADER_BYTES else None
            if self._head is not None:
                return
            self._begin_relay(data, now_ms)
        self.connection.receive(data, now_ms)
        self.is_paused = self.is_paused or self.connection.unparsed_bytes > UNPARSED_BYTES_MAX

    def _begin_relay(self, data: bytes, now_ms: int) -> None:
        """The first frame says that this is no session of the peer's own, but a gateway that carries one."""
        former = self.connection
        if data[HEADER_BYTES - 1] != RELAY or not isinstance(former.identity, PeerIdentity):
            return
        self.connection = RelayedConnection(self._links.fleet, former.identity, former.address, now_ms)
        self._links.replaced(self, former)

    def received_eof(self, now_ms: int) -> None:
        self.connection.receive_eof(now_ms)

    def lost(self, now_ms: int) -> None:
        self.is_lost = True
        self.connection.receive_eof(now_ms)

    # ---- work

    def next_work(self, now_ms: int) -> Work | None:
        work = self.connection.next_work(now_ms)
        if work is None:
            self.is_paused = False
            if self.connection.live is not None:
                self._links.welcomed(self)
        return work

    def settle(self, work: Work, outcome: Outcome[Any], now_ms: int) -> bool:
        """What became of a work. False: the hub's own trouble ends the link, once a last word was offered to it. An
        error that is no peer's and no medium's raises."""
        error = outcome.error
        if error is None:
            work.done(outcome.value, now_ms)
            return True
        if isinstance(error, ProtocolError):
            self.connection.work_failed(work, error, now_ms)
            return True
        if not isinstance(error, PlatformError | CorruptionError):
            raise error
        line = f"peer {self.connection.address}: the hub's own trouble ends it: {error}"
        self._links.fleet.environment.log(line)
        self.connection.refuse("hub_error", "the hub has trouble of its own: come back later", now_ms)
        return False

    def refuse(self, code: str, text: str, now_ms: int) -> None:
        self.connection.refuse(code, text, now_ms)

    def data_to_send(self, size_bytes_max: int) -> bytes:
        return self.connection.data_to_send(size_bytes_max)

    def step(self, now_ms: int) -> int | None:
        """The next deadline."""
        return self.connection.step(now_ms)

    @property
    def is_finished(self) -> bool:
        """There is no work, and nothing can be said any more or nobody hears it."""
        return self.connection.closed or self.is_lost

    @property
    def has_last_event(self) -> bool:
        """Time has ended the session: ask for work once more."""
        return self.connection.is_over and self.connection.ended is None

    def finish(self, now_ms: int) -> None:
        """The link goes: what still waits is dropped, the fleet is told."""
        self.connection.abandon(now_ms)
        self._links.forget(self)
