"""One connection of a node: what arrives becomes work for the store, what the store holds becomes messages.

No I/O: the caller feeds bytes with `receive`, asks `next_work` until None, runs each work in a transaction before it
asks again, and sends what `data_to_send` gives. One work at a time per connection keeps everything in order, and
what the peer sends meanwhile stays within the session's bounds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from edgelite_hub.artifacts import digests_of_node
from edgelite_hub.model.objects import NODES
from edgelite_hub.nodes import hello_logic
from edgelite_hub.nodes.feed import FeedSender
from edgelite_hub.nodes.fleet import Fleet
from edgelite_hub.nodes.hello_logic import Greeting
from edgelite_hub.nodes.join_logic import Joined, join
from edgelite_hub.nodes.journals import Live
from edgelite_hub.nodes.logs import LogOptions, LogStream
from edgelite_hub.nodes.reports import Reporter, apply_reports
from edgelite_hub.nodes.transfers import Transfers
from edgelite_hub.security.access import node_may_fetch, node_may_renew
from edgelite_hub.security.identity import PeerIdentity, judge, record_issued
from edgelite_hub.security.oscore_keys import KeyIdentity
from edgelite_hub.store.contract import Transaction
from edgelite_hub.work import Work
from edgelite_protocol import events
from edgelite_protocol import messages as m
from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.hub_session import HubSession
from edgelite_protocol.limits import Limits
from edgelite_protocol.session import ENDED

# The hub is no constrained device: it takes 16 kB frames, which saves a node with a backlog three headers of four.
LIMITS = Limits(frame_bytes_max=16 * 1024, bulk_bytes_max=2048)
CLOCK_LOOK_MS = 3_600_000


class NodeConnection:
    """`identity` is None where the peer showed no certificate: then it may join and nothing else."""

    def __init__(self, fleet: Fleet, identity: PeerIdentity | KeyIdentity | None, address: str, now_ms: int) -> None:
        self.fleet = fleet
        self.identity = identity
        self.address = address
        self.session = HubSession(LIMITS, now_ms)
        self.live: Live | None = None  # since the welcome
        self.ended: events.Ended | None = None
        self.has_shown_ca = False  # then the peer leaves, checks it and comes back
        self.unparsed_bytes = 0
        self._arrived: deque[bytes] = deque()
        self._at_end = False
        self._environment = fleet.environment
        self._hello: dict[int, Any] = {}
        self._greeting: Greeting | None = None
        self._feed: FeedSender | None = None
        self._transfers = Transfers(self.session, fleet.artifacts)
        self._logs: dict[int, LogStream] = {}
        self._diverged = False  # DIVERGED came: `adopt` may be sent
        self._adopt_due = False
        self._adopting = False
        self._ends_unix_ms: int | None = None  # since the welcome: when the certificate asks for a new session

    @property
    def node(self) -> str:
        return self.identity.node if self.identity is not None else ""

    @property
    def closed(self) -> bool:
        """Nothing is left to send or to do: close the link."""
        return self.session.closed

    @property
    def is_over(self) -> bool:
        """Nothing can be said any more but a goodbye that waits."""
        return bool(self.session.state == ENDED)

    # ---- what the outer layer calls

    def receive(self, data: bytes, now_ms: int) -> None:
        """`unparsed_bytes` wait until `next_work` comes to them; the caller stops reading when they are too many."""
        self._arrived.append(data)
        self.unparsed_bytes += len(data)

    def receive_eof(self, now_ms: int) -> None:
        """The link has ended; what came before still counts."""
        self._at_end = True

    def step(self, now_ms: int) -> int | None:
        again_ms = self._begin_again_ms(now_ms)
        if again_ms == now_ms:
            self.refuse("renewal_due", "this session's certificate ends: renew it, come back with the new one", now_ms)
        deadline_ms = self.session.step(now_ms)
        if again_ms is None or self.is_over:
            return deadline_ms
        return again_ms if deadline_ms is None else min(again_ms, deadline_ms)

    def _begin_again_ms(self, now_ms: int) -> int | None:
        """When to look at the certificate's time again, now where it has come; None before the welcome. The hub's
        clock may be set, so an hour at most."""
        if self._ends_unix_ms is None or self.is_over:
            return None
        return now_ms + max(0, min(self._ends_unix_ms - self._environment.unix_ms(), CLOCK_LOOK_MS))

    def data_to_send(self, size_bytes_max: int) -> bytes:
        if not self.is_over:
            if self._feed is not None:
                self._feed.push()
            self._transfers.push()
        return self.session.data_to_send(size_bytes_max)

    def next_work(self, now_ms: int) -> Work | None:
        """The next transaction that is due; None until more arrives or `wake` is called."""
        while self.ended is None:
            event = self.session.next_event()
            if event is None and not self._feed_session(now_ms):
                break
            work = _HANDLERS[type(event)](self, event, now_ms) if event is not None else None
            if work is not None:
                return work
        return self._own_work()

    def _feed_session(self, now_ms: int) -> bool:
        """Give the session the next of what arrived: one piece, since it takes no more than it can parse."""
        if self._arrived:
            data = self._arrived.popleft()
            self.unparsed_bytes -= len(data)
            self.session.receive(data, now_ms)
            return True
        if not self._at_end:
            return False
        self._at_end = False
        self.session.receive_eof(now_ms)
        return True

    def work_failed(self, work: Work, error: ProtocolError, now_ms: int) -> None:
        """The transaction of `work` refused what the peer asked for."""
        if work.failed is not None:
            work.failed(error, now_ms)
        else:
            self.refuse(error.code, error.text, now_ms)

    def refuse(self, code: str, text: str, now_ms: int) -> None:
        """End the session from this side, with the error named to the peer."""
        self.session.end(code, text, now_ms)

    def abandon(self, now_ms: int) -> None:
        """The link is gone and nobody asks for work any more: what still waits is dropped, the fleet is told."""
        self._arrived.clear()
        self.session.receive_eof(now_ms)
        while self.ended is None and (event := self.session.next_event()) is not None:
            if isinstance(event, events.Ended):
                self._on_ended(event, now_ms)

    # ---- what the rest of the hub calls

    def feed_grown(self) -> None:
        if self._feed is not None:
            self._feed.grown()

    def adopt(self) -> None:
        """A person decided that the node shall follow this hub: as soon as it has said what it holds."""
        self._adopt_due = True

    def can_open_log(self) -> bool:
        return self.live is not None and not self.is_over and self.session.can_open_stream()

    def open_log(self, uid: str, options: LogOptions) -> LogStream:
        number = self.session.open_log(
            uid, options.container, options.tail_lines, options.follow, options.previous, options.since_ms
        )
        stream = LogStream(partial(self._pause_log, number), partial(self._cancel_log, number))
        self._logs[number] = stream
        return stream

    def _pause_log(self, number: int, paused: bool) -> None:
        self.session.pause(number, paused)
        self.fleet.wake(self)

    def _cancel_log(self, number: int) -> None:
        self._logs.pop(number, None)
        self.session.close_stream(number, "cancelled", "the reader has gone")
        self.fleet.wake(self)

    # ---- work that no event asks for

    def _own_work(self) -> Work | None:
        if self.is_over or self._feed is None:
            return None
        if self._adopt_due and self._diverged:
            self._adopt_due = False
            return Work(lambda transaction: transaction.get(NODES, "", self.node), self._adoption, reads_only=True)
        if self._feed.wants_read():
            return Work(self._feed.reader(), self._feed_read, reads_only=True)
        return None

    def _feed_read(self, result: Any, now_ms: int) -> None:
        if self._feed is not None and not self.is_over:
            self._feed.take(result)

    def _adoption(self, node: Any, now_ms: int) -> None:
        greeting, feed = self._greeting, self._feed
        if greeting is None or feed is None or self.is_over:
            return
        if not hello_logic.wants_adoption(node, greeting.epoch):
            return
        self._diverged = False
        self._adopting = True
        self.session.adopt(greeting.epoch)
        feed.adopt()
        self._environment.log(f"node {self.node}: adopts epoch {greeting.epoch.hex()}")

    # ---- events: joining

    def _on_join_ca(self, event: events.JoinCaRequest, now_ms: int) -> None:
        self.has_shown_ca = True
        self.session.join_ca(self._environment.authority.der)

    def _on_join(self, event: events.JoinRequest, now_ms: int) -> Work | None:
        environment = self._environment
        try:
            self.fleet.join_limiter.check(self.address, now_ms)
        except ProtocolError as error:
            self.refuse(error.code, error.text, now_ms)
            return None

        def run(transaction: Transaction) -> Joined:
            return join(transaction, environment, event.token, event.node, event.csr)

        return Work(run, self._joined, failed=self._join_failed)

    def _join_failed(self, error: ProtocolError, now_ms: int) -> None:
        self.fleet.join_limiter.failed(self.address, now_ms)
        self.refuse(error.code, error.text, now_ms)

    def _joined(self, joined: Joined, now_ms: int) -> None:
        self._environment.log(f"node {joined.node}: joined from {self.address}")
        if not self.is_over:
            self.session.joined(joined.certificate, self._environment.authority.der, joined.node)

    # ---- events: certificates

    def _on_renew(self, event: events.RenewRequest, now_ms: int) -> Work | None:
        identity = self.identity
        if not isinstance(identity, PeerIdentity):
            self.refuse("certificate_required", "only a node with a certificate can renew it", now_ms)
            return None
        return Work(partial(self._renew, identity), self._renewed)

    def _renew(self, identity: PeerIdentity, transaction: Transaction) -> bytes:
        now_ms = self._environment.unix_ms()
        verdict = judge(transaction, identity, now_ms)
        if not node_may_renew(identity.node, verdict):
            raise ProtocolError(verdict, hello_logic.REFUSALS[verdict])
        lifetime_ms = self._environment.settings.certificate_lifetime_ms
        issued = self._environment.authority.issue_node(identity.node, identity.public_key, now_ms, lifetime_ms)
        record_issued(transaction, identity.node, issued, identity.public_key)
        return issued.der

    def _renewed(self, certificate: bytes, now_ms: int) -> None:
        self._environment.log(f"node {self.node}: certificate renewed")
        if not self.is_over:
            self.session.renewed(certificate)

    # ---- events: the session

    def _on_hello(self, event: events.Hello, now_ms: int) -> Work | None:
        hello: dict[int, Any] = event.hello
        identity = self.identity
        if identity is None:
            self.refuse("certificate_required", "without a certificate a node can only join", now_ms)
            return None
        if hello[m.HELLO_NODE] != identity.node:
            self.refuse("wrong_node", f"the certificate or key is that of {identity.node}", now_ms)
            return None
        self._hello = hello
        live = self.fleet.live_of(identity.node)
        return Work(
            lambda transaction: hello_logic.greet(transaction, self._environment, identity, hello, self.address, live),
            self._greeted,
        )

    def _greeted(self, greeting: Greeting, now_ms: int) -> None:
        if self.is_over:
            return
        self._greeting = greeting
        self.session.welcome({**greeting.welcome, m.WELCOME_TIME_MS: self._environment.unix_ms()})
        self._feed = FeedSender(self.session, self.node, greeting.epoch, greeting.mode, self._hello[m.HELLO_REVISION])
        if greeting.mode == m.MODE_DELTA:  # a hello counts as APPLIED where our history has what it says
            self.fleet.applied(self.node, self._hello[m.HELLO_REVISION])
        if greeting.mode == m.MODE_DIVERGED:
            self.session.snapshot_offer(greeting.epoch, greeting.revision)
        self.live = Live(self._hello[m.HELLO_JOURNAL_ID], self._hello[m.HELLO_INSTANCE])
        if isinstance(self.identity, PeerIdentity):
            self._ends_unix_ms = self.identity.session_ends_ms(self._environment.unix_ms())
        self.fleet.welcomed(self, now_ms)
        for note in (_MODE_NOTES[greeting.mode], *greeting.notes):
            self._environment.log(f"node {self.node}: {note}")

    def _on_diverged(self, event: events.Diverged, now_ms: int) -> None:
        self._diverged = True
        self._adopt_due = True  # the annotation may be there already
        self._environment.log(
            f"node {self.node}: holds epoch {event.epoch_held.hex()} revision {event.revision_held}, "
            f"goes on with it until edgelite.dev/adopt is set"
        )

    def _on_applied(self, event: events.Applied, now_ms: int) -> Work | None:
        self.fleet.applied(self.node, event.revision)
        if not self._adopting:
            return None
        self._adopting = False
        return Work(lambda transaction: hello_logic.end_divergence(transaction, self.node), _ignore)

    def _on_reports(self, event: events.Reports, now_ms: int) -> Work | None:
        greeting = self._greeting
        if greeting is None:
            return None
        reporter = Reporter(self.node, self.address, self._hello[m.HELLO_BOOT_ID], greeting.clock_offset_ms)
        return Work(
            lambda transaction: apply_reports(transaction, self._environment, reporter, event),
            partial(self._reported, event),
        )

    def _reported(self, event: events.Reports, ignored: list[str], now_ms: int) -> None:
        for text in ignored:
            self.fleet.complain(self.node, "ignored", f"node {self.node}: ignored {text}", now_ms)
        if not self.is_over:
            self.session.acknowledge(event.lane, event.generation, event.sequence_last, event.journal)

    # ---- events: streams

    def _on_artifact(self, event: events.ArtifactRequest, now_ms: int) -> Work:
        node, digest = self.node, event.digest

        def opened(is_own: bool, now_ms: int) -> None:
            if not self.is_over:
                self._transfers.open(event.stream, digest, event.offset, node_may_fetch(node, is_own))

        return Work(lambda transaction: digest in digests_of_node(transaction, node), opened, reads_only=True)

    def _on_log_data(self, event: events.LogData, now_ms: int) -> None:
        stream = self._logs.get(event.stream)
        if stream is not None:
            stream.push(event.data)

    def _on_stream_closed(self, event: events.StreamClosed, now_ms: int) -> None:
        self._transfers.closed(event.stream)
        stream = self._logs.pop(event.stream, None)
        if stream is not None:
            stream.finish(event.code, event.text)

    def _on_ended(self, event: events.Ended, now_ms: int) -> None:
        self.ended = event
        for stream in self._logs.values():
            stream.finish("link_lost", "the node's session ended")
        self._logs.clear()
        self.fleet.ended(self, event, now_ms)


def _ignore(result: object, now_ms: int) -> None:
    pass


_MODE_NOTES = {
    m.MODE_DELTA: "session open, gets what it lacks",
    m.MODE_SNAPSHOT: "session open, gets a snapshot",
    m.MODE_DIVERGED: "session open, holds another history than this hub",
}

_HANDLERS: dict[type, Callable[[NodeConnection, Any, int], Work | None]] = {
    events.JoinCaRequest: NodeConnection._on_join_ca,
    events.JoinRequest: NodeConnection._on_join,
    events.RenewRequest: NodeConnection._on_renew,
    events.Hello: NodeConnection._on_hello,
    events.Diverged: NodeConnection._on_diverged,
    events.Applied: NodeConnection._on_applied,
    events.Reports: NodeConnection._on_reports,
    events.ArtifactRequest: NodeConnection._on_artifact,
    events.LogData: NodeConnection._on_log_data,
    events.StreamClosed: NodeConnection._on_stream_closed,
    events.Ended: NodeConnection._on_ended,
}
