"""A task that tells how full the heap is, in its log:

command: ["edgelite_ports.micropython.boards.heap:report"]        env: PERIOD_MS (10000)
"""

import gc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from edgelite_ports.micropython.tasks import Task


def report(task: "Task") -> "Iterator[int]":
    """A line each period: bytes that are in use, of these garbage, and free ones before it was collected."""
    heap: Any = gc  # MicroPython's
    period_ms = int(task.environment.get("PERIOD_MS", "10000"))
    while True:
        before, free = heap.mem_alloc(), heap.mem_free()
        gc.collect()
        live = heap.mem_alloc()
        task.print("live %d garbage %d free %d" % (live, before - live, free))
        yield period_ms
