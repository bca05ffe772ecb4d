"""The journal beside SQLite on the same updates: rates, and bytes that reach the medium for each update.

    python tests/bench/journal_bench.py DIRECTORY [COUNT]

Prints one JSON line for each way; `run` gives the same. DIRECTORY must be on the medium that is to be measured: on a
tmpfs nothing is written and the figures say so (null). Compare ratios within one run, not times between runs.
"""

import json
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from edgelite.effects import Sync
from edgelite.journal import Journal, JournalLimits
from edgelite_ports.linux.storage import FileStorage
from edgelite_protocol.messages import LANE_TELEMETRY

RECORD_BYTES = 120  # a telemetry report of two properties or so
GROUP = 100
ROUNDS = 10


def medium_bytes() -> int:
    """What this process has caused to be written to a medium, from /proc/self/io; journals of the file system are
    written by the kernel and are in nobody's account."""
    for line in Path("/proc/self/io").read_text().splitlines():
        if line.startswith("write_bytes:"):
            return int(line.split()[1])
    raise RuntimeError("/proc/self/io has no write_bytes")


def body(number: int) -> bytes:
    return b"%08d" % number + bytes((number * 31 + index * 7) & 0xFF for index in range(RECORD_BYTES - 8))


class JournalWriter:
    def __init__(self, directory: Path) -> None:
        self._effects: list[object] = []
        self._storage = FileStorage(str(directory))
        self._journal = Journal(self._storage, JournalLimits(), os.urandom, self._effects.append)
        self._journal.open(0)
        self._fill()

    def _fill(self) -> None:
        """To the quota, from where on files are used again: that is the state in which a node spends its life."""
        while self._journal.statistics()["reports_dropped"] == 0:
            for number in range(GROUP):
                self.append(body(number))
            self.commit()
        for _ in range(4):
            self.commit()

    def append(self, data: bytes) -> None:
        self._journal.append_report(LANE_TELEMETRY, data)

    def commit(self) -> None:
        self._journal.urgent()
        self._journal.step(0)
        while self._effects:
            effect = self._effects.pop()
            assert isinstance(effect, Sync)
            self._storage.sync()
            self._journal.synced(effect.token, 0)

    def close(self) -> None:
        self._storage.close()


class SqliteWriter:
    def __init__(self, directory: Path, synchronous: str) -> None:
        directory.mkdir()
        self._database = sqlite3.connect(directory / "outbox.db", isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute(f"PRAGMA synchronous={synchronous}")
        self._database.execute("CREATE TABLE outbox (sequence INTEGER PRIMARY KEY, body BLOB)")
        self._open = False

    def append(self, data: bytes) -> None:
        if not self._open:
            self._database.execute("BEGIN")
            self._open = True
        self._database.execute("INSERT INTO outbox (body) VALUES (?)", (data,))

    def commit(self) -> None:
        self._database.execute("COMMIT")
        self._open = False

    def close(self) -> None:
        self._database.close()


class Way:
    """One writer at one group size, measured in turns with the others, so that a slow moment meets all."""

    def __init__(self, writer: JournalWriter | SqliteWriter, group: int, count: int) -> None:
        self.writer = writer
        self.group = group
        self.bodies = [body(number) for number in range(count // ROUNDS // group * group)]
        self.rates: list[float] = []
        self.written = 0

    def round(self) -> None:
        os.sync()
        bytes_before = medium_bytes()
        started = time.perf_counter()
        for number, data in enumerate(self.bodies, 1):
            self.writer.append(data)
            if number % self.group == 0:
                self.writer.commit()
        self.rates.append(len(self.bodies) / (time.perf_counter() - started))
        self.written += medium_bytes() - bytes_before

    def figures(self, name: str) -> dict[str, object]:
        count = len(self.bodies) * ROUNDS
        return {
            "name": name,
            "updates_per_sync": self.group,
            "count": count,
            "record_bytes": RECORD_BYTES,
            "updates_per_second": round(median(self.rates), 1),
            "medium_bytes_per_update": round(self.written / count, 1) if self.written else None,
        }


MAKERS: dict[str, Callable[[Path], JournalWriter | SqliteWriter]] = {
    "journal": JournalWriter,
    "sqlite_full": lambda path: SqliteWriter(path, "FULL"),
    "sqlite_normal": lambda path: SqliteWriter(path, "NORMAL"),
}


def run(directory: str, count: int) -> dict[str, dict[str, object]]:
    """Figures by name: journal_single, journal_grouped, sqlite_full_single, ... `count` updates each; grouped ones do
    ten times as many. Rates are the median of the rounds."""
    base = Path(directory) / "journal-bench"
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir(parents=True)
    ways = {}
    for suffix, group, times in (("single", 1, 1), ("grouped", GROUP, 10)):
        for label, maker in MAKERS.items():
            name = f"{label}_{suffix}"
            ways[name] = Way(maker(base / name), group, max(count * times, GROUP * ROUNDS))
    for _ in range(ROUNDS):
        for way in ways.values():
            way.round()
    for way in ways.values():
        way.writer.close()
    shutil.rmtree(base)
    return {name: way.figures(name) for name, way in ways.items()}


def main(arguments: list[str]) -> int:
    figures = run(arguments[0], int(arguments[1]) if len(arguments) > 1 else 1000)
    for figure in figures.values():
        sys.stdout.write(json.dumps(figure) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
