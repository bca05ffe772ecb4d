"""Logs and artifacts of a simulated node: bounded, kept as a disk keeps them."""

from __future__ import annotations

import hashlib

import pytest

from edgelite.storage import StorageFullError
from edgelite_protocol.errors import MisuseError, PlatformError
from edgelite_sim.world.artifacts import SYNC_BYTES, ArtifactStore
from edgelite_sim.world.logs import LOG_BYTES_MAX, LOGS_MAX, PAGE_BYTES, LogStore

UNIT = "u1/main"


def read(logs: LogStore, lines: int = -1, previous: bool = False, container: str = "main") -> str:
    reader = logs.open("u1", container, lines, previous, 0)
    data = b""
    while piece := reader.read(7):
        assert len(piece) <= 7
        data += piece
    return data.decode()


# ---- logs


def test_a_log_is_read_whole_or_from_its_last_lines() -> None:
    logs = LogStore()
    logs.begin(UNIT)
    logs.write(UNIT, b"one\ntwo\nthr")
    logs.write(UNIT, b"ee\n")
    assert read(logs) == "one\ntwo\nthree\n"
    assert read(logs, 2) == "two\nthree\n"
    assert read(logs, 0) == ""
    assert read(logs, 99) == "one\ntwo\nthree\n"


def test_what_is_written_while_it_is_read_follows() -> None:
    logs = LogStore()
    logs.begin(UNIT)
    logs.write(UNIT, b"one\n")
    reader = logs.open("u1", "main", -1, False, 0)
    assert reader.read(100) == b"one\n"
    assert reader.read(100) == b""
    logs.write(UNIT, b"two\n")
    assert reader.read(100) == b"two\n"


def test_the_instance_before_is_kept_and_no_other() -> None:
    logs = LogStore()
    for number in range(3):
        logs.begin(UNIT)
        logs.write(UNIT, b"instance %d\n" % number)
    assert read(logs) == "instance 2\n"
    assert read(logs, previous=True) == "instance 1\n"
    assert len(logs._logs[UNIT]) == 2


def test_a_log_that_is_not_there_is_named() -> None:
    logs = LogStore()
    with pytest.raises(PlatformError, match=r"there is no log main\.log$"):
        read(logs)
    logs.begin(UNIT)
    assert read(logs) == ""
    with pytest.raises(PlatformError, match=r"there is no log main\.log\.previous"):
        read(logs, previous=True)
    logs.remove("u1")
    with pytest.raises(PlatformError):
        read(logs)


def test_a_log_is_bounded_and_a_slow_reader_skips_what_is_gone() -> None:
    logs = LogStore()
    logs.begin(UNIT)
    logs.write(UNIT, b"line 0\n")
    reader = logs.open("u1", "main", -1, False, 0)
    for number in range(1, 20_000):
        logs.write(UNIT, b"line %d\n" % number)
        assert len(logs._logs[UNIT][0].data) <= LOG_BYTES_MAX * 5 // 4
    text = b"".join(iter(lambda: reader.read(4096), b""))
    assert text.endswith(b"line 19998\nline 19999\n")
    assert LOG_BYTES_MAX // 2 < len(text) <= LOG_BYTES_MAX * 5 // 4
    assert read(logs, 1) == "line 19999\n"


def test_a_reader_that_keeps_up_misses_nothing_and_reads_nothing_twice() -> None:
    logs = LogStore()
    logs.begin(UNIT)
    reader = logs.open("u1", "main", -1, False, 0)
    wanted = b""
    found = b""
    for number in range(5000):
        line = b"line %d\n" % number
        logs.write(UNIT, line)
        wanted += line
        found += reader.read(100)
    assert found == wanted


def test_logs_of_many_units_are_bounded() -> None:
    logs = LogStore()
    for number in range(LOGS_MAX + 10):
        logs.begin(f"u{number}/main")
    assert len(logs._logs) == LOGS_MAX
    with pytest.raises(PlatformError):
        read(logs)
    assert logs.open(f"u{LOGS_MAX + 9}", "main", -1, False, 0).read(10) == b""


def test_a_power_cut_takes_the_last_page() -> None:
    logs = LogStore()
    logs.begin(UNIT)
    logs.write(UNIT, b"x" * (2 * PAGE_BYTES + 100))
    logs.lose_power()
    assert len(read(logs)) == 2 * PAGE_BYTES
    for _ in range(LOG_BYTES_MAX):  # so that its start is gone
        logs.write(UNIT, b"y" * 10)
    reader = logs.open("u1", "main", -1, False, 0)
    reader.read(100_000)
    logs.lose_power()
    assert reader.read(10) == b""
    logs.write(UNIT, b"again\n")
    assert read(logs, 1).endswith("again\n")


# ---- artifacts

DATA = bytes(range(256)) * 1000
DIGEST = hashlib.sha256(DATA).digest()


def received(size_bytes: int = len(DATA)) -> ArtifactStore:
    store = ArtifactStore()
    for offset in range(0, size_bytes, 10_000):
        store.append(DIGEST, offset, DATA[offset : min(offset + 10_000, size_bytes)])
    return store


def test_an_artifact_arrives_in_pieces_and_is_installed_when_it_is_whole() -> None:
    store = received(30_000)
    assert store.offset_bytes(DIGEST) == 30_000
    assert store.root(DIGEST) is None
    store.append(DIGEST, 30_000, DATA[30_000:])
    store.install(DIGEST)
    store.install(DIGEST)  # at once
    assert store.root(DIGEST) is not None
    assert store.offset_bytes(DIGEST) == len(DATA)
    assert store.bytes_received == len(DATA)


def test_one_with_another_digest_is_thrown_away() -> None:
    store = received(30_000)
    with pytest.raises(PlatformError, match="the digest of what arrived is"):
        store.install(DIGEST)
    assert store.offset_bytes(DIGEST) == 0
    assert store.root(DIGEST) is None


def test_pieces_have_their_place() -> None:
    store = received(20_000)
    for offset in (0, 19_999, 20_001):
        with pytest.raises(PlatformError, match=f"for offset {offset}, but 20000 bytes are there"):
            store.append(DIGEST, offset, b"x")
    store.discard(DIGEST)
    store.discard(DIGEST)
    assert store.offset_bytes(DIGEST) == 0
    with pytest.raises(MisuseError, match="32 bytes"):
        store.offset_bytes(b"short")


def test_the_store_is_bounded_and_what_nobody_names_makes_room() -> None:
    store = ArtifactStore(size_bytes_max=len(DATA) + 10)
    store.append(DIGEST, 0, DATA)
    store.install(DIGEST)
    other = bytes(32)
    store.append(other, 0, bytes(10))
    with pytest.raises(StorageFullError, match="no room for the artifact"):
        store.append(other, 10, b"x")
    assert store.collect_garbage([other]) == [DIGEST.hex()]
    assert store.root(DIGEST) is None
    assert store.used_bytes() == 10
    assert store.collect_garbage([other]) == []


def test_a_power_cut_takes_the_tail_of_what_is_being_received_and_nothing_that_is_unpacked() -> None:
    store = received(2 * SYNC_BYTES + 5000)
    store.lose_power()
    assert store.offset_bytes(DIGEST) == 2 * SYNC_BYTES
    store.append(DIGEST, 2 * SYNC_BYTES, DATA[2 * SYNC_BYTES :])
    store.install(DIGEST)
    store.lose_power()
    assert store.root(DIGEST) is not None
