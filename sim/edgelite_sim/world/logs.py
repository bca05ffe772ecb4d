"""Processes' output on a simulated node: bounded, kept across restarts of the agent, its end lost in a power cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgelite.logstream import LogReader as LogReaderContract
from edgelite.logstream import LogStore as LogStoreContract
from edgelite_protocol.errors import PlatformError

if TYPE_CHECKING:
    from edgelite_sim.world.processes import SimProcesses

LOG_BYTES_MAX = 16 * 1024  # of each instance: a year of a thousand nodes must fit into memory
LOGS_MAX = 256  # units whose logs are kept, the oldest giving way
PAGE_BYTES = 4096  # what has not filled a page may be lost with the power: nobody syncs a log


class _Log:
    """The last LOG_BYTES_MAX of what an instance wrote; `base_bytes` is how much of it is gone."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.base_bytes = 0

    def write(self, data: bytes) -> None:
        self.data += data
        over_bytes = len(self.data) - LOG_BYTES_MAX
        if over_bytes > LOG_BYTES_MAX // 4:  # not at each line
            del self.data[:over_bytes]
            self.base_bytes += over_bytes

    def lose_tail(self) -> None:
        end_bytes = self.base_bytes + len(self.data)
        del self.data[max(0, end_bytes // PAGE_BYTES * PAGE_BYTES - self.base_bytes) :]


class LogReader(LogReaderContract):
    """Its place is one in all that the instance has written; what is gone meanwhile is skipped."""

    def __init__(self, log: _Log, tail_lines: int) -> None:
        self._log = log
        self._position = log.base_bytes
        if tail_lines >= 0:
            lines = bytes(log.data).splitlines(keepends=True)
            self._position += sum(len(line) for line in lines[: max(0, len(lines) - tail_lines)])

    def read(self, size_bytes_max: int) -> bytes:
        start_bytes = max(0, self._position - self._log.base_bytes)
        data = bytes(self._log.data[start_bytes : start_bytes + size_bytes_max])
        self._position = self._log.base_bytes + start_bytes + len(data)
        return data

    def close(self) -> None:
        """It holds nothing open."""


class LogStore(LogStoreContract):
    """`processes` writes to it, if one is given."""

    def __init__(self, processes: SimProcesses | None = None) -> None:
        self._logs: dict[str, list[_Log]] = {}  # by unit: the instance that runs, and the one before
        if processes is not None:
            processes.output = self

    def open(self, uid: str, container: str, tail_lines: int, previous: bool, since_ms: int) -> LogReader:
        """As the Linux port's: all there is for -1 lines, `since_ms` is not heeded. PlatformError where there is no
        such log."""
        logs = self._logs.get(f"{uid}/{container}", [])
        if len(logs) <= previous:
            raise PlatformError(f"there is no log {container}.log" + (".previous" if previous else ""))
        return LogReader(logs[previous], tail_lines)

    # ---- what processes do

    def begin(self, unit: str) -> None:
        """A new instance is about to write."""
        logs = self._logs.pop(unit, [])
        self._logs[unit] = [_Log(), *logs[:1]]
        while len(self._logs) > LOGS_MAX:
            del self._logs[next(iter(self._logs))]

    def write(self, unit: str, data: bytes) -> None:
        if unit in self._logs:
            self._logs[unit][0].write(data)

    def remove(self, uid: str) -> None:
        for unit in [unit for unit in self._logs if unit.partition("/")[0] == uid]:
            del self._logs[unit]

    def lose_power(self) -> None:
        """Of each log the last page."""
        for logs in self._logs.values():
            logs[0].lose_tail()
