"""The telemetry stream: reports within a quota, and what happens when that is full."""

import struct
from binascii import crc32

from edgelite.journal import layout
from edgelite.journal.drops import Drops
from edgelite.journal.limits import KEEP_OLDEST, THIN_OUT, JournalLimits
from edgelite.journal.log import Log
from edgelite.journal.outbox import TelemetryLane
from edgelite.storage import Storage, StorageFailingError, StorageFullError
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Telemetry:
    def __init__(self, storage: Storage, log: Log, limits: JournalLimits, damage: "Callable[[str], None]") -> None:
        self.log = log
        self.lane = TelemetryLane(storage, log, damage)
        self.drops = Drops()
        self._policy = limits.telemetry_policy
        self._files_max = limits.telemetry_files_max
        self._lacks_room = False  # the medium had none when it was last asked
        self._release_position = 0  # dropped segments go when this position is durable: first it is on record

    def append(self, name: "tuple[int, int]", payload: bytes) -> bool:
        """False where the report was dropped, and counted."""
        if self._thinned(name):
            self.drops.add(1, name, name)
            return False
        try:
            if not self.log.fits(layout.record_bytes(len(payload))):
                self.make_spare()
            place = self.log.append([(layout.REPORT, payload)])[0]
        except StorageFullError:
            self.drops.add(1, name, name)
            return False
        self.lane.add(name, place)
        return True

    def _thinned(self, name: "tuple[int, int]") -> bool:
        """Keep one in 2, 4, 8 as the quota fills, chosen by a hash so that no device that is read in turn with
        others is left out altogether."""
        if self._policy != THIN_OUT:
            return False
        used = len(self.log.segments) * 8 // self._files_max
        level = 0 if used < 4 else 1 if used < 6 else 2 if used < 7 else 3
        return bool(crc32(struct.pack("<II", name[0], name[1])) & ((1 << level) - 1))

    # ---- recovery

    def apply(self, place: int, record_type: int, payload: bytes) -> None:
        if record_type == layout.REPORT:
            self.lane.add(layout.decode_report(payload)[1], place)
        elif record_type == layout.ACKNOWLEDGE:
            self.log.acknowledged = max(self.log.acknowledged, layout.decode_acknowledge(payload)[1])
        elif record_type == layout.START:
            self.log.acknowledged = max(self.log.acknowledged, layout.decode_start(payload).acknowledged)

    def settle(self) -> None:
        """All is read: leave out what was acknowledged, or dropped."""
        self.lane.acknowledge(max(self.log.acknowledged, self.drops.floor))

    # ---- getting smaller

    def acknowledge(self, name: "tuple[int, int]") -> None:
        self.log.acknowledged = name
        try:
            self.lane.acknowledge(name)
        except PlatformError:
            return  # it goes on counting when rows are read next

    def files(self) -> int:
        return len(self.log.segments) + (1 if self.log.spare is not None else 0) + self.log.dying_count()

    def make_spare(self) -> None:
        """StorageFullError where the quota or the medium is full."""
        if self.log.spare is None and self.files() >= self._files_max:
            raise StorageFullError("the telemetry quota is full")
        self._lacks_room = True
        try:
            self.log.make_spare()
        except StorageFailingError:
            self._lacks_room = False  # perhaps: it cannot be asked at present
            raise
        self._lacks_room = False

    def make_ready(self) -> None:
        """Have the next segment ready, if the quota and the medium allow it."""
        if self.log.segments and self.log.spare is None and self.files() < self._files_max:
            try:
                self.make_spare()
            except StorageFullError:
                return  # noted: `is_full` says so, and the policy decides what goes

    def is_full(self) -> bool:
        """So that a segment must go before the next one can be made."""
        return self.log.spare is None and (self._lacks_room or self.files() >= self._files_max)

    def give_spare(self) -> bool:
        """State needs a file, and the next segment holds nothing yet."""
        return self.log.give_spare()

    def drop_oldest(self) -> bool:
        """Drop the rows of the oldest segment, unless it is the one that is written to; their count must be
        recorded before the segment itself can go."""
        if len(self.log.segments) < 2 or not self.lane.segments:
            return False
        if self.lane.segments[0].segment_id != self.log.segments[0].segment_id:
            return False  # the oldest one holds no rows; it only waits to be released
        rows = self.lane.drop_oldest()
        self.drops.add(rows.count, rows.first, rows.last)
        self.drops.floor = rows.last
        return True

    def remove_oldest(self) -> bool:
        """State has no room at all, not even to put on record what goes: drop the oldest segment with its file. The
        count is recorded with the next sync; should that not come, recovery reports the file as missing."""
        if len(self.log.segments) < 2:
            return False
        self.drop_oldest()
        self.log.remove_tail()
        return True

    def drop_by_policy(self) -> bool:
        return self._policy != KEEP_OLDEST and self.is_full() and self.log.dying_count() == 0 and self.drop_oldest()

    def release_at(self, position: int) -> None:
        self._release_position = position

    def release(self, durable_position: int) -> bool:
        """Let go of the oldest segments without rows; True where a file can be had by syncing a mark."""
        if durable_position < self._release_position:
            return False
        released = False
        while len(self.log.segments) > 1 and not self._holds_rows(self.log.segments[0].segment_id):
            self.log.drop_tail()
            released = True
        return released

    def _holds_rows(self, segment_id: int) -> bool:
        return bool(self.lane.segments) and self.lane.segments[0].segment_id <= segment_id
