"""The trace of a run: one line for each thing that happened, and one hash over all of them.

Two runs of one scenario, seed and commit have the same trace, byte for byte. So nothing may get into it that differs
between two processes: no address of an object, no order of a set, no time of this machine.
"""

from __future__ import annotations

import hashlib
from collections import deque
from typing import TextIO

TAIL_LINES = 2_000


class Trace:
    """`file` gets every line; without one only the last ones are kept, and all are hashed."""

    def __init__(self, file: TextIO | None = None, tail_lines: int = TAIL_LINES) -> None:
        self.lines = 0
        self.tail: deque[str] = deque(maxlen=tail_lines)
        self._file = file
        self._hash = hashlib.sha256()

    def note(self, now_ms: int, who: str, what: str) -> None:
        line = f"{now_ms} {who} {what}\n"
        self.lines += 1
        self.tail.append(line[:-1])
        self._hash.update(line.encode())
        if self._file is not None:
            self._file.write(line)

    @property
    def digest(self) -> str:
        """SHA-256 of all lines so far, as hexadecimal digits."""
        return self._hash.copy().hexdigest()
