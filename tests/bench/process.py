"""What the kernel counts of one process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Mapped by every program of the machine, so shared whether another Python runs or not.
SHARED_BY_ALL = ("libc.so", "libc-", "ld-linux", "ld-2", "libm.so")


@dataclass(slots=True)
class Memory:
    """KiB. `alone` is the proportional size as it would be if no other Python process ran: what only Python and its
    extensions map counts whole."""

    rss: int = 0
    pss: int = 0
    private_dirty: int = 0
    alone: int = 0

    def add(self, name: str, sizes: dict[str, int]) -> None:
        self.rss += sizes["Rss"]
        self.pss += sizes["Pss"]
        self.private_dirty += sizes["Private_Dirty"]
        self.alone += sizes["Pss"] if Path(name).name.startswith(SHARED_BY_ALL) else sizes["Rss"]


def mappings(pid: int) -> Iterator[tuple[str, dict[str, int]]]:
    """(file name, {field: KiB}) of each mapping in /proc/PID/smaps."""
    name, sizes = "", {}
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        words = line.split()
        if not words[0].endswith(":"):
            if sizes:
                yield name, sizes
            name, sizes = words[5] if len(words) > 5 else "", {}
        elif len(words) == 3 and words[2] == "kB":
            sizes[words[0][:-1]] = int(words[1])
    if sizes:
        yield name, sizes


def memory(pid: int) -> Memory:
    found = Memory()
    for name, sizes in mappings(pid):
        found.add(name, sizes)
    return found


def cpu_s(pid: int) -> float:
    """User and system time so far, with the scheduler's resolution where the kernel has it."""
    text = Path(f"/proc/{pid}/schedstat").read_text().split() if Path(f"/proc/{pid}/schedstat").exists() else []
    if text and int(text[0]):
        return int(text[0]) / 1e9
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def written_bytes(pid: int) -> int:
    """What the process caused to be written to the medium; the file system's own journal is not in it."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))
