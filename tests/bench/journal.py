"""The journal beside SQLite on the same updates, as figures; journal_bench.py does the measuring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench import journal_bench
from bench.figures import Figure

COUNT = 2000
WAYS = (("single", "synced one by one"), ("grouped", "100 a sync"))


def beside(found: dict[str, dict[str, Any]], way: str, key: str, unit: str) -> str:
    """SQLite's figures, and what ours is of each."""
    ours = found[f"journal_{way}"][key]
    parts = []
    for label, name in (("sqlite_full", "SQLite WAL/FULL"), ("sqlite_normal", "NORMAL")):
        theirs = found[f"{label}_{way}"][key]
        parts.append(f"{name} {theirs:,.0f}{unit} (ours x{ours / theirs:.2f})")
    return ", ".join(parts)


def figures(folder: Path) -> list[Figure]:
    found = journal_bench.run(str(folder), COUNT)
    made = []
    for way, title in WAYS:
        rate, written = "updates_per_second", "medium_bytes_per_update"
        ours = found[f"journal_{way}"]
        made.append(
            Figure("journal", f"appends per second, {title}", ours[rate], "/s", None, beside(found, way, rate, ""))
        )
        if ours[written] is not None:  # None on a medium that counts no writes, such as a tmpfs
            text = beside(found, way, written, " B")
            made.append(Figure("journal", f"to the medium per update, {title}", ours[written], "B", None, text))
    return made
