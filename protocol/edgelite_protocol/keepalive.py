"""When to probe a quiet link, and when to call it dead (SPEC.md, "Keepalive").

Two clocks: at rest only one end (the node) pings, rarely, and the other only waits; while an answer is owed both
ends probe soon and give up soon.
"""

from edgelite_protocol.limits import KEEPALIVE_BUSY_MS, KEEPALIVE_REST_MS

WAIT = 0
PROBE = 1
DEAD = 2


class Keepalive:
    """`pings_at_rest` is True at the end that pings; the other one calls the link dead after two and a half
    resting intervals of silence, so one lost interval never ends a session."""

    def __init__(self, pings_at_rest: bool, now_ms: int) -> None:
        self.rest_ms = KEEPALIVE_REST_MS
        self.busy_ms = KEEPALIVE_BUSY_MS
        self.pings_at_rest = pings_at_rest
        self.last_received_ms = now_ms
        self.probing = False  # a ping is out, its pong is owed
        self.deadline_ms = now_ms
        self._owed_since_ms: int | None = None

    def received(self, now_ms: int) -> None:
        self.last_received_ms = now_ms

    def answered(self) -> None:
        self.probing = False

    def step(self, now_ms: int, owed: bool) -> int:
        """WAIT, PROBE (send a ping now) or DEAD. `owed`: something sent awaits an answer. Sets `deadline_ms`."""
        if owed or self.probing:
            return self._step_owed(now_ms)
        self._owed_since_ms = None
        rest_ms = self.rest_ms if self.pings_at_rest else self.rest_ms * 5 // 2
        self.deadline_ms = self.last_received_ms + rest_ms
        if now_ms < self.deadline_ms:
            return WAIT
        return self._probe(now_ms) if self.pings_at_rest else DEAD

    def _step_owed(self, now_ms: int) -> int:
        if self._owed_since_ms is None:
            self._owed_since_ms = now_ms
        quiet_since_ms = max(self.last_received_ms, self._owed_since_ms)
        give_up_ms = quiet_since_ms + 3 * self.busy_ms
        if now_ms >= give_up_ms:
            return DEAD
        self.deadline_ms = give_up_ms if self.probing else quiet_since_ms + self.busy_ms
        if not self.probing and now_ms >= self.deadline_ms:
            self.deadline_ms = give_up_ms
            return self._probe(now_ms)
        return WAIT

    def _probe(self, now_ms: int) -> int:
        self.probing = True
        if self._owed_since_ms is None:
            self._owed_since_ms = now_ms
            self.deadline_ms = now_ms + 3 * self.busy_ms
        return PROBE
