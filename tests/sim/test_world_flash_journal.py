"""The agent's journal on the simulated flash: what it called durable is there after any power cut, stall or error."""

from __future__ import annotations

from random import Random

import pytest

from edgelite.effects import Sync
from edgelite.journal import SPACE_META, Journal, JournalLimits
from edgelite.journal.log import Log
from edgelite_protocol.errors import CorruptionError, PlatformError
from edgelite_sim.world.flash import HOWS, PowerCut, SimFlash
from edgelite_sim.world.queue import EventQueue

LIMITS = JournalLimits(4096, 4096 * 12, 4096 * 5)


class Life:
    """One journal after another on one flash. `durable` is what it must still hold, `possible` what it may as well."""

    def __init__(self, seed: int) -> None:
        self.draw = Random(seed)
        self.queue = EventQueue()
        self.flash = SimFlash(self.queue)
        self.durable: dict[str, bytes] = {}
        self.written: list[tuple[int, dict[str, bytes]]] = []  # (position, all of it then), not yet durable
        self.open()

    def open(self) -> None:
        self.effects: list[object] = []
        self.journal = Journal(self.flash, LIMITS, self.draw.randbytes, self.effects.append)
        facts = self.journal.open(self.queue.now_ms)
        assert facts.damaged == []
        found = {key: self.journal.get(SPACE_META, key) for key in self.journal.keys(SPACE_META)}
        assert found in [self.durable, *(state for _, state in self.written)]
        self.durable = {key: value for key, value in found.items() if value is not None}
        self.written = []

    def write(self) -> None:
        state = dict(self.written[-1][1] if self.written else self.durable)
        key, value = f"key {self.draw.randrange(9)}", self.draw.randbytes(self.draw.randrange(120))
        state[key] = value
        self.written.append((0, state))  # a cut in the midst of it may keep it too
        position = self.journal.write([("put", SPACE_META, key, value)])
        self.written[-1] = (position, state)

    def turn(self) -> None:
        self.journal.flush(self.queue.now_ms)
        self.journal.step(self.queue.now_ms)
        while self.effects:
            effect = self.effects.pop(0)
            assert isinstance(effect, Sync)
            self.sync(self.journal, effect.token)

    def sync(self, journal: Journal, token: int) -> None:
        self.flash.sync_later(lambda _, error: self.done(journal, token, error))

    def done(self, journal: Journal, token: int, error: BaseException | None) -> None:
        if error is not None:
            journal.sync_failed(token, str(error), self.queue.now_ms)
            return
        journal.synced(token, self.queue.now_ms)
        while self.written and 0 < self.written[0][0] <= journal.durable_position:
            self.durable = self.written.pop(0)[1]

    def pass_time(self) -> None:
        self.queue.run(self.queue.now_ms + self.draw.choice([1, 3, 500, 2000]))

    def cut(self, how: str) -> None:
        self.flash.cut(self.draw, how)
        self.open()


def raise_cut() -> None:
    raise PowerCut


def live(life: Life, how: str, turns: int = 60) -> None:
    """Writes and turns until power goes, at some write or between two."""
    if life.draw.random() < 0.7:
        life.flash.cut_at_write(life.draw.randint(1, 40), raise_cut)
    try:
        for _ in range(life.draw.randrange(turns)):
            life.write()
            life.turn()
            life.pass_time()
    except PowerCut:
        pass
    life.cut(how)


@pytest.mark.parametrize("how", HOWS)
def test_what_was_durable_is_there_after_every_cut(how: str) -> None:
    for seed in range(8):
        life = Life(seed)
        for _ in range(5):
            live(life, how)


def test_a_journal_writes_again_what_a_failed_sync_forgot() -> None:
    for seed in range(12):
        life = Life(seed)
        for _ in range(4):
            life.flash.fail("sync", life.draw.randint(1, 3000))
            live(life, "lost-tail", turns=20)
            life.flash.heal()


def test_one_that_did_not_would_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Log, "rewrite_unsynced", lambda self: None)
    with pytest.raises((AssertionError, CorruptionError)):
        test_a_journal_writes_again_what_a_failed_sync_forgot()


def test_a_stalled_sync_confirms_nothing() -> None:
    life = Life(1)
    for _ in range(5):
        life.turn()
        life.queue.run(life.queue.now_ms + 1000)
    life.flash.stall(60_000)
    life.write()
    for passed_s in range(80):
        life.turn()
        assert (life.journal.durable_position == life.journal.position) == (passed_s > 60)
        life.queue.run(life.queue.now_ms + 1000)


def test_a_journal_that_cannot_be_read_is_never_taken_for_an_empty_one() -> None:
    life = Life(1)
    life.flash.fail("read", 1000)
    with pytest.raises(PlatformError, match="Input/output error"):
        life.open()
    life.queue.run(life.queue.now_ms + 2000)
    life.open()
