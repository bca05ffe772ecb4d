"""The simulated flash keeps the contract of every storage, and each fault is what it is called."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from edgelite.storage import StorageFullError
from edgelite_ports.testing.storage_contract import CHECKS
from edgelite_protocol.errors import MisuseError, PlatformError
from edgelite_sim.world.flash import HOWS, SYNCS_MAX, PowerCut, SimFlash
from edgelite_sim.world.queue import EventQueue


class Bench:
    """A flash with one synced file "a" of 4096 bytes that begins with "synced"."""

    def __init__(self, size_bytes_max: int = 1 << 20) -> None:
        self.queue = EventQueue()
        self.flash = SimFlash(self.queue, size_bytes_max)
        self.done: list[tuple[int, str]] = []  # when a sync ended, and how
        self.flash.create("a", 4096)
        self.flash.write("a", 0, b"synced")
        self.flash.sync()

    def sync(self) -> None:
        self.flash.sync_later(lambda _, error: self.done.append((self.queue.now_ms, str(error or "well"))))

    def run(self, duration_ms: int) -> None:
        self.queue.run(self.queue.now_ms + duration_ms)

    def head(self, size_bytes: int = 6) -> bytes:
        return self.flash.read("a", 0, size_bytes)

    def after_cut(self, how: str = "lost-tail", size_bytes: int = 6, seed: int = 1) -> bytes:
        self.flash.cut(Random(seed), how)
        return self.head(size_bytes)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_contract_of_storages(check: Callable[[SimFlash, Callable[[], SimFlash]], None]) -> None:
    flash = SimFlash(EventQueue())

    def again() -> SimFlash:
        flash.cut(Random(1), "lost-tail")
        return flash

    check(flash, again)


# ---- syncs take time


def test_a_sync_makes_durable_at_its_end_what_was_written_before_it_was_asked_for() -> None:
    for passed_ms, expected in ((3, b"synced"), (4, b"UNnced")):
        bench = Bench()
        bench.flash.write("a", 0, b"UN")
        bench.sync()
        bench.flash.write("a", 2, b"SYNC")  # while it is in flight
        bench.run(passed_ms)
        assert bench.done == ([(4, "well")] if passed_ms == 4 else [])
        assert bench.head() == b"UNSYNC"
        assert bench.after_cut() == expected
        bench.run(1000)
        assert len(bench.done) == (passed_ms == 4), "a sync completed after the power was cut"


def test_syncs_come_one_after_another_in_order() -> None:
    bench = Bench()
    for letter in (b"1", b"2", b"3"):
        bench.flash.write("a", 0, letter)
        bench.sync()
    bench.run(8)
    assert bench.done == [(4, "well"), (8, "well")]
    assert bench.after_cut() == b"2ynced"


def test_more_syncs_than_anyone_needs_are_misuse() -> None:
    bench = Bench()
    for _ in range(SYNCS_MAX):
        bench.sync()
    with pytest.raises(MisuseError, match="16 syncs wait already"):
        bench.sync()


def test_a_stall_holds_up_the_sync_in_flight_and_those_that_follow() -> None:
    bench = Bench()
    bench.flash.write("a", 0, b"U")
    bench.sync()
    bench.run(2)
    bench.flash.stall(5000)
    bench.run(1000)
    bench.sync()
    bench.run(3999)
    assert bench.done == []
    bench.run(100)
    assert bench.done == [(5002, "well"), (5006, "well")]
    assert bench.flash.syncing_ms == 5002 + (5006 - 1002)
    assert bench.flash.syncs == 3


def test_a_stall_that_comes_first_delays_what_is_asked_for_in_it() -> None:
    bench = Bench()
    bench.flash.stall(1000)
    bench.sync()
    bench.run(2000)
    assert bench.done == [(1004, "well")]


def test_an_agent_that_died_is_told_nothing_and_its_sync_completes() -> None:
    bench = Bench()
    bench.flash.write("a", 0, b"U")
    bench.sync()
    bench.flash.forget_completions()
    bench.run(10)
    assert bench.done == []
    assert bench.after_cut() == b"Uynced"


def test_a_failed_sync_is_told() -> None:
    bench = Bench()
    bench.flash.fail("sync", 100, "timeout")
    bench.sync()
    bench.run(200)
    bench.sync()
    bench.run(10)
    assert bench.done == [(4, "sync: timeout"), (204, "well")]


def test_what_a_failed_sync_should_have_written_gets_there_only_if_it_is_written_again() -> None:
    for is_written_again, expected in ((False, b"synced later"), (True, b"UNSYNC later")):
        bench = Bench()
        bench.flash.write("a", 0, b"UNKNOW")
        bench.flash.write("a", 0, b"UNSYNC")
        bench.flash.fail("sync", 10)
        bench.sync()
        bench.run(10)
        assert bench.head() == b"UNSYNC"
        bench.flash.write("a", 6, b" later")
        if is_written_again:
            bench.flash.write("a", 0, b"UNSYNC")
        bench.sync()
        bench.run(10)
        assert bench.done[-1][1] == "well"
        assert bench.head(12) == b"UNSYNC later"
        assert bench.after_cut("kept", 12) == expected


def test_pages_that_were_forgotten_twice_are_what_the_medium_had_at_first() -> None:
    bench = Bench()
    bench.flash.fail("sync")
    for data in (b"first", b"again"):
        bench.flash.write("a", 0, data)
        bench.sync()
        bench.run(10)
    bench.flash.heal("sync")
    bench.flash.rename("a", "b")
    bench.flash.create("a", 512)
    bench.sync()
    bench.run(10)
    assert bench.flash.read("b", 0, 6) == b"againd"
    bench.flash.cut(Random(1), "kept")
    assert bench.flash.read("b", 0, 6) == b"synced"
    assert bench.flash.size_bytes("a") == 512
    assert bench.flash._forgotten == {}


def test_names_outlive_a_failed_sync() -> None:
    bench = Bench()
    bench.flash.create("b", 512)
    bench.flash.write("b", 0, b"x")
    bench.flash.fail("sync", 10)
    bench.sync()
    bench.run(10)
    bench.sync()
    bench.run(10)
    bench.flash.cut(Random(1), "lost-tail")
    assert sorted(bench.flash.names()) == ["a", "b"]
    assert bench.flash.read("b", 0, 1) == b"\0"


# ---- power cuts


def written(count: int = 8) -> Bench:
    """`count` unsynced writes of 100 bytes, one behind another, from 1000 on: each of its own number."""
    bench = Bench()
    for number in range(count):
        bench.flash.write("a", 1000 + 100 * number, bytes([number + 1]) * 100)
    return bench


def survivors(bench: Bench, count: int = 8) -> list[int]:
    """How many bytes of each write are there, after a cut."""
    return [bench.flash.read("a", 1000 + 100 * n, 100).count(n + 1) for n in range(count)]


def outcomes(how: str, seeds: int = 60) -> list[list[int]]:
    found = []
    for seed in range(seeds):
        bench = written()
        bench.flash.cut(Random(seed), how)
        assert bench.head() == b"synced"
        found.append(survivors(bench))
    return found


def test_kept_and_lost_tail() -> None:
    assert outcomes("kept", 3) == [[100] * 8] * 3
    assert outcomes("lost-tail", 3) == [[0] * 8] * 3


def test_torn_is_the_last_write_at_any_place() -> None:
    found = outcomes("torn")
    assert all(kept[:-1] == [100] * 7 and kept[-1] < 100 for kept in found)
    assert len({kept[-1] for kept in found}) > 20


def test_reordered_keeps_the_last_and_loses_earlier_ones() -> None:
    found = outcomes("reordered")
    assert all(kept[0] == 0 and kept[-1] == 100 and set(kept) == {0, 100} for kept in found)
    assert any(0 in kept[kept.index(100) :] for kept in found), "none is lost between two that survive"


def test_a_lost_sector_is_a_hole_at_the_files_sectors() -> None:
    places = set()
    for seed in range(40):
        bench = Bench()
        bench.flash.write("a", 700, b"x" * 2000)
        bench.flash.cut(Random(seed), "lost-sector")
        there = [place for place in range(700, 2700) if bench.flash.read("a", place, 1) == b"\0"]
        assert there == list(range(there[0], there[-1] + 1))
        assert there[0] % 512 == 0 or there[0] == 700
        assert (there[-1] + 1) % 512 == 0 or there[-1] + 1 == 2700
        places.add(there[0])
    assert places == {700, 1024, 1536, 2048, 2560}


def test_random_reaches_every_mixture() -> None:
    found = outcomes("random", 300)
    assert [100] * 8 in found
    assert [0] * 8 in found
    assert any(kept[0] == 0 and kept[-1] == 100 for kept in found)
    assert any(0 < size < 100 for kept in found for size in kept)


def test_a_file_may_be_lost_with_what_was_written_to_it() -> None:
    found = set()
    for seed in range(60):
        bench = Bench()
        bench.flash.create("b", 512)
        bench.flash.write("b", 0, b"x" * 10)
        bench.flash.cut(Random(seed), "random")
        found.add(bench.flash.read("b", 0, 10).count(b"x"[0]) if "b" in bench.flash.names() else -1)
    assert {-1, 0, 10} <= found


@pytest.mark.parametrize("how", HOWS)
def test_what_was_synced_survives_every_cut_and_every_byte_is_old_or_new(how: str) -> None:
    for seed in range(12):
        draw = Random(seed)
        bench = Bench()
        durable, possible = bytearray(4096), [{0} for _ in range(4096)]
        durable[:6] = b"synced"
        for place, value in enumerate(durable):
            possible[place] = {value}
        for _ in range(draw.randint(0, 30)):
            offset, size, value = draw.randrange(4000), draw.randint(1, 96), draw.randint(1, 255)
            bench.flash.write("a", offset, bytes([value]) * size)
            for place in range(offset, offset + size):
                possible[place].add(value)
            if draw.random() < 0.2:
                bench.sync()
                bench.run(10)
                durable[:] = bench.flash.read("a", 0, 4096)
                possible = [{value} for value in durable]
        bench.flash.cut(draw, how)
        found = bench.flash.read("a", 0, 4096)
        assert all(found[place] in possible[place] for place in range(4096)), seed
        assert bench.flash.unsynced_count() == 0


def test_the_same_draw_leaves_the_same() -> None:
    for how in HOWS:
        left = []
        for _ in range(2):
            bench = written()
            bench.flash.cut(Random(7), how)
            left.append(survivors(bench))
        assert left[0] == left[1]


def test_a_cut_of_no_kind_names_the_kinds() -> None:
    with pytest.raises(MisuseError, match="a power cut: half is none of random, lost-tail, torn, reordered"):
        Bench().flash.cut(Random(1), "half")


@pytest.mark.parametrize("how", HOWS)
def test_a_cut_with_nothing_unsynced_changes_nothing(how: str) -> None:
    assert Bench().after_cut(how) == b"synced"


def test_power_may_go_at_any_write_and_nothing_gets_there_behind_it() -> None:
    bench = Bench()
    cuts = []

    def cut() -> None:
        cuts.append(bench.flash.operations)
        raise PowerCut

    before = bench.flash.operations
    bench.flash.cut_at_write(3, cut)
    bench.flash.write("a", 0, b"1")
    bench.flash.create("b", 512)
    with pytest.raises(PowerCut):
        bench.flash.write("a", 1, b"3")
    assert cuts == [before + 3]
    for use in (lambda: bench.flash.write("a", 2, b"4"), lambda: bench.flash.read("a", 0, 1), bench.flash.sync):
        with pytest.raises(PlatformError, match="the power is gone"):
            use()
    bench.sync()
    bench.run(100)
    assert bench.done == []
    assert bench.after_cut("kept") == b"13nced"
    bench.flash.write("a", 2, b"5")
    assert cuts == [before + 3], "it is for once"


def test_power_that_goes_before_that_write_goes_once() -> None:
    bench = Bench()
    cuts: list[str] = []
    bench.flash.cut_at_write(2, lambda: cuts.append("cut"))
    bench.after_cut()
    for _ in range(3):
        bench.flash.write("a", 0, b"x")
    assert cuts == []


def test_the_write_at_which_power_goes_may_be_torn() -> None:
    found = set()
    for seed in range(20):
        bench = Bench()
        bench.flash.cut_at_write(1, lambda: None)
        bench.flash.write("a", 0, b"UNSYNC")
        found.add(bench.after_cut("torn", seed=seed))
    assert {b"synced", b"UNSYNd"} <= found
    assert b"UNSYNC" not in found


def test_a_cut_at_no_write_is_misuse() -> None:
    with pytest.raises(MisuseError, match="the next one is 1"):
        Bench().flash.cut_at_write(0, lambda: None)


# ---- other faults


def test_errors_last_as_long_as_they_were_said_to() -> None:
    bench = Bench()
    bench.flash.fail("read", 1000)
    bench.flash.fail("write", 500, "medium gone")
    for use, text in ((bench.head, "Input/output error"), (lambda: bench.flash.write("a", 0, b"x"), "medium gone")):
        with pytest.raises(PlatformError, match=text):
            use()
    bench.run(600)
    bench.flash.write("a", 0, b"x")
    with pytest.raises(PlatformError, match="Input/output error"):
        bench.head()
    bench.flash.fail("read")  # and now without an end
    bench.run(100_000)
    with pytest.raises(PlatformError, match="Input/output error"):
        bench.head()
    bench.flash.heal()
    assert bench.head() == b"xynced"
    with pytest.raises(MisuseError, match="fsync is none of read, write, sync"):
        bench.flash.fail("fsync")


def test_others_fill_the_medium_and_leave_it() -> None:
    bench = Bench(size_bytes_max=10_000)
    assert bench.flash.free_bytes() == 10_000 - 4096
    bench.flash.shrink(600)
    assert bench.flash.free_bytes() == 600
    bench.flash.create("b", 512)
    with pytest.raises(StorageFullError, match="no room for c"):
        bench.flash.create("c", 512)
    bench.flash.fill(1000)
    assert bench.flash.free_bytes() == 0
    bench.flash.write("b", 0, b"a file that is there has its room")
    assert bench.flash.used_bytes() == 4096 + 512
    bench.flash.release()
    assert bench.flash.free_bytes() == 10_000 - 4096 - 512


def test_rot_flips_bits_of_what_is_durable_and_nothing_else() -> None:
    for seed in range(50):
        bench = Bench()
        bench.flash.create("unsynced", 512)
        bench.flash.write("unsynced", 0, b"x" * 200)
        bench.flash.write("a", 0, b"UN")
        flipped = bench.flash.rot(Random(seed), 2)
        assert len(flipped) == 2
        assert {name for name, _, _ in flipped} == {"a"}
        expected = bytearray(b"UNnced")
        for _, offset_bytes, bit in flipped:
            assert 2 <= offset_bytes < 6
            expected[offset_bytes] ^= 1 << bit
        assert bench.head() == bytes(expected)
        assert bench.after_cut("kept") == bytes(expected)


def test_nothing_rots_where_nothing_is() -> None:
    assert SimFlash(EventQueue()).rot(Random(1), 3) == []


# ---- a year of writes


def test_memory_is_bounded_by_what_the_files_hold() -> None:
    bench = Bench()
    for number in range(20_000):
        bench.flash.write("a", number * 100 % 4000, b"x" * 90)
        if number % 5 == 0:
            bench.sync()
            bench.run(5)
    bench.sync()
    bench.run(5)
    assert bench.flash.unsynced_count() == 0
    assert bench.flash._before == []
    assert bench.flash.bytes_written == 6 + 20_000 * 90
    assert bench.flash.syncs == 1 + 4_001
    assert bench.flash.syncing_ms == 4_001 * 4


def test_the_zeros_of_a_new_file_take_no_memory() -> None:
    flash = SimFlash(EventQueue(), 1 << 40)
    flash.create("large", 1 << 39)
    flash.write("large", 1000, b"x")
    assert flash.read("large", 999, 3) == b"\0x\0"
    assert flash.read("large", (1 << 39) - 2, 10) == b"\0\0"
