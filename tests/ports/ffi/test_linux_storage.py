"""The journal's files synced by the kernel while the loop goes on; and where the kernel cannot, or the medium."""

import os

from edgelite_ports.micropython.loop import Loop
from edgelite_ports.micropython.unix import clock, libc
from edgelite_ports.micropython.unix.storage import LinuxStorage
from edgelite_ports.testing.storage_contract import CHECKS, raises
from edgelite_protocol.errors import MisuseError, PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Bench:
    """A storage in a directory that is gone afterwards, on a loop."""

    def __init__(self) -> None:
        self.path = "/tmp/edgelite-" + os.urandom(8).hex()
        self.loop = Loop(clock.monotonic_ms)
        self.storage = LinuxStorage(self.path, self.loop)
        self.ends: list[Any] = []

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *_: object) -> None:
        self.storage.close()
        for name in os.listdir(self.path):
            os.remove(self.path + "/" + name)
        os.rmdir(self.path)

    def again(self) -> LinuxStorage:
        self.storage.close()
        self.storage = LinuxStorage(self.path, Loop(clock.monotonic_ms))
        return self.storage

    def done(self, _result: object, error: "BaseException | None") -> None:
        self.ends.append(error)

    def wait(self) -> None:
        deadline_ms = clock.monotonic_ms() + 5000
        while not self.ends and clock.monotonic_ms() < deadline_ms:
            self.loop.wait(deadline_ms)


class FakeQueue:
    """A kernel that takes `takes` of the files, then fails with `number`; what it took ends as `ends` says."""

    def __init__(self, takes: int, number: int = 0, ends: int = 0) -> None:
        self.takes = takes
        self.number = number
        self.ends = ends
        self.taken: list[tuple[int, bool]] = []
        self.descriptor = libc.event_descriptor()

    def submit(self, descriptors: "list[int]", data_only: bool) -> "tuple[int, int]":
        taken = descriptors[: self.takes]
        self.taken += [(descriptor, data_only) for descriptor in taken]
        return len(taken), self.number if len(taken) < len(descriptors) else 0

    def completed(self) -> "list[int]":
        return [self.ends]


def test_contract() -> None:
    for check in CHECKS:
        with Bench() as bench:
            check(bench.storage, bench.again)


def test_a_sync_does_not_wait_for_the_medium() -> None:
    with Bench() as bench:
        assert bench.storage._queue is not None, "this kernel has no asynchronous fsync"
        for name in ("a", "b"):
            bench.storage.create(name, 262144)
        bench.storage.sync_later(bench.done)
        assert bench.ends == []
        bench.wait()
        assert bench.ends == [None]
        assert bench.storage._dirty == set()
        assert not bench.storage._names_dirty


def test_what_is_written_meanwhile_belongs_to_the_next_sync() -> None:
    with Bench() as bench:
        bench.storage.create("a", 4096)
        bench.storage.sync_later(bench.done)
        bench.storage.write("a", 0, b"later")
        bench.storage.rename("a", "b")
        bench.wait()
        assert bench.ends == [None]
        assert bench.storage._dirty == {"b"}
        assert bench.storage._names_dirty


def test_a_file_that_is_removed_meanwhile_does_no_harm() -> None:
    with Bench() as bench:
        bench.storage.create("a", 65536)
        bench.storage.sync_later(bench.done)
        bench.storage.remove("a")
        bench.wait()
        assert bench.ends == [None]
        assert bench.storage.names() == []


def test_with_nothing_new_it_ends_at_once() -> None:
    with Bench() as bench:
        bench.storage.sync_later(bench.done)
        assert bench.ends == [None]


def test_one_at_a_time() -> None:
    with Bench() as bench:
        bench.storage.create("a", 4096)
        bench.storage.sync_later(bench.done)
        raises(MisuseError, lambda: bench.storage.sync_later(bench.done))
        bench.wait()


def test_the_directory_comes_behind_the_files() -> None:
    with Bench() as bench:
        queue = FakeQueue(9)
        bench.storage.create("a", 4096)
        descriptor = bench.storage._files["a"].fileno()
        bench.storage._queue = queue
        bench.storage.sync_later(bench.done)
        assert queue.taken == [(descriptor, True)]
        bench.storage._ready(1)
        assert queue.taken[1:] == [(bench.storage._directory_descriptor, False)]
        assert bench.ends == []
        bench.storage._ready(1)
        assert bench.ends == [None]


def test_a_medium_that_fails_is_told_and_all_stays_to_be_synced() -> None:
    for takes, number, ends in ((9, 0, 5), (1, 5, 0), (0, 5, 0)):
        with Bench() as bench:
            bench.storage.create("a", 4096)
            bench.storage.create("b", 4096)
            bench.storage._queue = FakeQueue(takes, number, ends)
            bench.storage.sync_later(bench.done)
            while not bench.ends:
                bench.storage._ready(1)
            assert isinstance(bench.ends[0], PlatformError)
            assert "input/output error" in bench.ends[0].text
            assert bench.storage._dirty == {"a", "b"}
            assert bench.storage._names_dirty


def test_a_file_system_without_it_is_synced_as_everywhere() -> None:
    with Bench() as bench:
        bench.storage.create("a", 4096)
        bench.storage._queue = FakeQueue(0, 22)
        bench.storage.sync_later(bench.done)
        assert bench.ends == [None]
        assert bench.storage._queue is None
        assert bench.storage._dirty == set()
        bench.storage.write("a", 0, b"more")
        bench.storage.sync_later(bench.done)
        assert bench.ends == [None, None]
