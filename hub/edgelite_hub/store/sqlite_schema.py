"""The SQLite file: its tables, how it is made and opened, and what its failures mean.

A new file is made under another name, synced and renamed, so a hub that dies while making it leaves nothing that
looks like a store, and an empty file where a store should be is damage, never a fresh start.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgelite_protocol.errors import CorruptionError, PlatformError

APPLICATION_ID = 0x45444C48  # "EDLH"
SCHEMA_VERSION = 1
BUSY_TIMEOUT_MS = 5_000  # a checkpoint holds the file for milliseconds; longer means that something else has it
WAL_BYTES_MAX = 16 * 1024 * 1024  # the write-ahead log is cut back to this after a checkpoint

TABLES = """
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counters VALUES ('revision', 0), ('compacted', 0);
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE objects (
    resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
    UNIQUE (resource, namespace, name)
);
CREATE TABLE changes (
    sequence INTEGER PRIMARY KEY, revision INTEGER NOT NULL, resource TEXT NOT NULL, namespace TEXT NOT NULL,
    name TEXT NOT NULL, old TEXT, new TEXT
);
CREATE INDEX changes_by_revision ON changes (revision);
CREATE TABLE feeds (node TEXT PRIMARY KEY, last INTEGER NOT NULL, floor INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE feed_entries (
    node TEXT NOT NULL, revision INTEGER NOT NULL, kind INTEGER NOT NULL, key TEXT NOT NULL, value BLOB,
    digest BLOB NOT NULL,
    PRIMARY KEY (node, revision)
);
CREATE INDEX feed_entries_by_key ON feed_entries (node, kind, key, revision);
CREATE TABLE positions (
    node TEXT NOT NULL, journal BLOB NOT NULL, lane INTEGER NOT NULL, generation INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (node, journal, lane)
) WITHOUT ROWID;
CREATE TABLE series (
    id INTEGER PRIMARY KEY, node TEXT NOT NULL, device TEXT NOT NULL, property TEXT NOT NULL,
    UNIQUE (device, property, node)
);
CREATE TABLE samples (
    id INTEGER PRIMARY KEY, series INTEGER NOT NULL, time_ms INTEGER NOT NULL, type INTEGER NOT NULL,
    value BLOB NOT NULL, dated_by INTEGER NOT NULL
);
CREATE INDEX samples_by_series ON samples (series, time_ms);
CREATE INDEX samples_by_time ON samples (time_ms);
"""

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_ADVICE = {
    sqlite3.SQLITE_FULL: "the disk is full: make room and try again",
    sqlite3.SQLITE_IOERR: "reading or writing the disk failed: see the kernel's log",
    sqlite3.SQLITE_READONLY: "the file or its directory is not writable for this user",
    sqlite3.SQLITE_CANTOPEN: "the file or its directory cannot be opened for writing by this user",
    sqlite3.SQLITE_PERM: "the file or its directory is not writable for this user",
    sqlite3.SQLITE_BUSY: "another program has the file open and locked",
}


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's and the system's errors as ours; an error of SQL itself is a bug and passes through."""
    try:
        yield
    except sqlite3.Error as error:
        code = _primary_code(error)
        if code in _DAMAGE:
            raise CorruptionError(str(path), f"the store is damaged: {error}") from error
        if code in _ADVICE:
            raise PlatformError(f"the store {path} failed ({error})", _ADVICE[code]) from error
        raise
    except OSError as error:
        raise PlatformError(
            f"the store {path} cannot be used: {error.strerror}", "check the path and its owner"
        ) from error


def is_of_medium(error: BaseException) -> bool:
    return isinstance(error, sqlite3.Error) and _primary_code(error) in _DAMAGE | _ADVICE.keys()


def _primary_code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # what lies above refines it


def lock(path: Path) -> int:
    """A descriptor that holds the store for this process; two hubs on one store would lose each other's writes."""
    with translated(path):
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise PlatformError(f"the store {path} is in use", "another hub runs on it; stop that one first") from error
    return descriptor


def make_if_absent(path: Path) -> None:
    with translated(path):
        if path.exists():
            return
        fresh = path.with_name(path.name + ".new")
        fresh.unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        connection = sqlite3.connect(fresh)
        connection.executescript(
            f"PRAGMA synchronous=FULL; PRAGMA application_id={APPLICATION_ID};"
            f"PRAGMA user_version={SCHEMA_VERSION}; BEGIN; {TABLES} COMMIT;"
        )
        connection.close()
        fresh.rename(path)
        _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def connect(path: Path) -> sqlite3.Connection:
    """Autocommit mode: every transaction here begins and ends in so many words. Writes nothing yet."""
    with translated(path):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    return connection


def make_durable(path: Path, connection: sqlite3.Connection) -> None:
    with translated(path):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA journal_size_limit={WAL_BYTES_MAX}")


def check(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse what is not this program's store, what a newer program wrote, and what is damaged."""
    with translated(path):
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if application != APPLICATION_ID:
        raise CorruptionError(str(path), "this file is no hub store, or an emptied one; restore it or move it away")
    if version > SCHEMA_VERSION:
        raise PlatformError(
            f"the store {path} has schema version {version}; this program knows up to {SCHEMA_VERSION}",
            "start the newer edgelite that wrote it",
        )
    if verdict != "ok":
        raise CorruptionError(str(path), f"the store is damaged: {verdict}")
