"""Numbers that never come twice: none is given before its block is durable."""

from journal_world import Randomness, limits

from edgelite.counters import BLOCK, COUNTER_MAX, Counters
from edgelite.journal import SPACE_LINK, Journal
from edgelite_ports.testing import MemoryStorage
from edgelite_protocol.errors import MisuseError


class Bench:
    def __init__(self, storage=None) -> None:
        self.storage = storage or MemoryStorage()
        self.effects = []
        self.journal = Journal(self.storage, limits(), Randomness(1).bytes, self.effects.append)
        self.journal.open(0)
        self.counters = Counters(self.journal, Randomness(2).bytes)

    def sync(self) -> None:
        for _ in range(4):
            self.journal.step(0)
            for effect in self.effects:
                self.storage.sync()
                self.journal.synced(effect.token, 0)
            self.effects.clear()


def test_the_first_number_waits_for_its_sync() -> None:
    bench = Bench()
    assert bench.counters.take() is None
    assert bench.counters.take() is None
    bench.sync()
    assert [bench.counters.take() for _ in range(3)] == [0, 1, 2]


def test_a_failed_sync_gives_none() -> None:
    bench = Bench()
    bench.counters.take()
    for _ in range(3):
        bench.journal.step(0)
        for effect in bench.effects:
            bench.journal.sync_failed(effect.token, "input/output error", 0)
        bench.effects.clear()
        assert bench.counters.take() is None


def test_each_block_waits_for_its_own_sync() -> None:
    bench = Bench()
    bench.counters.take()
    bench.sync()
    assert [bench.counters.take() for _ in range(BLOCK)] == list(range(BLOCK))
    assert bench.counters.take() is None
    bench.sync()
    assert bench.counters.take() == BLOCK


def test_a_new_start_leaves_out_what_may_have_been_used() -> None:
    bench = Bench()
    bench.counters.take()
    bench.sync()
    assert bench.counters.take() == 0
    later = Bench(bench.storage.reopen())
    later.counters.take()
    later.sync()
    assert later.counters.take() == BLOCK


def test_a_full_medium_gives_none_and_tries_again() -> None:
    bench = Bench()
    write = bench.journal.write

    def full(changes):
        from edgelite.storage import StorageFullError

        raise StorageFullError("no room", "")

    bench.journal.write = full
    assert bench.counters.take() is None
    bench.journal.write = write
    bench.counters.take()
    bench.sync()
    assert bench.counters.take() == 0


def test_the_last_number_is_the_end() -> None:
    bench = Bench()
    bench.journal.write([("put", SPACE_LINK, "sessions", (COUNTER_MAX - 3).to_bytes(4, "big"))])
    bench.sync()
    try:
        bench.counters.take()
    except MisuseError:
        return
    raise AssertionError("it began anew")
