"""Reading a log that is being written and rotated.

A reader keeps its place as a position in all that an instance has written, which rotation does not move. What was
rotated away twice before it was read is skipped.
"""

from edgelite.logstream import LogReader as LogReaderContract
from edgelite_ports.posix import system
from edgelite_ports.posix.files import ENOENT, base, reason
from edgelite_ports.posix.files import size_bytes as size_of
from edgelite_protocol.errors import PlatformError

ALL_LINES = -1
_TAIL_BYTES = 8192  # looked through at a time, backwards, to find where the last lines begin


class Track:
    """A log's file, and how many bytes of the output rotation has cut off its start while this agent runs."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.base_bytes = 0
        self.size_bytes = 0  # at the last look
        self.looked_ms: int | None = None  # before the first look


class LogReader(LogReaderContract):
    def __init__(self, track: Track, tail_lines: int) -> None:
        """PlatformError where there is nothing to read."""
        self._track = track
        size_bytes, older_bytes = size_of(track.path, -1), size_of(track.path + ".1", -1)
        if size_bytes < 0 and older_bytes < 0:
            raise PlatformError("there is no log %s" % base(track.path))
        start = track.base_bytes - max(older_bytes, 0)
        end = track.base_bytes + max(size_bytes, 0)
        self._position = start if tail_lines == ALL_LINES else self._find_tail(start, end, tail_lines)

    def read(self, size_bytes_max: int) -> bytes:
        """The next bytes, b"" where there are none now. PlatformError where the disk fails."""
        base_bytes = self._track.base_bytes
        if self._position < base_bytes:
            data = self._read_older(size_bytes_max)
            if data:
                return data
            self._position = base_bytes  # gone
        data = _read(self._track.path, self._position - base_bytes, size_bytes_max)
        self._position += len(data)
        return data

    def close(self) -> None:
        """It holds nothing open."""

    def _read_older(self, size_bytes_max: int) -> bytes:
        """From the file that was current before: the rotated one, or the one of the instance before."""
        base_bytes = self._track.base_bytes
        for path in (self._track.path + ".1", self._track.path + ".previous"):
            size_bytes = size_of(path, -1)
            if size_bytes > 0:
                start = max(self._position, base_bytes - size_bytes)
                data = _read(path, start - (base_bytes - size_bytes), min(size_bytes_max, base_bytes - start))
                self._position = start + len(data)
                return data
        return b""

    def _find_tail(self, start: int, end: int, lines: int) -> int:
        """The position where the last `lines` lines between `start` and `end` begin."""
        if lines <= 0:
            return end
        position = end
        missing = lines
        while position > start:
            low = max(start, position - _TAIL_BYTES)
            data = self._read_at(low, position - low)
            if position == end and data.endswith(b"\n"):
                missing += 1  # the last line's own end begins no line
            for index in range(len(data) - 1, -1, -1):
                if data[index] == 0x0A:
                    missing -= 1
                    if missing == 0:
                        return low + index + 1
            position = low
        return start

    def _read_at(self, position: int, size_bytes: int) -> bytes:
        """Exactly those bytes, across both files."""
        self._position = position
        pieces = []
        while size_bytes > 0:
            data = self.read(size_bytes)
            if not data:
                break
            pieces.append(data)
            size_bytes -= len(data)
        return b"".join(pieces)


def _read(path: str, offset_bytes: int, size_bytes: int) -> bytes:
    try:
        descriptor = system.open(path, system.O_RDONLY | system.O_CLOEXEC)
    except OSError as error:
        if error.errno == ENOENT:
            return b""
        raise PlatformError("cannot read %s: %s" % (path, reason(error))) from error
    try:
        return system.pread(descriptor, size_bytes, offset_bytes)
    except OSError as error:
        raise PlatformError("cannot read %s: %s" % (path, reason(error))) from error
    finally:
        system.close(descriptor)
