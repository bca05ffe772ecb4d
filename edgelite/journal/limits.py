"""How large a journal may grow, and how long a write may wait for its sync."""

from edgelite.journal import layout
from edgelite_protocol.errors import MisuseError

# What gives way when telemetry's quota is full.
KEEP_NEWEST = 0  # the oldest segment of it goes
KEEP_OLDEST = 1  # what comes new goes
THIN_OUT = 2  # what comes new is kept ever more rarely as the quota fills; when it is full, the oldest segment goes

STATE_FILES_MIN = 4  # the oldest, which is being cleaned; the one written to; the next one; one waiting for a sync
TELEMETRY_FILES_MIN = 4


class JournalLimits:
    """`size_bytes_max` bounds all files together, `telemetry_bytes_max` those of the telemetry lane.

    `group_window_ms` is how long what is not urgent waits for company before it is synced; `lazy_window_ms` the
    same for what is harmless to lose: acknowledgements, which the hub repeats.
    """

    def __init__(
        self,
        segment_bytes: int = 256 * 1024,
        size_bytes_max: int = 4 * 1024 * 1024,
        telemetry_bytes_max: int = 2 * 1024 * 1024,
        telemetry_policy: int = KEEP_NEWEST,
        group_window_ms: int = 1000,
        lazy_window_ms: int = 300000,
    ) -> None:
        if not layout.SEGMENT_BYTES_MIN <= segment_bytes < layout.SEGMENT_BYTES_MAX or segment_bytes % 512:
            raise MisuseError("segment_bytes must be 4096 to 16776704 and a multiple of 512, not %d" % segment_bytes)
        if telemetry_policy not in (KEEP_NEWEST, KEEP_OLDEST, THIN_OUT):
            raise MisuseError("telemetry_policy must be KEEP_NEWEST, KEEP_OLDEST or THIN_OUT")
        self.segment_bytes = segment_bytes
        self.files_max = size_bytes_max // segment_bytes
        self.telemetry_files_max = telemetry_bytes_max // segment_bytes
        if self.telemetry_files_max < TELEMETRY_FILES_MIN:
            raise MisuseError("telemetry_bytes_max must hold %d segments or more" % TELEMETRY_FILES_MIN)
        if self.files_max - self.telemetry_files_max < STATE_FILES_MIN:
            raise MisuseError("size_bytes_max must hold %d segments more than telemetry" % STATE_FILES_MIN)
        self.telemetry_policy = telemetry_policy
        self.group_window_ms = group_window_ms
        self.lazy_window_ms = lazy_window_ms

    def state_bytes_max(self) -> int:
        """How much can be live outside of the telemetry lane: what the files hold when three are in passage, and a
        quarter less, so that cleaning always gains more than it writes."""
        files = self.files_max - self.telemetry_files_max - STATE_FILES_MIN + 1
        return files * (self.segment_bytes - 4 * layout.HEADER_SLOT_BYTES) * 3 // 4
