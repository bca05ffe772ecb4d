"""What the journal costs: bytes to the medium for each update, memory while recovering and for a backlog."""

import os
import tracemalloc
from pathlib import Path

import pytest
from journal_world import TELEMETRY, World, workload

from edgelite.effects import Sync
from edgelite.journal import Journal, JournalLimits
from edgelite.storage import Storage
from edgelite_ports.linux.storage import FileStorage
from edgelite_ports.testing import MemoryStorage

REPORT_BYTES = 120
ROWS = 14000  # about the 2 MiB of the default quota


class Driver:
    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.effects: list[object] = []
        self.journal = Journal(storage, JournalLimits(), os.urandom, self.effects.append)
        self.facts = self.journal.open(0)

    def sync(self) -> None:
        self.journal.urgent()
        self.journal.step(0)
        while self.effects:
            effect = self.effects.pop()
            assert isinstance(effect, Sync)
            self.storage.sync()
            self.journal.synced(effect.token, 0)


def test_a_group_of_a_hundred_reports_costs_little_more_than_they_are() -> None:
    storage = MemoryStorage()
    driver = Driver(storage)
    for _ in range(4):
        driver.journal.append_report(TELEMETRY, b"first")
        driver.sync()
    before = storage.bytes_written
    writes = storage.operations
    for _ in range(100):
        driver.journal.append_report(TELEMETRY, bytes(REPORT_BYTES))
    driver.sync()
    assert storage.operations - writes == 1, "one sync group is one write"
    assert storage.bytes_written - before <= 100 * (REPORT_BYTES + 20) + 24


def test_one_state_change_costs_one_write_of_what_it_is() -> None:
    world = World()
    world.settle()
    for _ in range(3):
        before, writes = world.storage.bytes_written, world.storage.operations
        world.write([("put", 3, "device/property", bytes(40))])
        world.settle()
        assert world.storage.operations - writes == 1
        assert world.storage.bytes_written - before <= 40 + len("device/property") + 40


@pytest.fixture
def backlog(tmp_path: Path) -> Path:
    driver = Driver(FileStorage(str(tmp_path / "journal")))
    for number in range(ROWS):
        driver.journal.append_report(TELEMETRY, b"%06d" % number + bytes(REPORT_BYTES - 6))
        if number % 500 == 0:
            driver.sync()
    driver.sync()
    driver.sync()
    driver.storage.close()  # type: ignore[attr-defined]
    return tmp_path / "journal"


def test_recovering_a_full_outbox_needs_no_memory_to_speak_of(backlog: Path) -> None:
    storage = FileStorage(str(backlog))
    tracemalloc.start()
    driver = Driver(storage)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    kept = driver.journal.backlog(TELEMETRY)[0]
    storage.close()
    assert kept > 8000
    assert held < 60_000, "what a backlog costs while it waits"
    assert peak < 150_000, "what recovery costs, its chunks included"


def test_no_synced_record_is_ever_written_again() -> None:
    world = World(17)
    checked = 0

    def check() -> None:
        nonlocal checked
        kind, name, offset, _ = world.storage._unsynced[-1]
        if kind != "write" or not name.endswith(".seg"):
            return
        log = world.journal._logs["st".index(name[0])]
        assert isinstance(offset, int)
        assert (int(name[1:9], 16), offset) >= log.durable, (
            f"{name} was written to at {offset}, durable to {log.durable}"
        )
        checked += 1

    world.storage.after_change = check
    workload(world, 500)
    assert checked > 80
