"""A bus for devices that are asked one question at a time and whose answers carry no name: a base for drivers.

A subclass says what to ask and when an answer is whole; queue, timeouts, reconnects and their backoff are here. After
a timeout the connection is closed, so that a late answer cannot be taken for the next question's.
"""

from edgelite.driver import Bus, ConfigurationError, Request, Result
from edgelite_drivers.backoff import Backoff
from edgelite_protocol.errors import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Value = int | float | str | bool | bytes

RECONNECT_MS_MIN = 1_000
RECONNECT_MS_MAX = 30_000
ANSWER_BYTES_MAX = 4096  # a longer answer than this is none: the peer speaks another protocol


class ExchangeBus(Bus):
    timeout_ms = 1000

    def __init__(self, random_bytes: "Callable[[int], bytes]") -> None:
        self._backoff = Backoff(RECONNECT_MS_MIN, RECONNECT_MS_MAX, random_bytes)
        self._queue: list[Request] = []  # the first is the one that is asked
        self._results: list[Result] = []
        self._output = b""
        self._input = b""
        self._is_open = False
        self._must_close = ""
        self._failure = ""
        self._reopen_ms = 0
        self._deadline_ms: int | None = None

    # ---- what a subclass says

    def question(self, request: Request) -> bytes:
        """The bytes that ask for `request`; ConfigurationError where it cannot be asked."""
        raise NotImplementedError

    def answer(self, request: Request, received: bytes) -> "dict[str, Value] | None":
        """The values that `received` holds, by property name (one that is missing counts as an error), None while it
        is not whole; ProtocolError where it never will be."""
        raise NotImplementedError

    # ---- driver contract

    def submit(self, request: Request, now_ms: int) -> None:
        try:
            self.question(request)
        except ConfigurationError as error:
            self._finish(request, {}, error.text, True, now_ms)
            return
        if not self._is_open and now_ms < self._reopen_ms:
            self._finish(request, {}, self._failure, False, now_ms)
            return
        self._queue.append(request)
        if len(self._queue) == 1:
            self._ask(now_ms)

    def next_result(self) -> "Result | None":
        return self._results.pop(0) if self._results else None

    def step(self, now_ms: int) -> "int | None":
        if self._deadline_ms is not None and now_ms >= self._deadline_ms:
            text = "no answer within %d ms" % self.timeout_ms
            self._must_close = text if self._is_open else ""
            self._finish(self._queue.pop(0), {}, text, False, now_ms)
            self._ask(now_ms)
        return self._deadline_ms

    def wants_open(self, now_ms: int) -> bool:
        return not self._is_open and len(self._queue) > 0 and now_ms >= self._reopen_ms

    def wants_close(self, now_ms: int) -> bool:
        return self._is_open and self._must_close != ""

    # ---- channel

    def opened(self, now_ms: int) -> None:
        self._is_open = True
        self._must_close = ""
        self._ask(now_ms)

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        if not self._queue or self._must_close:
            return
        self._input += bytes(data)
        try:
            values = self.answer(self._queue[0], self._input)
            if values is None and len(self._input) > ANSWER_BYTES_MAX:
                raise ProtocolError("answer_too_long", "more than %d bytes" % ANSWER_BYTES_MAX)
        except ProtocolError as error:
            self._must_close = error.text
            return
        if values is not None:
            self._backoff.reset()
            self._finish(self._queue.pop(0), values, "the answer has no such value", True, now_ms)
            self._ask(now_ms)

    def data_to_send(self, size_bytes_max: int) -> bytes:
        data = self._output[:size_bytes_max]
        self._output = self._output[size_bytes_max:]
        return data

    def closed(self, reason: str, now_ms: int) -> None:
        self._failure = "no connection: " + (self._must_close or reason)
        self._is_open = False
        self._output = b""
        self._deadline_ms = None
        self._reopen_ms = now_ms + self._backoff.pause_ms()
        for request in self._queue:
            self._finish(request, {}, self._failure, False, now_ms)
        self._queue = []

    def _ask(self, now_ms: int) -> None:
        self._input = b""
        self._deadline_ms = now_ms + self.timeout_ms if self._queue else None
        if self._is_open and self._queue and not self._must_close:
            self._output += self.question(self._queue[0])

    def _finish(self, request: Request, values: "dict[str, Value]", error: str, answered: bool, now_ms: int) -> None:
        errors = {name: error for name in request.visitors if name not in values}
        self._results.append(Result(request.number, values, errors, answered, now_ms))
