"""What a bus knows of one unit (slave) on it: whether it answers, and how its reads must be cut."""

from edgelite_drivers.backoff import Backoff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SILENCE_MS_MIN = 2_000  # the first pause after a timeout
SILENCE_MS_MAX = 60_000  # a device that comes back is noticed within a minute


class Unit:
    def __init__(self, random_bytes: "Callable[[int], bytes]") -> None:
        self.cuts: set[tuple[str, int]] = set()  # see plan.py; at most one for each configured property
        self.silent_place: tuple[str, int] | None = None  # the span that brought no answer last: asked last next time
        self.silent_until_ms = 0
        self.silence = ""  # why it counts as silent; "" while it answers
        self._backoff = Backoff(SILENCE_MS_MIN, SILENCE_MS_MAX, random_bytes)

    def heard(self) -> None:
        self.silence = ""
        self._backoff.reset()

    def was_silent(self, reason: str, now_ms: int) -> None:
        self.silence = reason
        self.silent_until_ms = now_ms + self._backoff.pause_ms()

    def is_paused(self, now_ms: int) -> bool:
        return self.silence != "" and now_ms < self.silent_until_ms
