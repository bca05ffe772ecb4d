"""The storage in memory: the contract, and that its faults are what they are called."""

from collections.abc import Callable

import pytest
from storage_contract import StorageContract

from edgelite.storage import Storage, StorageFullError
from edgelite_ports.testing.storage import KEPT, LOST, MemoryStorage
from edgelite_protocol.errors import PlatformError


class TestMemoryStorage(StorageContract):
    @pytest.fixture
    def storage(self) -> MemoryStorage:
        return MemoryStorage()

    @pytest.fixture
    def again(self, storage: MemoryStorage) -> Callable[[], Storage]:
        return storage.cut


def made() -> MemoryStorage:
    storage = MemoryStorage()
    storage.create("a", 4096)
    storage.write("a", 0, b"synced")
    storage.sync()
    return storage


def test_lost_writes_are_gone_and_synced_ones_are_there() -> None:
    storage = made()
    storage.write("a", 0, b"unsync")
    assert storage.cut().read("a", 0, 6) == b"synced"
    assert storage.cut([KEPT]).read("a", 0, 6) == b"unsync"


def test_a_torn_write_gets_there_in_part() -> None:
    storage = made()
    storage.write("a", 0, b"UNSYNC")
    assert storage.cut([2]).read("a", 0, 6) == b"UNnced"


def test_reordered_writes_get_there_without_earlier_ones() -> None:
    storage = made()
    storage.write("a", 0, b"1")
    storage.write("a", 1, b"2")
    assert storage.cut([LOST, KEPT]).read("a", 0, 3) == b"s2n"


def test_a_lost_rename_leaves_later_writes_in_the_file_of_the_old_name() -> None:
    storage = made()
    storage.rename("a", "b")
    storage.write("b", 0, b"later!")
    after = storage.cut([LOST, KEPT])
    assert after.names() == ["a"]
    assert after.read("a", 0, 6) == b"later!"


def test_a_lost_creation_loses_what_was_written_to_the_file() -> None:
    storage = MemoryStorage()
    storage.create("a", 4096)
    storage.write("a", 0, b"x")
    assert storage.cut([LOST, KEPT]).names() == []


def test_a_lost_removal_leaves_the_file() -> None:
    storage = made()
    storage.remove("a")
    assert storage.cut([LOST]).names() == ["a"]
    assert storage.cut([KEPT]).names() == []


def test_a_restart_of_the_process_keeps_all_and_makes_nothing_durable() -> None:
    storage = made()
    storage.write("a", 0, b"U")
    restarted = storage.reopen()
    assert restarted.read("a", 0, 2) == b"Uy"
    assert restarted.cut().read("a", 0, 2) == b"sy"
    restarted.sync()
    assert restarted.cut().read("a", 0, 2) == b"Uy"


def test_what_is_cut_is_a_medium_of_its_own() -> None:
    storage = made()
    after = storage.cut()
    after.write("a", 0, b"X")
    after.sync()
    assert storage.read("a", 0, 1) == b"s"
    assert storage.cut().read("a", 0, 1) == b"s"


def test_bit_flipped() -> None:
    storage = made()
    storage.bit_flip("a", 0, 1)
    assert storage.read("a", 0, 1) == b"q"
    assert storage.cut().read("a", 0, 1) == b"q"


def test_a_bit_that_flips_below_what_is_not_synced_is_found_when_that_is_lost() -> None:
    storage = made()
    storage.write("a", 0, b"UN")
    storage.write("a", 0, b"XY")
    storage.bit_flip("a", 0, 1)
    assert storage.cut().read("a", 0, 6) == b"qynced"
    assert storage.cut([KEPT, KEPT]).read("a", 0, 6) == b"XYnced"


def test_a_replaced_file_is_back_when_the_rename_is_lost_and_its_own_writes_with_it() -> None:
    storage = made()
    storage.create("b", 512)
    storage.write("b", 0, b"from b")
    storage.write("a", 2, b"X")
    storage.rename("b", "a")
    storage.write("a", 0, b"F")
    assert storage.read("a", 0, 6) == b"From b"
    lost = storage.cut()
    assert (lost.names(), lost.read("a", 0, 6)) == (["a"], b"synced")
    kept = storage.cut([KEPT] * 5)
    assert (kept.names(), kept.read("a", 0, 6), kept.size_bytes("a")) == (["a"], b"From b", 512)
    some = storage.cut([KEPT, KEPT, KEPT, LOST, KEPT])
    assert (sorted(some.names()), some.read("a", 0, 6), some.read("b", 0, 6)) == (["a", "b"], b"syXced", b"From b")


def test_a_removed_file_comes_back_whole_to_each_storage_that_knew_it() -> None:
    storage = made()
    storage.remove("a")
    twin = storage.reopen()
    after = twin.cut()
    after.write("a", 0, b"X")
    assert storage.cut().read("a", 0, 6) == b"synced"
    assert twin.cut().read("a", 0, 6) == b"synced"


def test_enospc() -> None:
    storage = MemoryStorage(10000)
    storage.create("a", 8192)
    with pytest.raises(StorageFullError, match="no room for b"):
        storage.create("b", 8192)
    assert storage.names() == ["a"]
    assert storage.free_bytes() == 10000 - 8192


def test_eio_on_reads_writes_and_syncs() -> None:
    storage = made()
    storage.reads_fail = "input/output error"
    for read in (storage.names, lambda: storage.read("a", 0, 1)):
        with pytest.raises(PlatformError, match="input/output error"):
            read()
    storage.reads_fail, storage.writes_fail = None, "medium gone"
    for change in (lambda: storage.write("a", 0, b"x"), lambda: storage.create("b", 1), lambda: storage.remove("a")):
        with pytest.raises(PlatformError, match="medium gone"):
            change()
    storage.writes_fail, storage.syncs_fail = None, "timeout"
    storage.write("a", 0, b"x")
    with pytest.raises(PlatformError, match="timeout"):
        storage.sync()
    assert storage.cut().read("a", 0, 1) == b"s", "a failed sync made something durable"
