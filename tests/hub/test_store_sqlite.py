"""What only a store on a disk can do: die in the middle, be opened again, find its file damaged or foreign."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgelite_hub.store.contract import Transaction
from edgelite_hub.store.sqlite import SqliteStore
from edgelite_hub.store.sqlite_schema import SCHEMA_VERSION
from edgelite_protocol.errors import CorruptionError, PlatformError

NOBODY = 65534
OBJECT: dict[str, Any] = {"metadata": {}, "spec": 1}

# A child that commits pod after pod and says so after each commit; its second mode stops inside a transaction.
CHILD = """
import sys, time
from edgelite_hub.store.contract import Transaction
from edgelite_hub.store.sqlite import SqliteStore
from edgelite_hub.store.contract import Position, Sample
store = SqliteStore(sys.argv[1])
def write(tx, n):
    tx.create("pods", "default", f"{n:06}", {"metadata": {}})
    tx.feed_append("node", 1, str(n), b"x")
    tx.set_position("node", b"journal1", 0, Position(1, n))
    tx.add_samples([Sample("node", "default/d", "p", n, n, 1)])
    if sys.argv[2] == "inside" and n == 20:
        print("inside", flush=True)
        time.sleep(60)
n = store.read(lambda tx: sum(1 for _ in tx.list("pods")))
while True:
    store.transact(lambda tx: write(tx, n))
    print(n, flush=True)
    n += 1
"""


def creation(name: str) -> Callable[[Transaction], Any]:
    return lambda tx: tx.create("pods", "default", name, OBJECT)


def start(path: Path, mode: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), mode], stdout=subprocess.PIPE, text=True, env=environment
    )


def kill(child: subprocess.Popen[str]) -> list[str]:
    child.send_signal(signal.SIGKILL)
    rest, _ = child.communicate(timeout=10)
    return rest.split()


def contents(path: Path) -> tuple[int, int, int, int, int]:
    """Revision, objects, last feed revision, stored sequence, samples: in a whole store all follow one count."""
    store = SqliteStore(path)
    try:
        return store.read(
            lambda tx: (
                store.revision(),
                sum(1 for _ in tx.list("pods")),
                getattr(tx.feed_last("node"), "revision", 0),
                getattr(tx.position("node", b"journal1", 0), "sequence", -1) + 1,
                len(tx.samples("default/d", None, None, None, 10**6)),
            )
        )
    finally:
        store.close()


def test_killed_between_commits_keeps_all_that_was_answered(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    before = 0
    for lines in (1, 7, 40):
        child = start(path, "between")
        assert child.stdout is not None
        answered = [child.stdout.readline() for _ in range(lines)]
        answered += kill(child)
        counts = contents(path)
        assert len(set(counts)) == 1
        assert counts[0] > int(answered[-1])
        assert counts[0] > before  # revisions never go back
        before = counts[0]


def test_killed_inside_a_transaction_leaves_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    child = start(path, "inside")
    assert child.stdout is not None
    while child.stdout.readline() != "inside\n":
        pass
    assert kill(child) == []
    assert contents(path) == (20, 20, 20, 20, 20)


def test_revision_compaction_and_changes_survive_reopening(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    store = SqliteStore(path)
    store.transact_group([creation(name) for name in "abc"])
    store.compact(2)
    store.close()
    store = SqliteStore(path)
    assert (store.revision(), store.compacted()) == (3, 2)
    assert [change.name for change in store.changes(2, 10)] == ["c"]
    store.close()


def test_files_are_readable_by_the_owner_only(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        store = SqliteStore(tmp_path / "hub.db")
        store.transact(lambda tx: tx.set_meta("m", b"1"))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        store.close()
    finally:
        os.umask(mask)
    assert modes.keys() >= {"hub.db", "hub.db-wal", "hub.db.lock"}
    assert set(modes.values()) == {0o600}


def test_settings_are_what_durability_needs(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "hub.db")
    pragmas = [store._writer.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    store.close()
    assert pragmas == ["wal", 2]


def test_a_second_hub_on_the_same_store_is_refused(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "hub.db")
    with pytest.raises(PlatformError, match="another hub runs on it"):
        SqliteStore(tmp_path / "hub.db")
    store.close()
    SqliteStore(tmp_path / "hub.db").close()


def test_absent_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match=r"absent.hub\.db"):
        SqliteStore(tmp_path / "absent" / "hub.db")


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Root may write anywhere, so be somebody else meanwhile."""
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(NOBODY)
    yield
    if was_root:
        os.seteuid(0)


def test_unwritable_directory_is_named(as_nobody: None) -> None:
    with tempfile.TemporaryDirectory(prefix="edgelite-test-") as folder:
        Path(folder).chmod(0o500)
        with pytest.raises(PlatformError, match=r"Permission denied"):
            SqliteStore(Path(folder) / "hub.db")


def test_a_store_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    SqliteStore(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(PlatformError, match=f"schema version {SCHEMA_VERSION + 1}.*newer edgelite"):
        SqliteStore(path)


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00 but no more", b"hello" * 2000], ids=len)
def test_a_file_that_is_no_store_is_never_taken_for_an_empty_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "hub.db"
    path.write_bytes(content)
    with pytest.raises(CorruptionError):
        SqliteStore(path)
    assert path.read_bytes() == content


def test_a_damaged_page_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    store = SqliteStore(path)
    store.transact_group([creation(str(number)) for number in range(200)])
    store.close()
    content = bytearray(path.read_bytes())
    for page in range(4, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(content)
    with pytest.raises(CorruptionError, match="damaged"):
        SqliteStore(path)


def test_a_full_disk_undoes_the_commit_and_the_store_lives_on(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "hub.db")
    store.transact(lambda tx: tx.set_meta("small", b"1"))
    pages = store._writer.execute("PRAGMA page_count").fetchone()[0]
    store._writer.execute(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises(PlatformError, match="disk is full"):
        store.transact_group([lambda tx: tx.set_meta("a", b"1"), lambda tx: tx.set_meta("big", bytes(100_000))])
    assert store.read(lambda tx: [tx.get_meta(key) for key in ("small", "a", "big")]) == [b"1", None, None]
    store._writer.execute("PRAGMA max_page_count=1000000")
    store.transact(lambda tx: tx.set_meta("big", bytes(100_000)))
    store.close()
