"""Frees the state stream's oldest segment: copies what is still needed of it to the log's end, a little at a time.

A record is copied by appending it again, so nothing is ever rewritten and the log stays one ordered history. The
segment goes when the copies are durable.
"""

from edgelite.journal import layout
from edgelite.journal.log import Log, make_place
from edgelite.journal.reader import Reader, Record, Segment
from edgelite.storage import Storage
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    # (place, record): append it again if it is still needed; the position, or None where it was not needed
    Copy = Callable[[int, Record], None]

_STEP_RECORDS_MAX = 64  # what one step looks at: about a millisecond on a small device
_STEP_BYTES_MAX = 16384


class Cleaner:
    def __init__(self, storage: Storage, log: Log, copy: "Copy", damage: "Callable[[str], None]") -> None:
        self._storage = storage
        self._log = log
        self._copy = copy
        self._damage = damage
        self._segment: Segment | None = None
        self._reader: Reader | None = None
        self._copied = False
        self._done_position: int | None = None
        self.segments_cleaned = 0
        self.damaged_id = 0  # segments up to this one are cleaned in any case, so that damage is not found for ever

    def wanted(self, live_bytes: int) -> bool:
        """Whether the log holds so much more than what is needed of it that cleaning gains more than it writes."""
        count = len(self._log.segments)
        if count < 2 or self._log.segments[0].segment_id >= self._log.durable[0]:
            return False  # what is not durable may not even be readable yet
        if self._log.segments[0].segment_id <= self.damaged_id:
            return True
        if count < 3:
            return self._log.spare is None
        capacity = self._log.segments[0].data_end - layout.HEADER_SLOT_BYTES
        return count - 1 > 1 + (live_bytes * 4 // 3 + capacity - 1) // capacity

    def is_copying(self) -> bool:
        return self._reader is not None or self._copied

    def step(self, live_bytes: int, position: int, durable_position: int) -> None:
        """A bounded piece of work. StorageFullError where there is no room for the copies."""
        if self._done_position is not None:
            if durable_position >= self._done_position:
                self._log.drop_tail()
                self.segments_cleaned += 1
                self._done_position = None
        elif self._reader is not None:
            if not self._copy_some(self._reader):
                self._reader = None
                self._copied = True
        elif self._copied:
            self._copied = False
            self._done_position = position  # of the last copy, or later
        elif self.wanted(live_bytes):
            self._segment = self._log.segments[0]
            self._reader = Reader(self._storage, self._segment, layout.HEADER_SLOT_BYTES, self._segment.end)

    def _copy_some(self, reader: Reader) -> bool:
        """False at the segment's end."""
        size = 0
        for _ in range(_STEP_RECORDS_MAX):
            start = reader.offset_bytes
            record = reader.next()
            if record is None:
                if start >= reader.end:
                    return False
                self._damage("%s: damage at offset %d found while copying" % (reader.name, start))
                if not reader.resync():
                    return False
                continue
            try:
                self._copy(self._place(record), record)
            except PlatformError:
                reader.offset_bytes = start  # no room: this one is still to be copied
                raise
            size += record.size_bytes
            if size > _STEP_BYTES_MAX:
                break
        return True

    def _place(self, record: Record) -> int:
        assert self._segment is not None
        return make_place(self._segment.segment_id, record.offset_bytes, record.size_bytes)
