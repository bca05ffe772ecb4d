"""An asyncio event loop in virtual time, without descriptors: whoever owns it says what time it is, how far it runs.

    loop = VirtualLoop.begin(now_ms)
    loop.spawn(coroutine)
    loop.run(now_ms)                 everything that is due by then, in its order; the next deadline
    with loop.entered():             calls of what looks for the running loop

What becomes ready at one moment runs in the order in which it became so, timers in the order of their times and then of
their making: nothing depends on the machine, its clock or its load.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import math
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any

CALLS_MAX = 100_000  # at one moment: what has not come to rest then never will
NEAR_MS = 1e-6  # of the deadline: what floats of seconds are wrong by


class VirtualLoop(asyncio.AbstractEventLoop):
    def __init__(self, now_ms: int = 0) -> None:
        self.errors: list[dict[str, Any]] = []  # what nobody has caught
        self._now_ms: float = now_ms
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._count = 0
        self._tasks: set[asyncio.Task[Any]] = set()  # only so that they are kept; nothing goes through them in order
        self._is_closed = False

    # ---- for its owner

    @classmethod
    def begin(cls, now_ms: int = 0) -> VirtualLoop:
        """It has what asyncio's futures, tasks and timers ask for, and no descriptors, processes or signals."""
        return cls(now_ms)

    @contextmanager
    def entered(self) -> Iterator[None]:
        before = events._get_running_loop()
        events._set_running_loop(self)
        try:
            yield
        finally:
            events._set_running_loop(before)

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = self.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def run(self, now_ms: int) -> int | None:
        """RuntimeError where it does not come to rest, and what a callback raised."""
        with self.entered():
            self._run_ready()
            while self._timers and self._timers[0][0] <= now_ms + NEAR_MS:
                when_ms, _, handle = heapq.heappop(self._timers)
                if not handle.cancelled():
                    self._now_ms = max(self._now_ms, when_ms)
                    self._ready.append(handle)
                    self._run_ready()
        self._now_ms = max(self._now_ms, now_ms)
        return self.deadline_ms()

    def reach(self, now_ms: int) -> None:
        """It is that time, before anything runs: for calls into it that come from elsewhere."""
        self._now_ms = max(self._now_ms, now_ms)

    def deadline_ms(self) -> int | None:
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        if self._ready:
            return math.ceil(self._now_ms - NEAR_MS)
        return math.ceil(self._timers[0][0] - NEAR_MS) if self._timers else None

    def _run_ready(self) -> None:
        calls = 0
        while self._ready:
            handle = self._ready.popleft()
            if not handle.cancelled():
                handle._run()
            calls += 1
            if calls > CALLS_MAX:
                raise RuntimeError(f"no rest after {CALLS_MAX} calls at {self._now_ms:g} ms")

    # ---- what asyncio asks of a loop

    def time(self) -> float:
        return self._now_ms / 1000

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self._call_at_ms(self._now_ms + delay * 1000, callback, args, context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self._call_at_ms(when * 1000, callback, args, context)

    def _call_at_ms(
        self,
        when_ms: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
    ) -> asyncio.TimerHandle:
        when_ms = round(when_ms, 3)
        handle = asyncio.TimerHandle(when_ms / 1000, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._timers, (when_ms, self._count, handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Generator[Any, None, Any] | Coroutine[Any, Any, Any], *, name: str | None = None, **rest: Any
    ) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, name=name or "virtual", **rest)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(context)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return events._get_running_loop() is self

    def is_closed(self) -> bool:
        return self._is_closed

    def close(self) -> None:
        """End what is under way; whatever is called later does nothing."""
        with self.entered():
            for task in list(self._tasks):
                task.cancel()
            self._run_ready()
        self._ready.clear()
        self._timers.clear()
        self._is_closed = True

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is skipped when its time comes."""
