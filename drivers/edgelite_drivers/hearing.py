"""A bus for devices that speak by themselves and are never asked: a base for drivers.

A subclass says where messages end and what they hold; connections and their backoff, silence and who listens are here.
"""

from edgelite.driver import Bus, Request, Result
from edgelite_drivers.backoff import Backoff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Value = int | float | str | bool | bytes

RECONNECT_MS_MIN = 1_000
RECONNECT_MS_MAX = 30_000
MESSAGE_BYTES_MAX = 4096  # of one that has no end yet; its first bytes are dropped
RESULTS_MAX = 256  # that nobody has taken yet; more are dropped


class HearingBus(Bus):
    silence_ms = 0  # after so long without a value of a request its device is offline; 0: however long

    def __init__(self, random_bytes: "Callable[[int], bytes]") -> None:
        self._backoff = Backoff(RECONNECT_MS_MIN, RECONNECT_MS_MAX, random_bytes)
        self._listening: dict[int, Request] = {}
        self._silent_ms: dict[int, int] = {}  # by request, when it will have been silent for too long
        self._results: list[Result] = []
        self._input = b""
        self._is_open = False
        self._reopen_ms = 0

    # ---- what a subclass says

    def hear(self, received: bytes) -> "tuple[list[bytes], bytes]":
        """The whole messages in `received`, and what belongs to the next one."""
        raise NotImplementedError

    def value(self, visitor: object, message: bytes) -> "Value | None":
        """What the message says of this property; None for nothing. A message may be noise."""
        raise NotImplementedError

    # ---- driver contract

    def submit(self, request: Request, now_ms: int) -> None:
        errors = dict.fromkeys(request.visitors, "the device speaks by itself and cannot be asked")
        self._results.append(Result(request.number, {}, errors, True, now_ms))

    def listen(self, request: Request, now_ms: int) -> None:
        self._listening[request.number] = request
        self._wait(request.number, now_ms)

    def ignore(self, number: int, now_ms: int) -> None:
        self._listening.pop(number, None)
        self._silent_ms.pop(number, None)

    def next_result(self) -> "Result | None":
        return self._results.pop(0) if self._results else None

    def step(self, now_ms: int) -> "int | None":
        for number in list(self._silent_ms):
            if now_ms >= self._silent_ms[number]:
                self._wait(number, now_ms)
                if self._is_open:
                    self._fail(number, "nothing heard for %d ms" % self.silence_ms, now_ms)
        deadlines = list(self._silent_ms.values())
        if self._listening and not self._is_open and now_ms < self._reopen_ms:
            deadlines.append(self._reopen_ms)
        return min(deadlines) if deadlines else None

    def wants_open(self, now_ms: int) -> bool:
        return len(self._listening) > 0 and not self._is_open and now_ms >= self._reopen_ms

    def wants_close(self, now_ms: int) -> bool:
        return self._is_open and not self._listening

    # ---- channel

    def opened(self, now_ms: int) -> None:
        self._is_open = True
        self._input = b""
        for number in self._listening:
            self._wait(number, now_ms)

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        messages, rest = self.hear(self._input + bytes(data))
        self._input = rest[-MESSAGE_BYTES_MAX:]
        for message in messages:
            for number in self._listening:
                self._tell(number, message, now_ms)

    def data_to_send(self, size_bytes_max: int) -> bytes:
        return b""

    def closed(self, reason: str, now_ms: int) -> None:
        self._is_open = False
        self._reopen_ms = now_ms + self._backoff.pause_ms()
        for number in self._listening:
            self._fail(number, "no connection: " + reason, now_ms)

    def _tell(self, number: int, message: bytes, now_ms: int) -> None:
        values: dict[str, Value] = {}
        visitors = self._listening[number].visitors
        for name in visitors:
            value = self.value(visitors[name], message)
            if value is not None:
                values[name] = value
        if values and len(self._results) < RESULTS_MAX:
            self._backoff.reset()
            self._wait(number, now_ms)
            self._results.append(Result(number, values, {}, True, now_ms))

    def _wait(self, number: int, now_ms: int) -> None:
        if self.silence_ms > 0:
            self._silent_ms[number] = now_ms + self.silence_ms

    def _fail(self, number: int, error: str, now_ms: int) -> None:
        errors = dict.fromkeys(self._listening[number].visitors, error)
        self._results.append(Result(number, {}, errors, False, now_ms))
