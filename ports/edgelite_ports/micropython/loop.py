"""Waiting: what can be polled, and one deadline.

The loop knows nothing of edgelite. It sleeps until something is ready or the deadline has come, and never wakes for
anything else. What can be polled is a descriptor's number on Linux, and a socket or UART elsewhere.
"""

import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

READABLE = 1  # the numbers of poll(2), which MicroPython has on every port
WRITABLE = 4
_WAIT_MS_MAX = 3600 * 1000  # a wait's end must fit what a 32-bit tick counter can tell apart


class Loop:
    def __init__(self, monotonic_ms: "Callable[[], int]") -> None:
        self._monotonic_ms = monotonic_ms
        self._poll = select.poll()
        self._handlers: dict[object, Callable[[int], None]] = {}

    def register(self, pollable: object, events: int, handler: "Callable[[int], None]") -> None:
        """Call `handler(events)` when it is ready; errors and hang-ups come unasked."""
        self._handlers[pollable] = handler
        self._poll.register(pollable, events)  # type: ignore[arg-type]

    def modify(self, pollable: object, events: int) -> None:
        self._poll.modify(pollable, events)  # type: ignore[arg-type]

    def unregister(self, pollable: object) -> None:
        del self._handlers[pollable]
        self._poll.unregister(pollable)  # type: ignore[arg-type]

    def has(self, pollable: object) -> bool:
        return pollable in self._handlers

    def wait(self, deadline_ms: "int | None") -> None:
        """Sleep until something is ready or the deadline has come, then run the handlers once each."""
        for ready in self._poll.poll(self._timeout_ms(deadline_ms)):
            handler = self._handlers.get(ready[0])
            if handler is not None:  # an earlier handler of this round may have closed it
                handler(ready[1])

    def milliseconds_to(self, deadline_ms: int) -> int:
        return deadline_ms - self._monotonic_ms()

    def _timeout_ms(self, deadline_ms: "int | None") -> int:
        if deadline_ms is None:
            return _WAIT_MS_MAX
        return min(max(self.milliseconds_to(deadline_ms), 0), _WAIT_MS_MAX)
