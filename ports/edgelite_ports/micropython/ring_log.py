"""Output of tasks: the last kilobytes of each, in memory. A restart of the agent loses it."""

from edgelite.logstream import LogReader, LogStore
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RING_BYTES = 2048  # of one task; a Cortex-M3 with eight of them spends 16 of its 128 KiB
ALL_LINES = -1
_LINE_BREAK = 0x0A


class RingLog:
    """The last `size_bytes` of all that was written. A position counts all bytes that ever were."""

    def __init__(self, size_bytes: int = RING_BYTES) -> None:
        self._data = bytearray(size_bytes)
        self.end = 0  # the position behind the last byte
        self.begun = 0  # where the present instance's output begins

    @property
    def oldest(self) -> int:
        """The position of the first byte that is still there."""
        return max(0, self.end - len(self._data))

    def begin(self) -> None:
        """A new instance writes from here on."""
        self.begun = self.end

    def write(self, data: bytes) -> None:
        size = len(self._data)
        kept = memoryview(data)[max(0, len(data) - size) :]
        self.end += len(data) - len(kept)
        at = self.end % size
        first = min(len(kept), size - at)
        self._data[at : at + first] = kept[:first]
        self._data[0 : len(kept) - first] = kept[first:]
        self.end += len(kept)

    def read(self, position: int, size_bytes_max: int) -> bytes:
        """The bytes from there on, as many as lie in one piece; b"" at the end. The position is not before `oldest`."""
        at = position % len(self._data)
        return bytes(self._data[at : min(at + min(size_bytes_max, self.end - position), len(self._data))])

    def tail(self, start: int, end: int, lines: int) -> int:
        """The position where the last `lines` lines between `start` and `end` begin."""
        position = end
        while position > start:
            before = self._data[(position - 1) % len(self._data)]
            if before == _LINE_BREAK and position < end:
                lines -= 1
            if lines <= 0:
                break
            position -= 1
        return position


class RingReader(LogReader):
    def __init__(self, ring: RingLog, position: int, end: "int | None") -> None:
        """`end` is where it ends for good; None follows what comes."""
        self._ring = ring
        self._position = position
        self._end = end

    def read(self, size_bytes_max: int) -> bytes:
        self._position = max(self._position, self._ring.oldest)  # what was overwritten is skipped
        if self._end is not None:
            size_bytes_max = min(size_bytes_max, self._end - self._position)
        if size_bytes_max <= 0:
            return b""
        data = self._ring.read(self._position, size_bytes_max)
        self._position += len(data)
        return data

    def close(self) -> None:
        """It holds nothing open."""


class RingLogs(LogStore):
    """Of all tasks, by unit. What is not here, `beyond` is asked for: where a port has processes too, their files."""

    def __init__(self, beyond: "LogStore | None" = None, ring_bytes: int = RING_BYTES) -> None:
        self._beyond = beyond
        self._ring_bytes = ring_bytes
        self._rings: dict[str, RingLog] = {}

    def begin(self, unit: str) -> RingLog:
        """A new instance of the unit is about to write: its ring."""
        ring = self._rings.get(unit)
        if ring is None:
            ring = self._rings[unit] = RingLog(self._ring_bytes)
        ring.begin()
        return ring

    def open(self, uid: str, container: str, tail_lines: int, previous: bool, since_ms: int) -> LogReader:
        ring = self._rings.get(uid + "/" + container)
        if ring is None:
            if self._beyond is None:
                raise PlatformError("there is no log of %s" % container)
            return self._beyond.open(uid, container, tail_lines, previous, since_ms)
        start = ring.oldest if previous else max(ring.begun, ring.oldest)
        end = max(ring.begun, ring.oldest) if previous else ring.end
        position = start if tail_lines == ALL_LINES else ring.tail(start, end, tail_lines)
        return RingReader(ring, position, end if previous else None)

    def remove(self, uid: str) -> None:
        for unit in [unit for unit in self._rings if unit.partition("/")[0] == uid]:
            del self._rings[unit]

    def step(self, now_ms: int) -> "int | None":
        beyond: Any = self._beyond
        return None if beyond is None else beyond.step(now_ms)
