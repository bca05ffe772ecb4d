"""Pauses between tries, for any driver."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Backoff:
    """Pauses that double from `minimum_ms` to `maximum_ms`, each drawn from its upper half, so that many that
    failed together do not come back together."""

    def __init__(self, minimum_ms: int, maximum_ms: int, random_bytes: "Callable[[int], bytes]") -> None:
        self._minimum_ms = minimum_ms
        self._maximum_ms = maximum_ms
        self._random_bytes = random_bytes
        self._next_ms = minimum_ms

    def reset(self) -> None:
        self._next_ms = self._minimum_ms

    def pause_ms(self) -> int:
        pause_ms = self._next_ms
        self._next_ms = min(2 * pause_ms, self._maximum_ms)
        drawn = self._random_bytes(2)
        return pause_ms // 2 + pause_ms * (drawn[0] << 8 | drawn[1]) // 0x20000
