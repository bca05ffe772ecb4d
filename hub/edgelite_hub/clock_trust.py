"""Whether the hub's wall clock may say what is old. A clock that somebody has set wrong must not cost all telemetry
within minutes, so one that was set is not believed for a day: time for a person to notice, or for NTP."""

from __future__ import annotations

import json
from collections.abc import Callable

from edgelite_hub.store.contract import Transaction

STEP_MS_MAX = 3_600_000  # beside the monotonic clock: what drift and leap seconds cannot explain
DISTRUST_MS = 86_400_000
_META = "clock"  # JSON: [the time when it was last looked at, since when it has gone on steadily]


class ClockTrust:
    """Looked at in transactions of upkeep, one after the other. What it has seen is kept in the store: a restart
    neither hides a step nor begins the day anew."""

    def __init__(self, unix_ms: Callable[[], int], log: Callable[[str], None]) -> None:
        self._unix_ms = unix_ms
        self._log = log
        self._offset_ms: int | None = None  # between the two clocks, when this hub last looked

    def look(self, transaction: Transaction, now_ms: int) -> bool:
        """True where the clock can be believed; `now_ms` is monotonic."""
        unix_ms = self._unix_ms()
        kept = transaction.get_meta(_META)
        last_ms, steady_since_ms = json.loads(kept) if kept is not None else (unix_ms, unix_ms)
        if self._is_step(unix_ms, now_ms, last_ms):
            self._log("the clock was set: what is old is judged when it has gone on steadily for a day")
            steady_since_ms = unix_ms
        self._offset_ms = unix_ms - now_ms
        transaction.set_meta(_META, json.dumps([unix_ms, steady_since_ms]).encode())
        return bool(unix_ms - steady_since_ms >= DISTRUST_MS)

    def _is_step(self, unix_ms: int, now_ms: int, last_ms: int) -> bool:
        if self._offset_ms is not None:
            return abs(unix_ms - now_ms - self._offset_ms) > STEP_MS_MAX
        # At a start nobody knows how long the hub was off. A day off and a day forwards look the same: wait.
        return not last_ms - STEP_MS_MAX <= unix_ms <= last_ms + DISTRUST_MS
