"""Waiting: descriptors, signals and one deadline, with `poll()`.

The loop knows nothing of edgelite. It sleeps until a descriptor is ready or the deadline has come, and never
wakes for anything else: an idle agent costs no CPU.
"""

import _signal  # type: ignore[import-not-found]  # what signal.py wraps; that would bring enum
import os
import select

from edgelite_ports.linux.clock import monotonic_ms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

READABLE = select.POLLIN
WRITABLE = select.POLLOUT
_WAIT_MS_MAX = 24 * 3600 * 1000  # poll() takes an int; waking once a day harms nothing


class Loop:
    def __init__(self) -> None:
        self._poll = select.poll()
        self._handlers: dict[int, Callable[[int], None]] = {}

    def register(self, descriptor: int, events: int, handler: "Callable[[int], None]") -> None:
        """Call `handler(events)` when the descriptor is ready; POLLHUP and POLLERR come unasked."""
        self._handlers[descriptor] = handler
        self._poll.register(descriptor, events)

    def modify(self, descriptor: int, events: int) -> None:
        self._poll.modify(descriptor, events)

    def unregister(self, descriptor: int) -> None:
        del self._handlers[descriptor]
        self._poll.unregister(descriptor)

    def wait(self, deadline_ms: "int | None") -> None:
        """Sleep until something is ready or the deadline has come, then run the handlers once each."""
        for descriptor, events in self._poll.poll(_timeout_ms(deadline_ms)):
            handler = self._handlers.get(descriptor)
            if handler is not None:  # an earlier handler of this round may have closed it
                handler(events)


def _timeout_ms(deadline_ms: "int | None") -> "int | None":
    if deadline_ms is None:
        return None
    return min(max(deadline_ms - monotonic_ms(), 0), _WAIT_MS_MAX)


def _note(_number: int, _frame: object) -> None:
    """The wakeup descriptor carries the news; Python only wants some handler."""


class Signals:
    """Signals as bytes on a pipe: `numbers()` gives those that came since the last call."""

    def __init__(self, numbers: "tuple[int, ...]") -> None:
        self.descriptor, self._write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        _signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        self._old = [(number, _signal.signal(number, _note)) for number in numbers]

    def numbers(self) -> "list[int]":
        try:
            data = os.read(self.descriptor, 512)
        except BlockingIOError:
            return []
        return sorted(set(data))

    def close(self) -> None:
        _signal.set_wakeup_fd(-1)
        for number, handler in self._old:
            _signal.signal(number, handler)
        os.close(self.descriptor)
        os.close(self._write_end)
