"""A monotonic clock out of MicroPython's ticks, which wrap after 12 days at the latest; boards have no other."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class TickClock:
    """Call it at least once in half of what the ticks take to wrap (6 days): the agent does at each round."""

    def __init__(self, ticks_ms: "Callable[[], int]", ticks_diff: "Callable[[int, int], int]") -> None:
        self._ticks_ms = ticks_ms
        self._ticks_diff = ticks_diff
        self._last = ticks_ms()
        self._now_ms = 0

    def __call__(self) -> int:
        ticks = self._ticks_ms()
        passed_ms = self._ticks_diff(ticks, self._last)
        if passed_ms > 0:
            self._now_ms += passed_ms
            self._last = ticks
        return self._now_ms
