"""When to sync: at once, with others within a window, or lazily; one sync in flight; patiently after a failure."""

# What a change asks for, the most pressing first.
URGENT = 0
WINDOW = 1
LAZY = 2

_RETRY_MS_MIN = 1000
_RETRY_MS_MAX = 60000


class GroupCommit:
    def __init__(self, group_window_ms: int, lazy_window_ms: int) -> None:
        self._delays_ms = (0, group_window_ms, lazy_window_ms)
        self._wanted: int | None = None  # the most pressing level since the last sync began
        self._dated: int | None = None  # the level that `_due_ms` was computed for
        self._due_ms = 0
        self._token = 0
        self._failures = 0  # in a row
        self._retry_ms = 0
        self.in_flight: int | None = None
        self.syncs = 0
        self.sync_failures = 0
        self.trouble: str | None = None  # why nothing becomes durable at present

    def want(self, level: int) -> None:
        if self._wanted is None or level < self._wanted:
            self._wanted = level

    def deadline_ms(self, now_ms: int) -> "int | None":
        """When the next sync is due: in the past or now for at once, None while nothing waits for one, or while one
        is in flight (its end is what comes next)."""
        if self._wanted is None or self.in_flight is not None:
            return None
        if self._dated is None or self._wanted < self._dated:
            due_ms = now_ms + self._delays_ms[self._wanted]
            self._due_ms = due_ms if self._dated is None else min(due_ms, self._due_ms)
            self._dated = self._wanted
        return max(self._due_ms, self._retry_ms) if self._failures else self._due_ms

    def begin(self) -> int:
        self._token += 1
        self.in_flight = self._token
        self._wanted = None
        self._dated = None
        return self._token

    def complete(self, token: int) -> bool:
        """False for a token that is not the one in flight."""
        if token != self.in_flight:
            return False
        self.in_flight = None
        self.syncs += 1
        self._failures = 0
        self.trouble = None
        return True

    def fail(self, token: int, text: str, now_ms: int) -> bool:
        """The sync in flight failed; False for another token."""
        if token != self.in_flight:
            return False
        self.in_flight = None
        self.stumble(text, now_ms)
        return True

    def stumble(self, text: str, now_ms: int) -> None:
        """A sync, or a write ahead of one, failed: the same again, ever more patiently."""
        self.sync_failures += 1
        self.trouble = text
        self._retry_ms = now_ms + min(_RETRY_MS_MIN << min(self._failures, 16), _RETRY_MS_MAX)
        self._failures += 1
        self.want(URGENT)

    def failed(self) -> bool:
        return self._failures > 0
