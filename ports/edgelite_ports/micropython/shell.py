"""The core put on a loop, for Linux and for bare metal: who calls whom in a round.

    shell = Shell(node, dispatcher, parts, monotonic_ms)
    while not node.stopped:
        loop.wait(shell.step())

or, in a firmware that has asyncio already: `asyncio.create_task(run_async(shell, loop))`.
"""

from edgelite.node import earliest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edgelite.node import Node
    from edgelite_ports.micropython.loop import Loop

ROUNDS_MAX = 100  # of effects and their immediate completions before the loop looks at descriptors again
ASYNC_WAIT_MS_MAX = 50  # how long bytes may wait for `run_async`, which shares its loop and so cannot sleep in poll


class Shell:
    """`parts` are whatever else acts by time, `step(now_ms) -> deadline`: connections, logs. `runtimes`, and a worker
    that takes steps, act before the core, because what ends in them is for it to tell."""

    def __init__(
        self,
        node: "Node",
        dispatcher: "Any",
        parts: "list[Any]",
        monotonic_ms: "Callable[[], int]",
        runtimes: "list[Any] | None" = None,
    ) -> None:
        self.node = node
        self._dispatcher = dispatcher
        self._parts = parts
        self._runtimes = runtimes or []
        self._monotonic_ms = monotonic_ms

    def step(self) -> "int | None":
        """Let the core do all that it can now; when to call again if nothing is ready before, None for never."""
        for _ in range(ROUNDS_MAX):
            now_ms = self._monotonic_ms()
            runtimes_ms = earliest([runtime.step(now_ms) for runtime in self._runtimes])
            node_ms = self.node.step(now_ms)
            if not self._dispatcher.run_effects():
                parts_ms = earliest([part.step(now_ms) for part in self._parts])
                return earliest([runtimes_ms, node_ms, parts_ms])
        return self._monotonic_ms()  # look at the descriptors, then go on at once


async def run_async(shell: Shell, loop: "Loop") -> None:
    """Run until the node has stopped, as one task among others of an asyncio firmware."""
    import asyncio

    while not shell.node.stopped:
        deadline_ms = shell.step()
        loop.wait(0)  # what is ready, without sleeping
        wait_ms = ASYNC_WAIT_MS_MAX if deadline_ms is None else loop.milliseconds_to(deadline_ms)
        await asyncio.sleep(min(max(wait_ms, 0), ASYNC_WAIT_MS_MAX) / 1000)
