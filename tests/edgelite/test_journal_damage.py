"""Bits flip, blocks read as zeros, files vanish: never silently empty, never wrong data, and said so."""

import pytest
from journal_world import SEGMENT_BYTES, SPACES, STATE, TELEMETRY, World, contents, limits, rows, workload

from edgelite.journal import Journal, Recovery
from edgelite.journal.limits import KEEP_NEWEST
from edgelite_ports.testing.storage import MemoryStorage
from edgelite_protocol.errors import CorruptionError


@pytest.fixture(scope="module")
def world() -> World:
    made = World(21, limits(KEEP_NEWEST, 4, 10))
    workload(made, 260)
    made.settle()
    workload(made, 24)
    made.settle()
    return made


class Found:
    """What the next start makes of a damaged medium; `error` where it refuses to start."""

    def __init__(self, storage: MemoryStorage, world: World) -> None:
        self.error: CorruptionError | None = None
        self.facts = Recovery()
        self.values: dict[tuple[int, str], bytes] = {}
        self.reports: list[tuple[tuple[int, int], bytes]] = []
        self.met: list[str] = []
        effects: list[object] = []
        try:
            self.journal = Journal(storage, world.limits, world.random.bytes, effects.append)
            self.facts = self.journal.open(0)
        except CorruptionError as error:
            self.error = error
            return
        for _ in range(4):
            self.journal.step(0)
            for effect in effects:
                storage.sync()
                self.journal.synced(effect.token, 0)  # type: ignore[attr-defined]
            effects.clear()
        self.values = {(space, key): value for space, pairs in contents(self.journal, SPACES) for key, value in pairs}
        self.reports = rows(self.journal, STATE) + rows(self.journal, TELEMETRY)
        self.met = self.journal.take_damage()

    def is_the_same_as(self, other: "Found") -> bool:
        return self.values == other.values and self.reports == other.reports

    def is_reported(self) -> bool:
        return bool(self.error or self.facts.damaged or self.facts.unconfirmed_bytes or self.met)


def check(damaged: Found, whole: Found, world: World, what: str) -> None:
    assert not damaged.facts.fresh, f"{what}: taken for an empty journal"
    assert damaged.is_the_same_as(whole) or damaged.is_reported(), f"{what}: not reported"
    for (_, key), value in damaged.values.items():
        assert value in world.model.values[key], f"{what}: {key} has a value that it never had"
    for name, body in damaged.reports:
        assert world.model.bodies[name] == body, f"{what}: report {name} has changed"


def test_a_bit_that_flips_anywhere_is_noticed_or_does_no_harm(world: World) -> None:
    whole = Found(world.storage.cut(), world)
    assert whole.facts.damaged == []
    damage_seen = 0
    for name in world.storage.names():
        for offset in range(0, SEGMENT_BYTES, 53):  # prime, so that it meets all places of a record
            storage = world.storage.cut()
            storage.bit_flip(name, offset, (offset * 3) % 8)
            found = Found(storage, world)
            check(found, whole, world, f"bit {(offset * 3) % 8} of byte {offset} of {name}")
            damage_seen += bool(found.facts.damaged)
    assert damage_seen > 50


def test_every_bit_of_the_newest_and_the_oldest_segment_s_first_bytes(world: World) -> None:
    whole = Found(world.storage.cut(), world)
    segments = sorted(name for name in world.storage.names() if name.endswith(".seg") and name[0] == "s")
    for name in (segments[0], segments[-1]):
        for offset in range(124):
            for bit in (0, 5):
                storage = world.storage.cut()
                storage.bit_flip(name, offset, bit)
                check(Found(storage, world), whole, world, f"bit {bit} of byte {offset} of {name}")


@pytest.mark.parametrize("size", [256, 4096])
def test_a_block_that_reads_as_zeros_or_as_another_is_noticed(world: World, size: int) -> None:
    whole = Found(world.storage.cut(), world)
    for name in world.storage.names():
        for offset in range(0, SEGMENT_BYTES, size):
            for other in (bytes(size), world.storage.read(world.storage.names()[0], 0, size), b"\xff" * size):
                storage = world.storage.cut()
                storage.write(name, offset, other)
                storage.sync()
                check(Found(storage, world), whole, world, f"{size} bytes at {offset} of {name}")


def test_a_segment_file_that_vanished_is_noticed(world: World) -> None:
    whole = Found(world.storage.cut(), world)
    segments = sorted(name for name in world.storage.names() if name.endswith(".seg"))
    for name in segments:
        storage = world.storage.cut()
        storage.remove(name)
        storage.sync()
        found = Found(storage, world)
        newest = name in (max(n for n in segments if n[0] == stream) for stream in "st")
        if not newest:  # of the newest nobody else knows how far it went, and it may just not have got there
            check(found, whole, world, f"without {name}")
        assert not found.facts.fresh


def test_damage_names_file_and_place_and_what_was_kept(world: World) -> None:
    storage = world.storage.cut()
    name = sorted(n for n in storage.names() if n.endswith(".seg") and n[0] == "s")[0]
    storage.bit_flip(name, 1000, 3)
    found = Found(storage, world)
    assert len(found.facts.damaged) == 1
    assert found.facts.damaged[0].startswith(name + ": ")
    assert "what stands before and behind them was kept" in found.facts.damaged[0]
    assert len(found.values) >= len(world.model.spaces) > 0


def test_after_damage_reports_have_a_fresh_journal_id_and_writing_goes_on_elsewhere(world: World) -> None:
    storage = world.storage.cut()
    segments = sorted(n for n in storage.names() if n.endswith(".seg") and n[0] == "s")
    storage.bit_flip(segments[0], 1000, 3)
    before = {name: storage.read(name, 0, SEGMENT_BYTES) for name in segments}
    found = Found(storage, world)
    assert found.facts.renamed
    assert found.journal.journal_id != world.journal.journal_id
    found.journal.write([("put", 1, "new", b"1")])
    for name in segments:
        if name in storage.names():
            assert storage.read(name, 0, SEGMENT_BYTES) == before[name], "a damaged log was written to"


def test_a_damaged_group_of_changes_is_left_out_as_a_whole() -> None:
    world = World()
    world.write([("put", 1, "a", b"old"), ("put", 1, "b", b"old")])
    world.settle()
    start = world.journal._state.log.segments[-1].end
    world.write([("put", 1, "a", b"new-a"), ("put", 1, "b", b"new-b"), ("put", 1, "c", b"new-c")])
    world.settle()
    world.write([("put", 1, "d", b"later")])
    world.settle()
    data = world.storage.read("s00000001.seg", start, 300)
    for key in (b"new-a", b"new-b", b"new-c"):
        storage = world.storage.cut()
        storage.bit_flip("s00000001.seg", start + data.index(key), 0)
        journal = Journal(storage, world.limits, world.random.bytes, lambda effect: None)
        assert len(journal.open(0).damaged) == 1
        found = {name: journal.get(1, name) for name in journal.keys(1)}
        assert found == {"a": b"old", "b": b"old", "d": b"later"}


def test_damage_that_comes_while_the_journal_is_open_is_never_given_out() -> None:
    world = World()
    world.write([("put", 1, "a", b"precious value")])
    state_name = world.report(b"state report body")
    samples = [world.sample(b"sample %d body" % number) for number in range(5)]
    world.settle()
    for name in world.storage.names():
        data = world.storage.read(name, 0, SEGMENT_BYTES)
        for text in (b"precious", b"state report", b"sample 2"):
            if text in data:
                world.storage.bit_flip(name, data.index(text), 2)
    with pytest.raises(CorruptionError, match=r"s00000001\.seg, offset") as caught:
        world.journal.get(1, "a")
    assert "does not validate" in caught.value.text
    assert state_name not in [name for name, _ in rows(world.journal, STATE)]
    found = [name for name, _ in rows(world.journal, TELEMETRY)]
    assert found == samples[:2] + samples[3:]
    assert len(world.journal.take_damage()) == 2
    assert world.journal.take_damage() == []


def test_damage_is_found_again_at_each_start_until_its_segment_was_cleaned(world: World) -> None:
    storage = world.storage.cut()
    name = sorted(n for n in storage.names() if n.endswith(".seg") and n[0] == "s")[0]
    storage.bit_flip(name, 1000, 3)
    again = storage.cut()
    first = Found(storage, world)
    assert first.facts.damaged == Found(again, world).facts.damaged != []
    life = World(1, world.limits)
    life.storage = storage.cut()
    life.start()
    for _ in range(8):
        life.write([("put", 1, "later", b"x")])
        life.settle()
    last = Found(life.storage.cut(), world)
    assert last.facts.damaged == []
    assert last.values == {**first.values, (1, "later"): b"x"}
