"""Agents and hubs that are broken on purpose, and which invariant must notice.

Each mutation patches the real classes for one run and names a scene in which the code as it is keeps every invariant.
A patch whose target is no longer there fails at once, so that none of them rots into a test of nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any
from unittest import mock

import mutation_scenes as scenes
from mutation_scenes import DAY, MINUTE, Scene

from edgelite import backoff as backoffs
from edgelite import node as nodes
from edgelite.config import Config
from edgelite.desired import Cursor, Desired
from edgelite.devices.kept import Kept
from edgelite.devices.wishing import Wishing
from edgelite.journal import layout
from edgelite.journal.commit import GroupCommit
from edgelite.journal.compaction import Cleaner
from edgelite.journal.journal import Journal
from edgelite.journal.limits import JournalLimits
from edgelite.journal.names import Names
from edgelite.link import Link
from edgelite.outbox import LANES, Outbox
from edgelite.supervisor import Supervisor, supervisor
from edgelite.supervisor import table as units
from edgelite_hub.model.objects import PODS
from edgelite_hub.nodes import hello_logic, node_logic, reports
from edgelite_hub.nodes.fleet import Fleet
from edgelite_hub.store.memory import MemoryTransaction
from edgelite_hub.work import Work
from edgelite_protocol import events, feed_rules, node_session
from edgelite_protocol import messages as m
from edgelite_protocol.keepalive import WAIT, Keepalive

LOST = "nothing-acknowledged-is-lost"
TWICE = "nothing-is-stored-twice"
ORDER = "order-per-device-holds"
REACHED = "desired-state-is-reached"
RESTS = "settled-wishes-rest"
RUNS = "what-should-run-runs"
REMOVED = "nothing-is-removed-without-an-order"
BOUNDS = "bounds-hold"
STORM = "no-reconnect-storm"
RAISES = "nothing-raises"
REPLAYS = "replays-agree"

# What stands in the place of a function; it is given the one that was there.
Make = Callable[[Any], Any]


@dataclass(frozen=True)
class Swap:
    """One function of a class or module, or one entry of a table, and what takes its place."""

    owner: Any
    name: Any
    make: Make

    def patch(self) -> Any:
        if isinstance(self.owner, dict):
            return mock.patch.dict(self.owner, {self.name: self.make(self.owner[self.name])})
        if not isinstance(self.owner, ModuleType) and self.name not in vars(self.owner):
            raise AttributeError(
                f"{self.owner.__name__} has no {self.name} of its own: the mutation has lost its target"
            )
        return mock.patch.object(self.owner, self.name, self.make(getattr(self.owner, self.name)))


@dataclass(frozen=True)
class Mutation:
    name: str
    caught_by: str
    scene: Callable[[], Scene]
    swaps: tuple[Swap, ...] = field(default=())

    @contextmanager
    def applied(self) -> Iterator[None]:
        with ExitStack() as stack:
            for swap in self.swaps:
                stack.enter_context(swap.patch())
            yield


def instead(function: Any) -> Make:
    """Whatever was there, this is it now."""
    return lambda original: function


# ---- the journal


def done_when_asked(begin_sync: Any) -> Any:
    def begin(self: Any) -> None:
        begin_sync(self)
        if self._commit.in_flight is not None:
            self.synced(self._commit.in_flight, 0)

    return begin


def long_windows(init: Any) -> Any:
    return lambda self, group_window_ms, lazy_window_ms: init(self, 30 * group_window_ms, lazy_window_ms)


def same_generation(begin: Any) -> Any:
    def again(self: Any, fresh_id: bool) -> None:
        self.generation = 0
        begin(self, fresh_id)
        self.instance = b"instance"

    return again


def large_limits(self: Any) -> JournalLimits:
    return JournalLimits(segment_bytes=self.segment_bytes, size_bytes_max=8 << 20, telemetry_bytes_max=6 << 20)


# ---- outbox and desired state


def forgetful_begin(begin: Any) -> Any:
    def begin_session(self: Any, hello_journal_id: bytes) -> None:
        for lane in LANES:
            self._journal.acknowledge(lane, *self._journal._durable_names[lane])
        begin(self, hello_journal_id)

    return begin_session


def hello_without_epoch(hello: Any) -> Any:
    def without(self: Any, now_ms: int) -> dict[int, object]:
        said = hello(self, now_ms)
        for key in (m.HELLO_EPOCH, m.HELLO_DIGEST):
            said.pop(key, None)
        return {**said, m.HELLO_REVISION: 0}

    return without


def snapshot_for_all(choose: Any) -> Any:
    def choose_mode(hello: Any, history: Any) -> int:
        mode = choose(hello, history)
        return m.MODE_SNAPSHOT if mode == m.MODE_DIVERGED else int(mode)

    return choose_mode


def unchecked_begin(begin: Any) -> Any:
    def snapshot_begin(self: Any, session: Any, event: Any, now_ms: int) -> None:
        self.adopt(event.epoch)
        begin(self, session, event, now_ms)

    return snapshot_begin


def silent_restore(restore: Any) -> Any:
    def without_telling(self: Any, damaged: bool, now_ms: int) -> Any:
        apply, self._apply = self._apply, lambda *arguments: None
        lost = restore(self, damaged, now_ms)
        self._apply = apply
        return lost

    return without_telling


def entry_in_memory(self: Any, event: Any, now_ms: int) -> None:
    self.cursor = self._owed = Cursor(self._epoch_offered, event.revision, event.digest)
    self._owed_position = 0
    self._apply(event.kind, event.key, event.value, now_ms)


def restarts_all_at_a_jump(welcomed: Any) -> Any:
    def handle(self: Any, session: Any, event: Any, now_ms: int) -> None:
        before_ms = self.clock.offset_ms
        welcomed(self, session, event, now_ms)
        if before_ms is not None and abs(self.clock.offset_ms - before_ms) > DAY:
            for unit in list(self.supervisor._units.values()):
                self.supervisor._fire(unit, units.STOP, now_ms)

    return handle


# ---- the link


def reset_when_live(do_live: Any) -> Any:
    def live(self: Any, now_ms: int) -> None:
        do_live(self, now_ms)
        self._backoff.reset()

    return live


def no_jitter(self: Any) -> int:
    ceiling_ms: int = self.ceiling_ms()
    self.attempts += 1
    return ceiling_ms


def no_growth(self: Any) -> int:
    return int(int.from_bytes(self._random_bytes(4), "big") * self.base_ms >> 32)


def no_cap(self: Any) -> int:
    return int(self.base_ms << min(self.attempts, 30))


def true_chance(self: Any) -> int:
    self.attempts += 1
    return int(int.from_bytes(os.urandom(4), "big") * self.ceiling_ms() >> 32)


def deadline_forgotten(do_rest: Any) -> Any:
    def rest(self: Any, now_ms: int) -> None:
        do_rest(self, now_ms)
        if self._backoff.attempts >= 4:
            self._deadline_ms = None

    return rest


def waits_for_a_clock(do_open: Any) -> Any:
    """A certificate that is judged by the node's own clock: of no use until somebody says what time it is."""

    def open_link(self: Any, now_ms: int) -> None:
        if self._context.clock.offset_ms is None and self._context.clock.floor_ms:
            self._deadline_ms = now_ms + MINUTE
        else:
            do_open(self, now_ms)

    return open_link


def never_pings(self: Any, now_ms: int, owed: bool) -> int:
    self.deadline_ms = now_ms + DAY
    return WAIT


# ---- programs and devices


def ends_for_good(restart_policy: str, well: bool) -> int:
    return units.WELL if well else units.BADLY


def raises_at_a_crash(step: Any) -> Any:
    def step_or_raise(self: Any, now_ms: int) -> Any:
        for unit in self._units.values():
            if unit.last_end is not None and unit.last_end.signal == 11:
                raise KeyError(unit.last_end.signal)
        return step(self, now_ms)

    return step_or_raise


# ---- the hub


def acknowledged_first(on_reports: Any) -> Any:
    def handle(self: Any, event: Any, now_ms: int) -> Any:
        work = on_reports(self, event, now_ms)
        self.session.acknowledge(event.lane, event.generation, event.sequence_last, event.journal)
        return Work(work.run, lambda *arguments: None)

    return handle


def some_samples(write: Any) -> Any:
    def write_some(batch: Any) -> None:
        batch.samples = [sample for sample in batch.samples if int(sample.value) % 5]
        write(batch)

    return write_some


def newest_first(write: Any) -> Any:
    def write_reversed(batch: Any) -> None:
        batch.samples.reverse()
        write(batch)

    return write_reversed


def follows_the_node(transaction: Any, node: str, hello: Any, random_bytes: Any) -> tuple[bytes, int]:
    """A hub that takes its own store, whatever is in it, for the history that the node knows."""
    return hello.get(m.HELLO_EPOCH, bytes(8)), m.MODE_SNAPSHOT


def snapshot_without_the_oldest(feed_snapshot: Any) -> Any:
    return lambda self, node: feed_snapshot(self, node)[1:]


def evicts(tell: Any) -> Any:
    def tell_and_evict(self: Any, transaction: Any, late: list[str]) -> Any:
        for pod in list(transaction.list(PODS)):
            if pod["spec"].get("nodeName") in late:
                transaction.delete(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"])
        return tell(self, transaction, late)

    return tell_and_evict


def nothing(*arguments: Any, **named: Any) -> None:
    return None


MUTATIONS = (
    Mutation(
        "sync taken for done when it is asked for",
        LOST,
        scenes.churn_and_cuts,
        (Swap(Journal, "_begin_sync", done_when_asked),),
    ),
    Mutation("commit window ignored", LOST, scenes.power_cuts, (Swap(GroupCommit, "__init__", long_windows),)),
    Mutation("names begin anew at each start", LOST, scenes.agent_crashes, (Swap(Names, "begin", same_generation),)),
    Mutation(
        "checksums ignored in recovery", RAISES, scenes.bit_rot, (Swap(layout, "checksum", instead(lambda *_: 0)),)
    ),
    Mutation(
        "journal never cleaned",
        REACHED,
        scenes.small_flash_churn,
        (Swap(Cleaner, "wanted", instead(lambda *_: False)),),
    ),
    Mutation(
        "quota ignored", BOUNDS, scenes.small_flash_outage, (Swap(Config, "journal_limits", instead(large_limits)),)
    ),
    Mutation(
        "drops in silence", LOST, scenes.small_flash_outage, (Swap(Journal, "take_dropped", instead(lambda _: [])),)
    ),
    Mutation("outbox dropped at reconnect", LOST, scenes.outage, (Swap(Outbox, "begin", forgetful_begin),)),
    Mutation("epoch forgotten", REMOVED, scenes.hub_restored, (Swap(nodes.Node, "_hello", hello_without_epoch),)),
    Mutation(
        "snapshot of a foreign hub applied",
        REMOVED,
        scenes.hub_restored,
        (
            Swap(feed_rules, "choose_feed_mode", snapshot_for_all),
            Swap(node_session, "_mode_fits", instead(lambda *_: True)),
            Swap(Desired, "snapshot_begin", unchecked_begin),
        ),
    ),
    Mutation(
        "desired state not journaled",
        RUNS,
        scenes.reboot_without_hub,
        (Swap(Desired, "entry", instead(entry_in_memory)),),
    ),
    Mutation(
        "desired state not told at a start", REMOVED, scenes.agent_crashes, (Swap(Desired, "restore", silent_restore),)
    ),
    Mutation(
        "a jump of the hub's clock restarts all",
        REMOVED,
        scenes.hub_clock,
        (Swap(nodes._HANDLERS, events.Welcomed, restarts_all_at_a_jump),),
    ),
    Mutation("backoff reset on connect", STORM, scenes.stumbling, (Swap(Link, "_do_live", reset_when_live),)),
    Mutation("no jitter", STORM, scenes.fleet, (Swap(backoffs.Backoff, "next_ms", instead(no_jitter)),)),
    Mutation(
        "no growth of the backoff", STORM, scenes.stumbling, (Swap(backoffs.Backoff, "next_ms", instead(no_growth)),)
    ),
    Mutation(
        "no cap of the backoff",
        LOST,
        scenes.refused_for_hours,
        (Swap(backoffs.Backoff, "ceiling_ms", instead(no_cap)),),
    ),
    Mutation("deadline forgotten", LOST, scenes.outage, (Swap(Link, "_do_rest", deadline_forgotten),)),
    Mutation(
        "certificate judged by the node's clock",
        LOST,
        scenes.reboot_without_hub,
        (Swap(Link, "_do_open", waits_for_a_clock),),
    ),
    Mutation("never pings", REACHED, scenes.half_open, (Swap(Keepalive, "step", instead(never_pings)),)),
    Mutation("chance from outside", REPLAYS, scenes.fleet, (Swap(backoffs.Backoff, "next_ms", instead(true_chance)),)),
    Mutation("what crashed stays down", RUNS, scenes.crashing, (Swap(supervisor, "ending", instead(ends_for_good)),)),
    Mutation("raises at a crash", RAISES, scenes.crashing, (Swap(Supervisor, "step", raises_at_a_crash),)),
    Mutation(
        "write not repeated",
        REACHED,
        scenes.wish_for_a_dead_device,
        (Swap(Wishing, "_retry_desired", instead(nothing)),),
    ),
    Mutation("old wish written again", RESTS, scenes.hand_at_the_device, (Swap(Kept, "recall", instead(nothing)),)),
    Mutation(
        "hub acknowledges before it commits",
        LOST,
        scenes.hub_dies("before", "inside"),
        (Swap(node_logic._HANDLERS, events.Reports, acknowledged_first),),
    ),
    Mutation("hub acknowledges what it did not store", LOST, scenes.outage, (Swap(reports, "_write", some_samples),)),
    Mutation("hub stores a batch backwards", ORDER, scenes.outage, (Swap(reports, "_write", newest_first),)),
    Mutation(
        "hub notes no positions",
        TWICE,
        scenes.hub_dies("committed", "committed"),
        (Swap(MemoryTransaction, "set_position", instead(nothing)),),
    ),
    Mutation(
        "empty store taken for the truth",
        REMOVED,
        scenes.hub_emptied,
        (Swap(hello_logic, "choose_mode", instead(follows_the_node)),),
    ),
    Mutation(
        "stale snapshot",
        REMOVED,
        scenes.compacted,
        (Swap(MemoryTransaction, "feed_snapshot", snapshot_without_the_oldest),),
    ),
    Mutation("feed not pushed", REACHED, scenes.changes, (Swap(Fleet, "feeds_grown", instead(nothing)),)),
    Mutation("unreachable node evicted", REMOVED, scenes.long_absence, (Swap(Fleet, "_tell", evicts),)),
)
