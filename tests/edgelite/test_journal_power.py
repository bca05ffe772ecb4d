"""The power is cut at every write, at torn prefixes of it, with any of the unsynced writes lost."""

import pytest
from journal_world import SPACES, TELEMETRY, Randomness, World, check_recovered, limits, workload

from edgelite.effects import Sync
from edgelite.journal import KEEP_NEWEST, KEEP_OLDEST, THIN_OUT, Journal
from edgelite_ports.testing.storage import KEPT, LOST, MemoryStorage

Fates = list[int | tuple[int, int]]
PAGE_BYTES = 128  # smaller than any medium's, so that the small writes here have several


def fates_to_try(storage: MemoryStorage, random: Randomness) -> list[Fates]:
    """What may have become of the unsynced operations, the newest of which is being cut."""
    count = storage.unsynced_count()
    size = storage.unsynced_bytes(count - 1)
    before = [KEPT] * (count - 1)
    all_fates = [[*before, KEPT], [*before, LOST], [LOST] * (count - 1) + [KEPT]]
    torn_at = {1, 7, 8, 9, size // 2, size - 5, size - 1, 512, 64 + random.number(max(size, 1))}
    all_fates += [[*before, torn] for torn in sorted(torn_at) if 0 < torn < size]
    all_fates += [[*before, hole] for hole in holes(size)]
    for index in range(count - 1):  # each of the earlier ones lost alone, and torn alone
        all_fates.append([*before[:index], LOST, *before[index + 1 :], KEPT])
        earlier = storage.unsynced_bytes(index)
        if earlier > 1:
            torn = 1 + random.number(earlier - 1)
            all_fates.append([*before[:index], torn, *before[index + 1 :], KEPT])
    for _ in range(4):  # any mixture
        all_fates.append([KEPT if random.number(2) else LOST for _ in range(count)])
    return all_fates


def holes(size: int) -> list[tuple[int, int]]:
    """The medium's pages get there in any order: one of those that a write touches does not, and the others do."""
    return [(start, start + PAGE_BYTES) for start in range(0, size, PAGE_BYTES) if size > PAGE_BYTES]


class Cutter:
    """Hangs on a world's storage and tries every cut at every change."""

    def __init__(self, world: World, depth: int) -> None:
        self.world = world
        self.depth = depth
        self.cuts = 0
        self.tears = 0

    def hang_on(self) -> None:
        self.world.storage.after_change = self.cut

    def cut(self) -> None:
        storage = self.world.storage
        for fates in fates_to_try(storage, self.world.random):
            self.cuts += 1
            again = self.depth > 1 and self.cuts % 37 == 0
            self.recover(storage.cut(fates), again, fates)

    def recover(self, storage: MemoryStorage, cut_again: bool, fates: Fates) -> None:
        world = self.world
        durable_position = world.journal.durable_position
        if cut_again:
            storage.after_change = lambda: self.cut_while_recovering(storage, durable_position)
        try:
            life = Life(storage, world)
            life.check_undamaged()
            life.settle()
            check_recovered(world, life.journal, durable_position, SPACES)
        except Exception as error:
            raise AssertionError(f"cut {self.cuts}, fates {fates}, {storage.names()}") from error

    def cut_while_recovering(self, storage: MemoryStorage, durable_position: int) -> None:
        for fates in fates_to_try(storage, self.world.random)[:6]:
            life = Life(storage.cut(fates), self.world)
            life.check_undamaged()
            life.settle()
            check_recovered(self.world, life.journal, durable_position, SPACES)
            self.tears += 1


class Life:
    """What the next start finds and does."""

    def __init__(self, storage: MemoryStorage, world: World) -> None:
        self.storage = storage
        self.effects: list[object] = []
        self.journal = Journal(storage, world.limits, world.random.bytes, self.effects.append)
        self.facts = self.journal.open(0)
        self.now_ms = 0
        self.world = world

    def check_undamaged(self) -> None:
        assert self.facts.damaged == []
        assert not (self.facts.fresh and self.world.journal.durable_position > 0)
        assert self.journal.generation >= 1

    def settle(self) -> None:
        """Until a first sync has made what was recovered certain; cleaning goes on later."""
        for _ in range(6):
            self.journal.step(self.now_ms)
            for effect in self.effects:
                assert isinstance(effect, Sync)
                self.storage.sync()
                self.journal.synced(effect.token, self.now_ms)
            self.effects.clear()


@pytest.mark.parametrize("policy", [KEEP_NEWEST, KEEP_OLDEST, THIN_OUT])
def test_every_cut_recovers_all_that_was_durable(policy: int) -> None:
    world = World(policy + 1, limits(policy, 4, 9))
    cutter = Cutter(world, 1)
    workload(world, 280, offline=True)  # so that cuts are tried where segments are used again
    cutter.hang_on()
    workload(world, 80, offline=True)
    workload(world, 200)
    assert cutter.cuts > 1000
    assert world.journal.statistics()["segments_cleaned"] > 0
    assert world.journal.trouble is None


def test_a_cut_while_recovering_from_a_cut_loses_nothing_more() -> None:
    """Depth 2 on each 37th cut (a number prime to all the cycles of the workload): recovery itself writes the same
    few records whatever it recovers, so that its own cuts repeat each other where the first cuts do not."""
    world = World(9)
    cutter = Cutter(world, 2)
    cutter.hang_on()
    workload(world, 200)
    assert cutter.tears > 100


class FirstStarts:
    """First starts that are cut at each of their writes, and the next start, which is a first one again, as well."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.world = World(3)
        self.cuts = 0

    def start(self, storage: MemoryStorage, depth: int) -> None:
        if depth < self.depth:
            storage.after_change = lambda: self.cut(storage, depth)
        life = Life(storage, self.world)
        assert life.facts.damaged == []
        life.journal.append_report(TELEMETRY, b"before anything is durable")
        life.settle()
        assert life.journal.durable_position > 0

    def cut(self, storage: MemoryStorage, depth: int) -> None:
        for fates in fates_to_try(storage, self.world.random):
            self.cuts += 1
            self.start(storage.cut(fates), depth + 1)


def test_cuts_during_first_starts_leave_nothing_that_stops_the_next() -> None:
    first_starts = FirstStarts(2)
    first_starts.start(MemoryStorage(), 0)
    assert first_starts.cuts > 1000


def test_a_record_behind_a_hole_never_comes_back_even_where_the_log_grows_over_the_hole() -> None:
    """A was lost and B, behind it, was not. The next life writes something of A's size: B must not follow it."""
    world = World(13)
    world.settle()
    world.journal.write([("put", 1, "a", bytes(400))])
    world.journal.write([("put", 1, "b", b"must not come back")])
    world.journal.urgent()
    world.journal.step(world.now_ms)
    for hole in ((0, 420), (20, 300), (1, 2)):
        storage = world.storage.cut([KEPT] * (world.storage.unsynced_count() - 1) + [hole])
        assert b"must not come back" in storage.read("s00000001.seg", 0, 4096)
        life = Life(storage, world)
        life.check_undamaged()
        assert life.facts.unconfirmed_bytes > 0
        life.journal.write([("put", 1, "c", bytes(400))])
        life.settle()
        after = Life(storage.cut(), world)
        assert after.journal.keys(1) == ["c"]
        assert after.facts.damaged == []
