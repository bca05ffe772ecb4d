"""Exponential backoff with full jitter: a fleet that lost its hub together must not come back together.

The delay before attempt n is drawn evenly from 0 to base * 2^n, at most the cap. Only success that lasted resets
it; its owner decides what lasted means, because a reset on connect defeats the jitter: a hub that accepts
everyone and then falls over would be stormed at the base rate.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_DOUBLINGS_MAX = 30  # base 1 ms reaches any sane cap before; keeps the integers small


class Backoff:
    def __init__(self, base_ms: int, cap_ms: int, random_bytes: "Callable[[int], bytes]") -> None:
        self.base_ms = base_ms
        self.cap_ms = cap_ms
        self.attempts = 0
        self._random_bytes = random_bytes

    def ceiling_ms(self) -> int:
        """The longest that the next delay may be."""
        return min(self.cap_ms, self.base_ms << min(self.attempts, _DOUBLINGS_MAX))

    def next_ms(self) -> int:
        """Draw the next delay and count the attempt."""
        ceiling_ms = self.ceiling_ms()
        self.attempts += 1
        return int.from_bytes(self._random_bytes(4), "big") * (ceiling_ms + 1) >> 32

    def slow_down(self) -> None:
        """The other side refused for a reason that time alone won't cure: the ceiling is the cap from now on."""
        while self.ceiling_ms() < self.cap_ms and self.attempts < _DOUBLINGS_MAX:
            self.attempts += 1

    def reset(self) -> None:
        self.attempts = 0
