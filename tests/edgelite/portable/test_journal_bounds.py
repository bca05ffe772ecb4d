"""The journal at its bounds, on media that are full or fail, and with limits that cannot work."""

from journal_world import (
    SEGMENT_BYTES,
    STATE,
    TELEMETRY,
    Randomness,
    World,
    limits,
    power_cycled,
    refused,
    restarted,
    rows,
    workload,
)

from edgelite.effects import Sync
from edgelite.journal import KEEP_NEWEST, KEEP_OLDEST, THIN_OUT, Journal, JournalLimits
from edgelite.storage import StorageFailingError, StorageFullError
from edgelite_ports.testing import MemoryStorage
from edgelite_protocol.errors import CorruptionError, MisuseError, PlatformError

# ---- bounds


def fill_with_telemetry(policy: int, count: int = 400) -> World:
    world = World(5, limits(policy, 5, 10))
    for number in range(count):
        world.sample(b"%04d" % number + bytes(96))
        world.step()
    world.settle()
    return world


def test_keep_newest_drops_the_oldest_and_counts_them() -> None:
    world = fill_with_telemetry(KEEP_NEWEST)
    kept = rows(world.journal, TELEMETRY)
    dropped = world.journal.take_dropped()
    assert kept[-1][1][:4] == b"0399"
    assert dropped == [(TELEMETRY, 400 - len(kept), (1, 1), (1, 400 - len(kept)))]
    assert kept == [(name, body) for _, name, body in world.model.telemetry[400 - len(kept) :]]
    assert len(kept) > 50
    assert world.journal.take_dropped() == []


def test_keep_oldest_drops_what_comes_new_and_counts_it() -> None:
    world = fill_with_telemetry(KEEP_OLDEST)
    kept = rows(world.journal, TELEMETRY)
    assert kept[0][1][:4] == b"0000"
    assert [body[:4] for _, body in kept] == [b"%04d" % number for number in range(len(kept))]
    assert world.journal.take_dropped() == [(TELEMETRY, 400 - len(kept), (1, len(kept) + 1), (1, 400))]


def test_thin_out_keeps_some_of_all_times() -> None:
    newest = fill_with_telemetry(KEEP_NEWEST, 250)
    world = fill_with_telemetry(THIN_OUT, 250)
    kept = rows(world.journal, TELEMETRY)
    assert kept[0][1] < rows(newest.journal, TELEMETRY)[0][1], "it reaches back further in the same space"
    assert kept[-1][1][:4] > b"0240"
    assert sum([count for _, count, _, _ in world.journal.take_dropped()]) == 250 - len(kept)


def test_the_count_of_what_was_dropped_survives_until_it_was_taken_and_reported() -> None:
    world = fill_with_telemetry(KEEP_NEWEST)
    power_cycled(world)
    world.settle()
    taken = world.journal.take_dropped()
    assert len(taken) == 1
    world.storage = world.storage.cut()  # before anything about it was synced
    world.start()
    assert world.journal.take_dropped() == taken
    world.report(b"dropped %d" % taken[0][1])
    world.settle()
    power_cycled(world)
    world.settle()
    assert world.journal.take_dropped() == []
    assert len(rows(world.journal, STATE)) == 1


def test_reports_about_drops_do_not_pile_up_through_an_outage() -> None:
    world = World(5, limits(KEEP_OLDEST, 4, 12))
    total = 0
    for number in range(600):
        world.sample(b"%d" % number + bytes(100))
        for _, count, _, _ in world.journal.take_dropped():
            total += count
            world.report(b"dropped %d" % count)
        world.step()
    world.settle()
    assert world.journal.backlog(STATE)[0] == 64
    world.acknowledge(STATE, 64)
    total += world.journal.take_dropped()[0][1]
    assert total + len(rows(world.journal, TELEMETRY)) == 600


def test_the_files_stay_within_their_bound_whatever_is_written() -> None:
    for policy in (KEEP_NEWEST, KEEP_OLDEST, THIN_OUT):
        world = World(7, limits(policy, 4, 9))
        for _ in range(12):
            workload(world, 50, offline=True)
            assert len(world.storage.names()) <= 9
            assert len([name for name in world.storage.names() if name[0] == "t"]) <= 4
        world.settle()
        assert world.journal.statistics()["files_created"] <= 9, "files are used again"


def test_state_that_does_not_fit_is_refused_and_what_is_there_stays() -> None:
    world = World()
    stored = 0

    def fill() -> None:
        nonlocal stored
        while True:
            world.write([("put", 1, "key %d" % stored, bytes(1000))])
            stored += 1
            world.settle()

    text = refused(StorageFullError, fill)
    assert "size_bytes_max" in text
    assert stored >= 5
    world.settle()
    power_cycled(world)
    assert len(world.journal.keys(1)) == stored
    world.write([("delete", 1, "key %d" % number) for number in range(stored)])
    world.settle()
    world.write([("put", 1, "again", bytes(1000))])


def test_a_full_medium_takes_telemetry_and_never_raises_for_it() -> None:
    world = World(8, limits(KEEP_NEWEST, 6, 16))
    world.settle()
    world.storage._size_bytes_max = SEGMENT_BYTES * 5
    for number in range(300):
        world.sample(b"%d" % number + bytes(100))
        world.write([("put", 1, "a", b"%d" % number)])
        world.now_ms += 60000
        world.settle()
    assert world.journal.trouble is None
    assert world.journal.get(1, "a") == b"299"
    kept = len(rows(world.journal, TELEMETRY))
    dropped = sum([count for _, count, _, _ in world.journal.take_dropped()])
    assert kept + dropped == 300
    assert kept > 0
    power_cycled(world)
    assert world.facts.damaged == []
    assert world.journal.get(1, "a") == b"299"


def test_a_burst_that_outruns_the_syncs_is_not_lost() -> None:
    world = World(2, limits(KEEP_NEWEST, 5, 30))
    world.settle()
    for number in range(60):
        world.write([("put", 1, "key %d" % number, bytes(400))])
    world.settle()
    power_cycled(world)
    assert world.facts.damaged == []
    assert len(world.journal.keys(1)) == 60


def test_recovered_state_is_cleaned_and_whole_for_years() -> None:
    world = World(11)
    for _ in range(12):
        workload(world, 50)
        world.settle()
        power_cycled(world)
        world.settle()
        assert world.facts.damaged == []
        assert world.facts.unconfirmed_bytes == 0, "what an older use of the file left was taken for a torn write"
        spaces = world.model.frozen()[0]
        for space, values in spaces:  # type: ignore[attr-defined]
            assert [(key, world.journal.get(space, key)) for key in world.journal.keys(space)] == values
    assert world.journal.statistics()["files"] <= 12


# ---- what else goes wrong


def test_a_medium_that_cannot_be_read_is_not_an_empty_one() -> None:
    world = World()
    world.settle()
    world.storage.reads_fail = "input/output error"
    assert "input/output error" in refused(
        PlatformError, lambda: Journal(world.storage, limits(), bytes, print).open(0)
    )


def test_segments_without_a_readable_header_are_not_an_empty_journal() -> None:
    world = World()
    world.write([("put", 1, "a", b"1")])
    world.settle()
    for name in world.storage.names():
        size = world.storage.size_bytes(name)
        world.storage.write(name, 0, bytes(64))
        world.storage.write(name, size - 64, bytes(64))
    text = refused(CorruptionError, lambda: restarted(world))
    assert "no state can be read" in text
    assert "move the directory away" in text


def test_files_of_others_are_left_alone_and_make_no_journal() -> None:
    storage = MemoryStorage()
    for name in ("lost+found", "s0000000g.seg", "x00000001.seg", "s00000001.tmp", "notes.txt"):
        storage.create(name, 4096)
    effects: list[object] = []
    journal = Journal(storage, limits(), Randomness(1).bytes, effects.append)
    assert journal.open(0).fresh
    assert storage.size_bytes("notes.txt") == 4096


def test_a_segment_of_another_journal_is_not_read() -> None:
    world, other = World(1), World(2)
    for each in (world, other):
        each.write([("put", 1, "a", b"of %d" % each.random.number(1000))])
        each.settle()
    value = world.journal.get(1, "a")
    world.storage.create("s00000000.seg", SEGMENT_BYTES)
    world.storage.write("s00000000.seg", 0, other.storage.read("s00000001.seg", 0, SEGMENT_BYTES))
    restarted(world)
    assert world.journal.get(1, "a") == value


def test_limits_that_cannot_work_are_refused() -> None:
    for bad in (
        lambda: JournalLimits(2048),
        lambda: JournalLimits(4097),
        lambda: JournalLimits(1 << 24),
        lambda: JournalLimits(4096, 65536, 4096),
        lambda: JournalLimits(4096, 16384, 16384),
        lambda: JournalLimits(telemetry_policy=3),
    ):
        refused(MisuseError, bad)


def test_a_journal_may_get_another_segment_size() -> None:
    world = World()
    world.write([("put", 1, "a", b"1")])
    world.settle()
    world.limits = JournalLimits(8192, 8192 * 12, 8192 * 5)
    power_cycled(world)
    for _ in range(4):
        world.write([("put", 1, "b", bytes(5000))])
        world.settle()
    power_cycled(world)
    assert world.facts.damaged == []
    assert (world.journal.get(1, "a"), world.journal.get(1, "b")) == (b"1", bytes(5000))


def test_a_sync_effect_is_all_that_is_emitted() -> None:
    world = World()
    world.journal.step(0)
    assert [type(effect) for effect in world.effects] == [Sync]


def test_what_follows_a_write_that_failed_is_there_after_a_cut() -> None:
    """The write is done again with what was appended meanwhile, at the places that the records were given."""
    world = World()
    world.settle()
    world.sample(b"before")
    world.settle()
    names = []
    for body in (b"written too early", b"while it fails", b"and again"):
        names.append(world.sample(body))
        world.storage.writes_fail = "input/output error"
        world.journal.flush(world.now_ms)
        world.storage.writes_fail = None
    world.settle()
    world.storage = world.storage.cut()
    world.start()
    assert world.facts.damaged == []
    world.settle()
    assert [name for name, _ in world.journal.reports(TELEMETRY, None, 10)][1:] == names


def test_a_medium_that_fails_gives_no_file_and_takes_nothing_away() -> None:
    """As patient as with a full one, but no telemetry gives way: what fails now has room again when it heals."""
    world = World(6, limits(KEEP_NEWEST, 8, 14))
    world.settle()
    for number in range(40):
        world.sample(b"%04d" % number + bytes(96))
        world.step()
    world.settle()
    files, before = sorted(world.storage.names()), rows(world.journal, TELEMETRY)
    world.storage.writes_fail = "input/output error"
    for number in range(100):
        world.sample(b"%04d" % (40 + number) + bytes(96))
        world.step()

    def fill() -> None:
        for _ in range(60):
            world.write([("put", 1, "a", bytes(300))])

    assert "input/output error" in refused(StorageFailingError, fill)
    assert sorted(world.storage.names()) == files
    world.storage.writes_fail = None
    world.settle()
    kept = rows(world.journal, TELEMETRY)
    dropped = world.journal.take_dropped()
    assert kept[: len(before)] == before
    assert len(kept) + dropped[0][1] == 140
    world.sample(b"after")
    world.write([("put", 1, "a", b"1")])
    world.settle()
    power_cycled(world)
    world.settle()
    assert world.facts.damaged == [] and world.journal.get(1, "a") == b"1"
    assert rows(world.journal, TELEMETRY)[-1][1] == b"after"
