"""The hub's time across restarts: what of the clock is kept in the journal.

The offset between the monotonic clock and Unix time holds for one boot. It is kept with the boot's id, so an agent
that restarts within a boot dates its samples at once. The floor, a Unix time that is certainly past, outlives
boots; it moves at most every two hours, with a write that costs some 50 bytes of flash.
"""

from edgelite.journal import SPACE_META
from edgelite_protocol import cbor
from edgelite_protocol.errors import CorruptionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.clock import Clock
    from edgelite.patience import PatientJournal

CLOCK_KEY = "clock"
FLOOR_INTERVAL_MS = 2 * 3600 * 1000
OFFSET_TOLERANCE_MS = 1000  # a welcome's time is late by a round trip; a smaller change is not worth a write


class Timekeeping:
    def __init__(self, journal: "PatientJournal", clock: "Clock") -> None:
        self._journal = journal
        self._clock = clock
        self._kept_offset_ms: int | None = None
        self._kept_floor_ms = 0

    def restore(self) -> None:
        """After the journal was opened."""
        data = self._journal.get(SPACE_META, CLOCK_KEY)
        if data is None:
            return
        fields = cbor.decode(data)
        if not isinstance(fields, list) or len(fields) != 3:
            raise CorruptionError("journal, " + CLOCK_KEY, "is not [floor, boot id, offset]")
        self._clock.floor_ms = self._kept_floor_ms = fields[0]
        if fields[1] == self._clock.boot_id:
            self._clock.offset_ms = self._kept_offset_ms = fields[2]

    def learn(self, unix_ms: int, now_ms: int) -> None:
        """The hub said what time it is; kept at once where that is news."""
        self._clock.learn(unix_ms, now_ms)
        kept = self._kept_offset_ms
        if kept is None or abs(unix_ms - now_ms - kept) > OFFSET_TOLERANCE_MS:
            self._keep(unix_ms)
        else:
            self.step(now_ms)

    def step(self, now_ms: int) -> None:
        """Move the floor where it is due. It has no deadline of its own: it rides on whatever woke the node."""
        if self._clock.offset_ms is None:
            return
        unix_ms = now_ms + self._clock.offset_ms
        if unix_ms - self._kept_floor_ms >= FLOOR_INTERVAL_MS:
            self._keep(unix_ms)

    def _keep(self, floor_ms: int) -> None:
        clock = self._clock
        clock.floor_ms = max(floor_ms, clock.floor_ms)
        value = cbor.encode([clock.floor_ms, clock.boot_id, clock.offset_ms])
        self._journal.write([("put", SPACE_META, CLOCK_KEY, value)])
        self._kept_floor_ms = clock.floor_ms
        self._kept_offset_ms = clock.offset_ms
