"""Both ends of the session over a link that cuts at any byte; node and hub restart from cut storage in between.

Invariant: what a producer was told is safe is stored at the hub exactly once after healing, in order; what the node
told the hub as applied is never lost at the node. The last tests break the ends on purpose: each must be caught.
"""

import random
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from edgelite_hub.store.contract import Store
from edgelite_hub.store.memory import MemoryStore
from edgelite_hub.store.sqlite import SqliteStore
from edgelite_ports.testing.storage import KEPT, LOST
from edgelite_protocol import messages as m
from edgelite_protocol.events import Reports
from edgelite_protocol.frames import FrameReader
from edgelite_protocol.hub_session import HubSession
from edgelite_protocol.session import Session

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "protocol"))
from cddl_rules import refusal
from link_cut_model import Hub, Node, make_device

LANES = (m.LANE_STATE, m.LANE_TELEMETRY)
# How many bytes a delivery carries: often less than a frame's header, now and then all there is.
PIECES_BYTES = st.one_of(st.integers(1, 9), st.integers(1, 300), st.just(100_000))
# What becomes of each unsynced operation of the storage, over and over: all, none, every other, torn at a byte.
FATES = st.lists(st.one_of(st.sampled_from([KEPT, LOST]), st.integers(0, 80)), min_size=1, max_size=5)
HEALING_ROUNDS = 400


class LinkCut(RuleBasedStateMachine):
    node_class: type[Node] = Node
    hub_class: type[Hub] = Hub

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begin(self, seed: int) -> None:
        self.now_ms = 0
        self.node = self.node_class(random.Random(seed).randbytes)
        self.hub = self.hub_class(self.make_store())
        self.linked = False
        self.to_hub = bytearray()  # on their way
        self.to_node = bytearray()

    def make_store(self) -> Store:
        return MemoryStore()

    # ---- people, producers, time

    @rule(lane=st.sampled_from(LANES), count=st.integers(1, 12))
    def produce(self, lane: int, count: int) -> None:
        for _ in range(count):
            self.node.produce(lane)

    @rule(key=st.sampled_from(["d/a", "d/b", "d/c"]), number=st.integers(0, 99), deleted=st.booleans())
    def change(self, key: str, number: int, deleted: bool) -> None:
        self.hub.change(key, None if deleted else make_device(number))
        self.hub.send_feed()

    @rule(keep=st.integers(0, 3))
    def compact(self, keep: int) -> None:
        self.hub.compact(keep)

    @rule(pass_ms=st.sampled_from([1, 100, 1000, 6000, 20_000]))
    def pass_time(self, pass_ms: int) -> None:
        self.now_ms += pass_ms
        self.node.step(self.now_ms)
        if self.hub.session is not None:
            self.hub.session.step(self.now_ms)
        if any(end.session is not None and end.session.closed for end in (self.node, self.hub)):
            self.cut_link()

    @rule()
    def sync(self) -> None:
        self.node.step(self.now_ms)
        self.node.complete_sync(self.now_ms)

    @rule()
    def commit(self) -> None:
        self.hub.commit()

    # ---- the link

    @precondition(lambda self: not self.linked)
    @rule()
    def connect(self) -> None:
        self.linked = True
        self.node.connect(self.now_ms)
        self.hub.connect(self.now_ms)

    @precondition(lambda self: self.linked)
    @rule(up_bytes=PIECES_BYTES, down_bytes=PIECES_BYTES)
    def deliver(self, up_bytes: int, down_bytes: int) -> None:
        self._collect()
        up, down = bytes(self.to_hub[:up_bytes]), bytes(self.to_node[:down_bytes])
        del self.to_hub[:up_bytes], self.to_node[:down_bytes]
        self.hub.receive(up, self.now_ms)
        self.node.receive(down, self.now_ms)

    @rule(rounds=st.integers(1, 6), lane=st.sampled_from(LANES))
    def converse(self, rounds: int, lane: int) -> None:
        """Work without a cut, so that sessions get somewhere; only the hub's commit is left to its own rule."""
        if not self.linked:
            self.connect()
        self.produce(lane, 2)
        for _ in range(rounds):
            self.sync()
            self.deliver(100_000, 100_000)

    def _collect(self) -> None:
        if self.node.session is not None:
            self.to_hub += self.sent(self.node.session)
        if self.hub.session is not None:
            self.to_node += self.sent(self.hub.session)

    def sent(self, session: Session) -> bytes:
        return session.data_to_send(4096)

    @precondition(lambda self: self.linked)
    @rule(up_bytes=PIECES_BYTES, down_bytes=PIECES_BYTES)
    def cut_link_at(self, up_bytes: int, down_bytes: int) -> None:
        """Some of what was on its way still arrives, to the byte."""
        self.deliver(up_bytes, down_bytes)
        self.cut_link()

    def cut_link(self) -> None:
        for end in (self.node, self.hub):
            if end.session is not None:
                end.session.receive_eof(self.now_ms)
                end.receive(b"", self.now_ms)
                assert end.session.closed
            end.session = None
        self.to_hub.clear()
        self.to_node.clear()
        self.linked = False

    # ---- power, processes

    @rule(fates=FATES)
    def cut_power(self, fates: list[int]) -> None:
        self._lose_link()
        storage = self.node.storage
        sizes = [storage.unsynced_bytes(index) for index in range(storage.unsynced_count())]
        self.node.cut_power([min(fates[index % len(fates)], size) for index, size in enumerate(sizes)])

    @rule()
    def kill_agent(self) -> None:
        self._lose_link()
        self.node.kill_agent()

    @rule()
    def crash_hub(self) -> None:
        self._lose_link()
        self.hub.crash()

    def _lose_link(self) -> None:
        """The other end hears of it; the one that died does not."""
        self.node.session = None
        if self.linked:
            self.cut_link()

    # ---- what must hold

    @invariant()
    def reports_are_stored_once_and_in_order(self) -> None:
        for lane in LANES:
            stored = self.hub.stored(lane)
            assert stored == sorted(set(stored)), f"lane {lane}: {stored}"

    @invariant()
    def the_hub_knows_no_more_than_was_claimed(self) -> None:
        assert self.hub.applied <= self.node.claimed <= self.hub.last_revision()

    def teardown(self) -> None:
        if not hasattr(self, "node"):
            return
        self.heal()
        for lane in LANES:
            promised = {number for promised_lane, number in self.node.promised if promised_lane == lane}
            missing = promised - set(self.hub.stored(lane))
            assert not missing, f"lane {lane}: promised and not stored: {sorted(missing)}"
        self.reports_are_stored_once_and_in_order()
        assert self.node.desired() == self.hub.desired()
        assert self.hub.applied == self.hub.last_revision()

    def heal(self) -> None:
        """The link holds, power stays, time passes: everything must come through."""
        if self.linked:
            self.cut_link()
        self.connect()
        for _ in range(HEALING_ROUNDS):
            self.deliver(100_000, 100_000)
            self.hub.commit()
            self.sync()
            self.now_ms += 1
            if self._is_quiet():
                return
        raise AssertionError("does not come to rest")

    def _is_quiet(self) -> bool:
        backlog = [self.node.journal.backlog(lane)[0] for lane in LANES]
        return backlog == [0, 0] and self.hub.applied == self.hub.last_revision() and not self.node.syncs


BUDGET = settings(
    max_examples=120,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def test_what_was_acknowledged_is_stored_once() -> None:
    run_state_machine_as_test(LinkCut, settings=BUDGET)


class OnSqlite(LinkCut):
    """The hub's store is a file: a crash of the hub leaves what is in it, and opens it again."""

    directory = ""
    made = 0

    def make_store(self) -> Store:
        OnSqlite.made += 1
        self.path = f"{self.directory}/hub-{OnSqlite.made}.sqlite"
        return SqliteStore(self.path)

    @rule()
    def crash_hub(self) -> None:
        super().crash_hub()
        self.hub.store.close()
        self.hub.store = SqliteStore(self.path)

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            if hasattr(self, "hub"):
                self.hub.store.close()


def test_the_same_with_a_store_in_a_file(tmp_path: Path) -> None:
    OnSqlite.directory = str(tmp_path)
    run_state_machine_as_test(OnSqlite, settings=settings(BUDGET, max_examples=15))


class InGrammar(LinkCut):
    """Everything that leaves either end is looked at by a CDDL validator."""

    def begin_reading(self) -> None:
        self.readers: dict[int, tuple[Session, FrameReader]] = {}
        self.seen: set[bytes] = set()

    def sent(self, session: Session) -> bytes:
        data = super().sent(session)
        if not hasattr(self, "readers"):
            self.begin_reading()
        _, reader = self.readers.setdefault(id(session), (session, FrameReader(65534)))
        reader.feed(data)
        while (frame := reader.next_frame()) is not None:
            if frame[1] not in self.seen:
                assert refusal(frame[1]) is None, frame[1].hex()
            self.seen.add(frame[1])
        return data


def test_all_that_is_sent_is_in_the_grammar() -> None:
    run_state_machine_as_test(InGrammar, settings=settings(BUDGET, max_examples=25))


# ---- broken on purpose


class PromisesBeforeSync(Node):
    def _appended(self, lane: int, number: int) -> None:
        self.promised.append((lane, number))


class ClaimsBeforeSync(Node):
    def _write(self, changes: list[Any], cursor: tuple[bytes, int, bytes]) -> None:
        super()._write(changes, cursor)
        self._claim(*cursor)


class AcknowledgesBeforeCommit(Hub):
    def _reports(self, event: Reports) -> None:
        super()._reports(event)
        super()._acknowledge(self.tail[-1][0], event)

    def _acknowledge(self, session: HubSession, event: Reports) -> None:
        pass


class ForgetsPositions(Hub):
    """Notes the position apart from the reports, and loses it."""

    def store_reports(self, transaction: Any, event: Reports) -> None:
        before = transaction.position(*(key := ("node-a", event.journal, event.lane)))
        super().store_reports(transaction, event)
        if before is not None:
            transaction.set_position(*key, before)


@pytest.mark.parametrize("broken", [PromisesBeforeSync, ClaimsBeforeSync, AcknowledgesBeforeCommit, ForgetsPositions])
def test_a_broken_end_is_caught(broken: type[Any]) -> None:
    class Broken(LinkCut):
        node_class = broken if issubclass(broken, Node) else Node
        hub_class = broken if issubclass(broken, Hub) else Hub

    budget = settings(BUDGET, max_examples=400, phases=[Phase.generate], report_multiple_bugs=False, print_blob=False)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Broken, settings=budget)
