"""Time without a real-time clock: monotonic milliseconds plus an offset learnt from the hub.

The core is handed `now_ms`, the platform's monotonic clock (milliseconds since this boot, it never jumps). The
hub's clock is met at each welcome. Before the first one of a boot, a time is given as monotonic milliseconds with
the boot's id, and the hub dates it (SPEC.md, "Time").
"""

from edgelite_protocol.messages import TIME_MONOTONIC, TIME_UNIX


class Clock:
    def __init__(self, boot_id: bytes) -> None:
        self.boot_id = boot_id
        self.offset_ms: int | None = None  # Unix time minus monotonic time
        self.floor_ms = 0  # a Unix time that is certainly past; kept in the journal

    def learn(self, unix_ms: int, now_ms: int) -> None:
        """The hub said that it is `unix_ms` now."""
        self.offset_ms = unix_ms - now_ms
        if unix_ms > self.floor_ms:
            self.floor_ms = unix_ms

    def time(self, now_ms: int) -> "list[object]":
        """`now_ms` as a report's time."""
        if self.offset_ms is None:
            return [now_ms, TIME_MONOTONIC, self.boot_id]
        return [now_ms + self.offset_ms, TIME_UNIX]
