"""Adapters of two-wire lines that hear themselves: a server's own answer comes back, and must not pass for a request.

An answer that is unlike its request can only be an echo. One that repeats its request (functions 5, 6, 22 and 8) may
be the client asking the same once more; until the line is known to have no echo, what comes soon counts as one.
"""

SURE = 3  # so many answers that no echo followed
SOON_MS = 500  # 8 bytes take 300 ms at 300 baud


class OwnEcho:
    def __init__(self) -> None:
        self._due = b""  # what was sent, until something else has come
        self._held = b""  # the beginning of it, as it seems
        self._is_alike = False
        self._sent_ms = 0
        self._without = 0

    def sent(self, data: bytes, is_alike: bool, now_ms: int) -> None:
        self._is_alike = is_alike
        self._sent_ms = now_ms
        self._held = b""
        self._due = b"" if is_alike and self._without >= SURE else data

    def heard(self, data: bytes, now_ms: int) -> bytes:
        """`data` without the echo."""
        due = self._due
        if not due or (self._is_alike and now_ms - self._sent_ms > SOON_MS):
            self._due = b""
            return self._held + data
        data = self._held + data
        if len(data) < len(due) and due.startswith(data):
            self._held = data
            return b""
        self._due = self._held = b""
        if data.startswith(due):
            self._without = 0
            return data[len(due) :]
        if not self._is_alike:
            self._without += 1
        return data
