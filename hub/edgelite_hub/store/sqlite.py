"""The embedded store: one SQLite file in WAL mode, synchronous=FULL, one writer, one connection beside it for reading.

A commit is durable when `transact` returns: SQLite has synced its log by then.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

from edgelite_hub.store.base import decode_object
from edgelite_hub.store.contract import CHANGES_MAX_DEFAULT, Change, Compacted, Object, Outcome, Transaction
from edgelite_hub.store.sqlite_schema import (
    check,
    connect,
    is_of_medium,
    lock,
    make_durable,
    make_if_absent,
    translated,
)
from edgelite_hub.store.sqlite_transaction import SqliteTransaction
from edgelite_hub.store.subscribers import Subscribers
from edgelite_protocol.errors import MisuseError

T = TypeVar("T")


class SqliteStore:
    """`path` is made where absent, readable by its owner only. Errors as in the contract, on opening too."""

    def __init__(self, path: str | Path, changes_max: int = CHANGES_MAX_DEFAULT) -> None:
        self._path = Path(path)
        self._changes_max = changes_max
        self._write_lock = threading.RLock()
        self._read_lock = threading.RLock()
        self._subscribers = Subscribers()
        self._lock_descriptor = lock(self._path)
        try:
            self._open()
        except BaseException:
            os.close(self._lock_descriptor)
            raise

    def _open(self) -> None:
        make_if_absent(self._path)
        self._writer = connect(self._path)
        check(self._path, self._writer)
        make_durable(self._path, self._writer)
        self._reader = connect(self._path)
        with translated(self._path):
            self._reader.execute("PRAGMA query_only=1")
            self._revision = self._counter("revision")
            self._compacted = self._counter("compacted")

    def _counter(self, name: str) -> int:
        return int(self._writer.execute("SELECT value FROM counters WHERE name=?", (name,)).fetchone()[0])

    def _set_counter(self, name: str, value: int) -> None:
        self._writer.execute("UPDATE counters SET value=? WHERE name=?", (value, name))

    # writing
    def transact(self, function: Callable[[Transaction], T]) -> T:
        outcome: Outcome[T] = self.transact_group([function])[0]
        return outcome.result()

    def transact_group(self, functions: Sequence[Callable[[Transaction], Any]]) -> list[Outcome[Any]]:
        with self._write_lock, translated(self._path):
            before = self._revision
            revision = before
            outcomes = []
            with _Commit(self._writer):
                for function in functions:
                    outcome, revision = self._run(function, revision)
                    outcomes.append(outcome)
                compacted = self._finish(before, revision)
            self._revision, self._compacted = revision, compacted
        if revision != before:
            self._subscribers.notify(revision)
        return outcomes

    def _run(self, function: Callable[[Transaction], Any], revision: int) -> tuple[Outcome[Any], int]:
        """In a savepoint of its own: the function's own error goes to its caller, an error of the medium undoes the
        whole commit."""
        transaction = SqliteTransaction(self._writer, revision + 1, writable=True)
        self._writer.execute("SAVEPOINT one")
        try:
            value = function(transaction)
            changed = self._log(transaction)
        except Exception as error:
            if is_of_medium(error):
                raise
            self._writer.execute("ROLLBACK TO one")
            self._writer.execute("RELEASE one")
            return Outcome(None, error), revision
        self._writer.execute("RELEASE one")
        return Outcome(value, None), revision + changed

    def _log(self, transaction: SqliteTransaction) -> bool:
        changes = sorted(transaction.net_changes())
        self._writer.executemany(
            "INSERT INTO changes (revision, resource, namespace, name, old, new) VALUES (?,?,?,?,?,?)",
            [(transaction.revision, *key, old, new) for key, old, new in changes],
        )
        return bool(changes)

    def _finish(self, before: int, revision: int) -> int:
        """Note the revision; forget old changes when a tenth too many are there, so not at each commit."""
        if revision == before:
            return self._compacted
        self._set_counter("revision", revision)
        first, last = self._writer.execute("SELECT MIN(sequence), MAX(sequence) FROM changes").fetchone()
        if last - first < self._changes_max + self._changes_max // 10:
            return self._compacted
        sql = "SELECT revision FROM changes WHERE sequence=?"
        return self._forget(int(self._writer.execute(sql, (last - self._changes_max,)).fetchone()[0]))

    def _forget(self, revision: int) -> int:
        compacted = max(self._compacted, revision)
        self._writer.execute("DELETE FROM changes WHERE revision<=?", (compacted,))
        self._set_counter("compacted", compacted)
        return compacted

    def compact(self, before_revision: int) -> None:
        with self._write_lock, translated(self._path):
            with _Commit(self._writer):
                compacted = self._forget(min(before_revision, self._revision))
            self._compacted = compacted

    def lift_revision(self, minimum: int) -> None:
        with self._write_lock, translated(self._path):
            revision = max(self._revision, minimum)
            with _Commit(self._writer):
                self._set_counter("revision", revision)
                compacted = self._forget(revision)
            self._revision, self._compacted = revision, compacted

    # reading
    def read(self, function: Callable[[Transaction], T]) -> T:
        with self._read_lock, translated(self._path), _Commit(self._reader, "BEGIN"):
            sql = "SELECT value FROM counters WHERE name='revision'"
            revision = int(self._reader.execute(sql).fetchone()[0])
            return function(SqliteTransaction(self._reader, revision, writable=False))

    def revision(self) -> int:
        return self._revision

    def compacted(self) -> int:
        return self._compacted

    def changes(self, after_revision: int, limit: int, resources: Collection[str] | None = None) -> list[Change]:
        with self._read_lock, translated(self._path), _Commit(self._reader, "BEGIN"):
            sql = "SELECT value FROM counters WHERE name='compacted'"
            if after_revision < self._reader.execute(sql).fetchone()[0]:
                raise Compacted(after_revision)
            rows = self._change_rows(after_revision, limit, resources)
        return [Change(r[0], r[1], r[2], r[3], _decoded(r[4]), _decoded(r[5])) for r in rows]

    def _change_rows(self, after_revision: int, limit: int, resources: Collection[str] | None) -> list[tuple[Any, ...]]:
        where = "revision>?"
        values: list[object] = [after_revision]
        if resources is not None:
            where += f" AND resource IN ({','.join('?' * len(resources))})"
            values += resources
        # the last revision to be given is that of the row `limit`, and the whole of it
        last = f"SELECT revision FROM changes WHERE {where} ORDER BY sequence LIMIT 1 OFFSET ?"
        row = self._reader.execute(last, [*values, max(limit, 1) - 1]).fetchone()
        sql = f"SELECT revision, resource, namespace, name, old, new FROM changes WHERE {where}"
        if row is not None:
            sql += " AND revision<=?"
            values.append(row[0])
        return self._reader.execute(sql + " ORDER BY sequence", values).fetchall()

    def subscribe(self, notify: Callable[[int], None]) -> Callable[[], None]:
        return self._subscribers.add(notify)

    def close(self) -> None:
        self._subscribers.clear()
        with self._write_lock, self._read_lock, translated(self._path):
            self._reader.close()
            self._writer.close()
            os.close(self._lock_descriptor)


class _Commit:
    """BEGIN, then COMMIT, or ROLLBACK on any exception."""

    def __init__(self, connection: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> None:
        self._connection = connection
        self._begin = begin

    def __enter__(self) -> None:
        if self._connection.in_transaction:
            raise MisuseError("a transaction is open on this thread already")
        self._connection.execute(self._begin)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is None:
            try:
                self._connection.execute("COMMIT")
            except sqlite3.Error:
                self._roll_back()
                raise
        else:
            self._roll_back()

    def _roll_back(self) -> None:
        if self._connection.in_transaction:  # some errors of the medium have rolled back already
            self._connection.execute("ROLLBACK")


def _decoded(text: str | None) -> Object | None:
    return None if text is None else decode_object(text)
