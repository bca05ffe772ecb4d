"""Whose desired value counts, and what the device then holds, over outages, restarts, power cuts, local changes and
hands at the machine: a model of docs/twins.md against devices on a real journal."""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

sys.path.insert(0, str(Path(__file__).parent / "portable"))

from device_fakes import FakeDriver, device_map, property_row

from edgelite.clock import Clock
from edgelite.context import Context
from edgelite.devices import Devices
from edgelite.devices import desired as d
from edgelite.devices.hub_loss import BACK_MS, RESTART_MS
from edgelite.effects import Sync
from edgelite.journal import Journal, JournalLimits
from edgelite.outbox import Outbox
from edgelite_ports.testing import MemoryStorage

KEY = "default/drive"
NOON = 1_767_225_600_000
FAIL_SAFE_MS = 30_000
LONG_MS = 640_000  # longer than the longest pause between two tries
EXPIRES_AFTER_MS = 120_000
SAFE = 99
SEEDS = itertools.count(1)
VALUES = st.integers(0, 5)


@dataclass
class Word:
    """What the model holds for the desired value that counts."""

    origin: str = d.NOBODY
    value: int | None = None
    is_owed: bool = False  # to the device
    expires: int | None = None  # Unix ms


class Drive:
    """One agent after another, on one journal, with one device that keeps what it holds."""

    def __init__(self, storage: MemoryStorage | None = None, holds: Any = 0, entry: Any = None, boot: int = 1) -> None:
        self.storage = storage or MemoryStorage()
        self.holds: dict[str, Any] = {"p": holds}
        self.is_silent = False
        self.boot = boot
        self.now_ms = 0
        self.unix_ms = NOON
        self.floor_ms = 0
        self.offset_ms: int | None = None
        self.entry: dict[str, Any] = entry or {"fail_safe": str(SAFE), "fail_safe_ms": FAIL_SAFE_MS}
        self.is_live = False
        self.start()

    def start(self) -> None:
        self.effects: list[Any] = []
        boot_id = bytes([self.boot] * 16)
        seed = next(SEEDS) % 256
        self.journal = Journal(self.storage, JournalLimits(), lambda count: bytes([seed] * count), self.effects.append)
        self.journal.open(self.now_ms)
        self.clock = Clock(boot_id)  # what timekeeping.py brings over a restart
        self.clock.floor_ms, self.clock.offset_ms = self.floor_ms, self.offset_ms
        report = Outbox(self.journal).report
        emit = self.effects.append
        context = Context(self.journal, emit, report, self.clock, lambda count: bytes(count), boot_id)
        driver = FakeDriver(self.holds)
        self.bus = driver.bus
        self.bus.silent = self.is_silent
        self.devices = Devices(context, lambda name: driver)
        self.is_live = False
        self.send()

    def restart(self, cuts: bool) -> None:
        if cuts:
            self.storage = self.storage.cut()
            self.boot = self.boot % 250 + 1
            self.now_ms = 0
            self.offset_ms = None
        self.start()

    def send(self) -> None:
        row = property_row("p", writable=True, collect_ms=30_000, **self.entry)
        self.devices.set_desired(KEY, device_map([row]), self.now_ms)

    def link(self, is_live: bool) -> None:
        self.is_live = is_live
        if is_live:
            self.clock.learn(self.unix_ms, self.now_ms)
            self.floor_ms, self.offset_ms = self.clock.floor_ms, self.clock.offset_ms

    def run(self, for_ms: int) -> None:
        end_ms = self.now_ms + for_ms
        while self.now_ms < end_ms:
            self.step()
            deadline_ms = self.devices.step(self.now_ms)
            next_ms = end_ms if deadline_ms is None else min(max(deadline_ms, self.now_ms + 1), end_ms)
            self.unix_ms += next_ms - self.now_ms
            self.now_ms = next_ms
        self.step()

    def step(self) -> None:
        self.devices.link(self.is_live, self.now_ms)
        self.devices.step(self.now_ms)
        self.journal.step(self.now_ms)
        self.journal.flush(self.now_ms)
        self.journal.urgent()
        self.journal.step(self.now_ms)
        for effect in self.effects:
            if isinstance(effect, Sync):
                self.storage.sync()
                self.journal.synced(effect.token, self.now_ms)
        self.effects.clear()

    @property
    def desired(self) -> Any:
        view: Any = self.devices.view(KEY)
        return view.twins["p"].desired


class Wishes(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.drive = Drive()
        self.word = Word()
        self.hub = Word()  # the hub's last wish that the node has
        self.held = 0
        self.undelivered: dict[str, Any] | None = None
        self.version = 0

    # ---- what happens

    @initialize()
    def begin(self) -> None:
        self.up()

    @rule(value=VALUES, expires=st.booleans())
    def hub_desires(self, value: int, expires: bool) -> None:
        self.version += 1
        time_ms = self.drive.unix_ms
        self.undelivered = {
            "desired": str(value),
            "desired_version": self.version,
            "desired_time": time_ms,
            "desired_expires": time_ms + EXPIRES_AFTER_MS if expires else None,
        }
        if self.drive.is_live:
            self.deliver()
        self.settle(5000)

    @rule()
    def hub_withdraws(self) -> None:
        self.version += 1
        self.undelivered = dict.fromkeys(("desired", "desired_version", "desired_time", "desired_expires"))
        if self.drive.is_live:
            self.deliver()
        self.settle(5000)

    @rule(value=VALUES)
    def somebody_here_desires(self, value: int) -> None:
        self.drive.devices.want_locally(KEY, "p", str(value), self.drive.now_ms)
        self.word = Word(d.LOCAL, value, True)
        self.settle(5000)

    @rule(value=VALUES)
    def hand_at_the_machine(self, value: int) -> None:
        self.drive.holds["p"] = self.held = value
        self.settle(20_000)

    @rule()
    def device_falls_silent_or_answers_again(self) -> None:
        self.drive.is_silent = self.drive.bus.silent = not self.drive.is_silent
        self.settle(LONG_MS)

    @precondition(lambda self: self.drive.is_live)
    @rule(for_ms=st.sampled_from([3000, 20_000, 2 * FAIL_SAFE_MS, LONG_MS]))
    def hub_is_lost(self, for_ms: int) -> None:
        self.drive.link(False)
        if for_ms > FAIL_SAFE_MS:
            self.settle(FAIL_SAFE_MS - 1)
            self.fail_safe()
            self.settle(for_ms - FAIL_SAFE_MS + 1)
        else:
            self.settle(for_ms)
            self.up()

    @precondition(lambda self: not self.drive.is_live)
    @rule()
    def hub_is_back(self) -> None:
        self.up()

    @rule(cuts=st.booleans())
    def agent_restarts(self, cuts: bool) -> None:
        was_live = self.drive.is_live
        self.drive.restart(cuts)
        if self.word.origin == d.LOCAL and not self.word.is_owed:
            self.word.value = None
        if was_live:
            self.up()
        else:
            self.settle(RESTART_MS + FAIL_SAFE_MS)
            self.fail_safe()

    # ---- what the page says of it

    def up(self) -> None:
        self.drive.link(True)
        self.drive.step()
        if self.undelivered is not None:
            self.deliver()
        self.settle(BACK_MS - 1)
        if self.word.origin == d.FAIL_SAFE:
            self.word = Word(self.hub.origin, self.hub.value, self.hub.origin == d.HUB, self.hub.expires)
        self.settle(LONG_MS)

    def deliver(self) -> None:
        assert self.undelivered is not None
        wish, self.undelivered = self.undelivered, None
        self.drive.entry.update(wish)
        self.drive.send()
        if wish["desired"] is None:
            self.hub = Word()
            if self.word.origin == d.HUB:
                self.word = Word()
            return
        self.hub = Word(d.HUB, int(wish["desired"]), True, wish["desired_expires"])
        is_late = self.hub.expires is not None and self.hub.expires <= self.drive.unix_ms
        if not is_late or self.word.origin in (d.NOBODY, d.HUB):
            self.word = Word(d.HUB, self.hub.value, True, self.hub.expires)

    def fail_safe(self) -> None:
        if self.word.origin in (d.NOBODY, d.HUB):
            self.word = Word(d.FAIL_SAFE, SAFE, True)

    def settle(self, for_ms: int) -> None:
        """Time passes, and an owed value reaches a device that answers: at the first reading, or the first after it
        answers again, before any expiry that matters here unless that has come already."""
        before_ms = self.drive.unix_ms
        self.drive.run(for_ms)
        word = self.word
        if not word.is_owed:
            return
        asked_ms = self.drive.unix_ms if self.drive.is_silent else before_ms
        is_over = word.expires is not None and word.expires <= asked_ms
        if is_over and (word.value != self.held or self.drive.is_silent):
            word.is_owed = False
            return
        if not self.drive.is_silent:
            word.is_owed = False
            assert word.value is not None
            self.held = word.value

    @invariant()
    def the_device_holds_what_counts(self) -> None:
        assert self.drive.holds["p"] == self.held, (self.word, self.drive.desired.state, self.drive.desired.error)

    @invariant()
    def the_node_says_whose_word_it_is(self) -> None:
        desired = self.drive.desired
        assert desired.origin == self.word.origin, (desired.origin, self.word)
        assert desired.text == (None if self.word.value is None else str(self.word.value))


TestWishes = Wishes.TestCase
TestWishes.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
