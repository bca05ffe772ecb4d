"""A transaction on SQLite: the raw operations of objects, and the tables of feeds, positions, telemetry and facts."""

from __future__ import annotations

import sqlite3

from edgelite_hub.store.base import Key, ObjectTransaction, Texts
from edgelite_hub.store.contract import FeedEntries, FeedEntry, Position, Sample, Samples

_FEED_COLUMNS = "revision, kind, key, value, digest"

# How a sample's value lies in its column; SQLite has no booleans, its integers end at 64 bits, and it takes a
# not-a-number for NULL.
_TYPE_NATIVE = 0
_TYPE_BOOLEAN = 1
_TYPE_BIG_INTEGER = 2
_TYPE_NOT_A_NUMBER = 3
_INTEGER_LIMIT = 2**63


class SqliteTransaction(ObjectTransaction):
    def __init__(self, connection: sqlite3.Connection, revision: int, writable: bool) -> None:
        super().__init__(revision, writable)
        self._connection = connection

    def _one(self, sql: str, *values: object) -> tuple[object, ...] | None:
        row: tuple[object, ...] | None = self._connection.execute(sql, values).fetchone()
        return row

    def _write(self, sql: str, *values: object) -> int:
        self.require_writable()
        return self._connection.execute(sql, values).rowcount

    # objects
    def _load(self, key: Key) -> str | None:
        row = self._one("SELECT value FROM objects WHERE resource=? AND namespace=? AND name=?", *key)
        return None if row is None else str(row[0])

    def _store(self, key: Key, text: str) -> None:
        self._write(
            "INSERT INTO objects (resource, namespace, name, value) VALUES (?,?,?,?)"
            " ON CONFLICT (resource, namespace, name) DO UPDATE SET value=excluded.value",
            *key,
            text,
        )

    def _erase(self, key: Key) -> None:
        self._write("DELETE FROM objects WHERE resource=? AND namespace=? AND name=?", *key)

    def _texts(self, resource: str, namespace: str | None, part: str) -> Texts:
        sql = "SELECT value FROM objects WHERE resource=?"
        values = [resource]
        if namespace is not None:
            sql += " AND namespace=?"
            values.append(namespace)
        if part:
            sql += " AND instr(value, ?)"
            values.append(part)
        rows = self._connection.execute(sql + " ORDER BY namespace, name", values).fetchall()
        return [row[0] for row in rows]

    # node feeds
    def _feed_put(self, node: str, entry: FeedEntry) -> None:
        self._write(
            "INSERT INTO feed_entries (node, revision, kind, key, value, digest) VALUES (?,?,?,?,?,?)",
            node,
            entry.revision,
            entry.kind,
            entry.key,
            entry.value,
            entry.digest,
        )
        self._write(
            "INSERT INTO feeds VALUES (?,?,0) ON CONFLICT (node) DO UPDATE SET last=excluded.last", node, entry.revision
        )

    def _feed_range(self, node: str, after: int, limit: int) -> FeedEntries:
        sql = f"SELECT {_FEED_COLUMNS} FROM feed_entries WHERE node=? AND revision>? ORDER BY revision LIMIT ?"
        return [FeedEntry(*row) for row in self._connection.execute(sql, (node, after, limit))]

    def _feed_floor(self, node: str) -> int:
        row = self._one("SELECT floor FROM feeds WHERE node=?", node)
        return 0 if row is None else int(str(row[0]))

    def feed_last(self, node: str) -> FeedEntry | None:
        row = self._one("SELECT last FROM feeds WHERE node=?", node)
        return None if row is None else self.feed_entry(node, int(str(row[0])))

    def feed_entry(self, node: str, revision: int) -> FeedEntry | None:
        entries = self._feed_range(node, revision - 1, 1)
        return entries[0] if entries and entries[0].revision == revision else None

    def feed_snapshot(self, node: str) -> FeedEntries:
        sql = (
            f"SELECT {_FEED_COLUMNS} FROM feed_entries AS entry WHERE node=? AND value IS NOT NULL AND NOT EXISTS"
            " (SELECT 1 FROM feed_entries AS later WHERE later.node=entry.node AND later.kind=entry.kind"
            "  AND later.key=entry.key AND later.revision>entry.revision) ORDER BY revision"
        )
        return [FeedEntry(*row) for row in self._connection.execute(sql, (node,))]

    def feed_compact(self, node: str, keep: int) -> None:
        self.require_writable()
        self._write("UPDATE feeds SET floor=MAX(floor, last-?) WHERE node=?", max(keep, 1), node)
        self._write(
            "DELETE FROM feed_entries WHERE node=? AND revision<=? AND (value IS NULL OR EXISTS"
            " (SELECT 1 FROM feed_entries AS later WHERE later.node=feed_entries.node"
            "  AND later.kind=feed_entries.kind AND later.key=feed_entries.key"
            "  AND later.revision>feed_entries.revision))",
            node,
            self._feed_floor(node),
        )

    def feed_remove(self, node: str) -> None:
        self._write("DELETE FROM feed_entries WHERE node=?", node)
        self._write("DELETE FROM feeds WHERE node=?", node)

    # what a node has reported
    def position(self, node: str, journal: bytes, lane: int) -> Position | None:
        sql = "SELECT generation, sequence FROM positions WHERE node=? AND journal=? AND lane=?"
        row = self._connection.execute(sql, (node, bytes(journal), lane)).fetchone()
        return None if row is None else Position(*row)

    def set_position(self, node: str, journal: bytes, lane: int, position: Position) -> None:
        self._write(
            "INSERT OR REPLACE INTO positions VALUES (?,?,?,?,?)",
            node,
            bytes(journal),
            lane,
            position.generation,
            position.sequence,
        )

    # telemetry
    def add_samples(self, samples: Samples) -> None:
        self.require_writable()
        names = {(sample.node, sample.device, sample.property) for sample in samples}
        series = {name: self._series(*name) for name in names}
        self._connection.executemany(
            "INSERT INTO samples (series, time_ms, type, value, dated_by) VALUES (?,?,?,?,?)",
            ((series[s.node, s.device, s.property], s.time_ms, *_to_column(s.value), s.dated_by) for s in samples),
        )

    def _series(self, node: str, device: str, property: str) -> int:
        self._write("INSERT OR IGNORE INTO series (node, device, property) VALUES (?,?,?)", node, device, property)
        sql = "SELECT id FROM series WHERE device=? AND property=? AND node=?"
        return int(self._connection.execute(sql, (device, property, node)).fetchone()[0])

    def trim_samples(self, before_ms: int, rows_max: int) -> int:
        removed = self._write("DELETE FROM samples WHERE time_ms<?", before_ms)
        count = int(self._connection.execute("SELECT COUNT(*) FROM samples").fetchone()[0])
        if count > rows_max:
            removed += self._write(
                "DELETE FROM samples WHERE id IN (SELECT id FROM samples ORDER BY time_ms, id LIMIT ?)",
                count - max(rows_max, 0),
            )
        return removed

    def samples(
        self, device: str, property: str | None, since_ms: int | None, until_ms: int | None, limit: int
    ) -> Samples:
        sql = (
            "SELECT node, device, property, time_ms, type, value, dated_by FROM samples JOIN series ON series.id=series"
        )
        conditions: list[tuple[str, object]] = [("device=?", device)]
        conditions += [("property=?", property)] if property is not None else []
        conditions += [("time_ms>=?", since_ms)] if since_ms is not None else []
        conditions += [("time_ms<=?", until_ms)] if until_ms is not None else []
        sql += " WHERE " + " AND ".join(text for text, _ in conditions)
        sql += " ORDER BY time_ms DESC, samples.id DESC LIMIT ?"
        rows = self._connection.execute(sql, [*(value for _, value in conditions), max(limit, 0)]).fetchall()
        return [Sample(r[0], r[1], r[2], r[3], _from_column(r[4], r[5]), r[6]) for r in reversed(rows)]

    # small facts
    def get_meta(self, key: str) -> bytes | None:
        row = self._connection.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    def set_meta(self, key: str, value: bytes | None) -> None:
        if value is None:
            self._write("DELETE FROM meta WHERE key=?", key)
        else:
            self._write("INSERT OR REPLACE INTO meta VALUES (?,?)", key, bytes(value))


def _to_column(value: int | float | str | bool | bytes) -> tuple[int, object]:
    if isinstance(value, bool):
        return _TYPE_BOOLEAN, int(value)
    if isinstance(value, int) and not -_INTEGER_LIMIT <= value < _INTEGER_LIMIT:
        return _TYPE_BIG_INTEGER, str(value)
    if value != value:
        return _TYPE_NOT_A_NUMBER, 0
    return _TYPE_NATIVE, value


def _from_column(type_: int, value: int | float | str | bytes) -> int | float | str | bool | bytes:
    if type_ == _TYPE_BOOLEAN:
        return bool(value)
    if type_ == _TYPE_BIG_INTEGER:
        return int(value)
    if type_ == _TYPE_NOT_A_NUMBER:
        return float("nan")
    return value
