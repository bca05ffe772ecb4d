"""Virtual time: what happens, when, and in which order. Nothing here sleeps or reads a clock."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush


class Event:
    """Something that is due. `cancel` it at any time; one that has happened takes no notice."""

    __slots__ = ("call", "time_ms")

    def __init__(self, time_ms: int, call: Callable[[], object]) -> None:
        self.time_ms = time_ms
        self.call: Callable[[], object] | None = call

    def cancel(self) -> None:
        self.call = None


class EventQueue:
    """Events happen in the order of their times, and at one time in the order in which they were asked for."""

    def __init__(self, now_ms: int = 0) -> None:
        self.now_ms = now_ms
        self.happened = 0  # how many events there were
        self._heap: list[tuple[int, int, Event]] = []
        self._count = 0

    def at(self, time_ms: int, call: Callable[[], object]) -> Event:
        """A time that has passed counts as now."""
        if time_ms < self.now_ms:
            time_ms = self.now_ms
        event = Event(time_ms, call)
        self._count += 1
        heappush(self._heap, (time_ms, self._count, event))
        return event

    def after(self, delay_ms: int, call: Callable[[], object]) -> Event:
        return self.at(self.now_ms + delay_ms, call)

    def run(self, until_ms: int) -> None:
        """Let everything happen that is due by then, that moment included; it is then that time."""
        heap = self._heap
        while heap and heap[0][0] <= until_ms:
            time_ms, _, event = heappop(heap)
            call = event.call
            if call is None:
                continue
            event.call = None
            self.now_ms = time_ms
            self.happened += 1
            call()
        self.now_ms = max(self.now_ms, until_ms)
