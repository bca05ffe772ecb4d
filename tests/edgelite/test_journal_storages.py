"""The same life on files and in memory: the same bytes on both, and each reads what the other one wrote."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from journal_world import SPACES, World, contents, rows, workload

from edgelite.journal import Journal
from edgelite.storage import Storage
from edgelite_ports.linux.storage import FileStorage
from edgelite_ports.testing import MemoryStorage


def bytes_of(storage: Storage) -> dict[str, bytes]:
    return {name: storage.read(name, 0, storage.size_bytes(name)) for name in storage.names()}


class FileWorld(World):
    """A world whose medium is a directory."""

    def __init__(self, seed: int, directory: Path) -> None:
        self.directory = directory
        super().__init__(seed)

    def start(self) -> None:
        if isinstance(self.storage, FileStorage):
            self.storage.close()
        self.storage = FileStorage(str(self.directory))  # type: ignore[assignment]
        super().start()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[FileWorld]:
    world = FileWorld(31, tmp_path / "journal")
    yield world
    assert isinstance(world.storage, FileStorage)
    world.storage.close()


def test_the_same_life_leaves_the_same_bytes(files: FileWorld) -> None:
    memory = World(31)
    for rounds in (40, 150, 90, 120):
        for world in (files, memory):
            workload(world, rounds)
            world.settle()
        assert bytes_of(files.storage) == bytes_of(memory.storage)
        assert files.journal.statistics() == memory.journal.statistics()
        memory.storage = memory.storage.reopen()
        memory.start()
        files.start()


def test_each_reads_what_the_other_one_wrote(files: FileWorld) -> None:
    workload(files, 200)
    files.settle()
    copy = MemoryStorage()
    for name, data in bytes_of(files.storage).items():
        copy.create(name, len(data))
        copy.write(name, 0, data)
    journal = Journal(copy, files.limits, files.random.bytes, lambda effect: None)
    assert journal.open(0).damaged == []
    assert contents(journal, SPACES) == contents(files.journal, SPACES)
    assert journal.backlog(0) == files.journal.backlog(0)
    assert journal.backlog(1) == files.journal.backlog(1)


def test_a_process_that_is_killed_loses_nothing_that_was_durable(files: FileWorld) -> None:
    workload(files, 100)
    files.settle()
    before = (contents(files.journal, SPACES), rows(files.journal, 0), rows(files.journal, 1))
    files.write([("put", 1, "unsynced", b"may go")])
    files.start()
    files.settle()
    after = (contents(files.journal, SPACES), rows(files.journal, 0), rows(files.journal, 1))
    assert after == before
