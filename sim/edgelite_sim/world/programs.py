"""A user's own programs as simulated processes: Python functions and coroutines, in virtual time.

    async def dosing(process):
        while True:
            level = process.twin("default/tank", "level")
            if level is not None and level < 0.5:
                process.want("default/pump", "speed", 900)
            await asyncio.sleep(10)

    world.programs["python3 -m dosing"] = dosing

A Pod whose command begins with these words runs it. A coroutine may use of asyncio what needs no network: sleep, tasks,
events, queues, timeouts. It ends as a process does: code 0 when it returns, `process.exit(3)` or `sys.exit(3)`, code 1
and a traceback in its log where it raises. A plain function is called once; its process ends when no `process.after` of
it is left. Python's own clocks are this machine's: ask `process.now_ms` and `unix_ms`, which are the node's.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import traceback
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from edgelite.devices.twin import GOOD
from edgelite.driver import ConfigurationError
from edgelite_protocol.errors import MisuseError
from edgelite_sim.devices.virtual_loop import VirtualLoop
from edgelite_sim.world.queue import Event
from edgelite_sim.written import units

if TYPE_CHECKING:
    from edgelite.node import Node
    from edgelite_sim.world.node import SimNode

LINE_BYTES_MAX = 4096  # of a line in a log
TIMERS_MAX = 1000  # of one process
WAKING_MS = 1000  # how often it is asked whether a machine that sleeps has woken: what was due comes so late at most

Program = Callable[["SimProcess"], "Coroutine[Any, Any, object] | object"]


class Machine(Protocol):
    """What the kernel does for one process (processes.py)."""

    def after(self, delay_ms: int, call: Callable[[], object]) -> Event: ...
    def write(self, data: bytes) -> None: ...
    def end(self, code: int) -> None: ...


class Programs(dict[str, Program]):
    """By the words that a command begins with; the longest that fit count."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[str] = []  # what programs raised: where, and the traceback
        # Killed ones stay as they were: thrown away, Python would let them run their `finally`, as no kernel does.
        self.killed: list[VirtualLoop] = []

    def find(self, words: Sequence[str]) -> tuple[Program, list[str]] | None:
        """The program of a command, and its arguments."""
        for count in range(len(words), 0, -1):
            program = self.get(" ".join(words[:count]))
            if program is not None:
                return program, list(words[count:])
        return None


class SimProcess:
    """What a program is given: its process on a simulated node."""

    def __init__(self, node: SimNode, program: Program, arguments: list[str], environment: dict[str, str]) -> None:
        self.node = node.name
        self.arguments = arguments
        self.environment = environment
        self.on_terminate: Callable[[], object] | None = None  # called in place of the end that SIGTERM is otherwise
        self._node = node
        self._program = program
        self._machine: Machine | None = None  # None once it has ended
        self._loop: VirtualLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._loop_event: Event | None = None
        self._timers: list[Event] = []

    # ---- for programs

    @property
    def now_ms(self) -> int:
        """The node's monotonic clock."""
        return self._node.monotonic_ms()

    @property
    def unix_ms(self) -> int:
        """The node's calendar, right or wrong."""
        return self._node.clock.unix_ms()

    def log(self, text: str) -> None:
        """A line of its output."""
        if self._machine is not None:
            self._machine.write(text.encode()[: LINE_BYTES_MAX - 1] + b"\n")

    def exit(self, code: int = 0) -> NoReturn:
        sys.exit(code)

    def after(self, delay: int | str, call: Callable[[], object]) -> Event:
        """Milliseconds, or text such as "10s". MisuseError beyond TIMERS_MAX."""
        self._timers = [event for event in self._timers if event.call is not None]
        if len(self._timers) >= TIMERS_MAX:
            raise MisuseError("a process has at most %d timers" % TIMERS_MAX)
        delay_ms = units.as_ms(delay)
        if self._machine is None:
            return Event(0, call)  # it has ended: nothing will happen
        event = self._machine.after(delay_ms, lambda: self._timer(call))
        self._timers.append(event)
        return event

    def twin(self, device: str, property: str) -> Any:
        """The last value that the node has read of a device ("namespace/name"). None while there is none: it was not
        read yet or badly, there is no such device, or the agent does not run."""
        agent = self._agent()
        view = agent.devices.view(device) if agent is not None else None
        twin = view.twins.get(property) if view is not None else None
        return twin.value if twin is not None and twin.quality == GOOD else None

    def want(self, device: str, property: str, value: int | float | bool | str) -> bool:
        """A local desired value (docs/twins.md). False while no agent takes it; ConfigurationError says why it cannot
        be."""
        agent = self._agent()
        if agent is None:
            return False
        text = str(value).lower() if isinstance(value, bool) else str(value)
        refused: list[ConfigurationError] = []

        def ask() -> None:
            try:
                agent.devices.want_locally(device, property, text, self._node.monotonic_ms())
            except ConfigurationError as error:
                refused.append(error)

        self._node.guarded(ask)
        if refused:
            raise refused[0]
        self._node.wake()
        return self._node.node is agent

    # ---- for the kernel

    def begin(self, machine: Machine) -> None:
        self._machine = machine
        self._guard(self._begin)

    def terminate(self) -> bool:
        """SIGTERM. False where it does what it does to any process."""
        if self.on_terminate is None:
            return False
        self._guard(self.on_terminate)
        self._turn()
        return True

    def ended(self) -> None:
        """Nothing of it happens any more, whatever ended it."""
        self._machine = None
        if self._loop is not None:
            self._node.world.programs.killed.append(self._loop)

    # ---- inside

    def _agent(self) -> Node | None:
        """One that answers."""
        return None if self._machine is None or self._node.hangs else self._node.node

    def _begin(self) -> None:
        found = self._program(self)
        if inspect.iscoroutine(found):
            self._loop = VirtualLoop.begin(self._node.queue.now_ms)
            self._task = self._loop.spawn(found)
        self._turn()

    def _timer(self, call: Callable[[], object]) -> None:
        if self._machine is not None and self._node._sleeps:
            self._timers.append(self._machine.after(WAKING_MS, lambda: self._timer(call)))
            return
        self._guard(call)
        self._turn()

    def _turn(self) -> None:
        """Let a coroutine go on, and see whether anything is left to be done."""
        if self._loop is not None and self._machine is not None and self._node._sleeps:
            self._loop_event = self._machine.after(WAKING_MS, self._turn)
        elif self._loop is not None:
            self._guard(self._turn_loop)
        elif self.on_terminate is None and not any(event.call is not None for event in self._timers):
            self._end(0)

    def _turn_loop(self) -> None:
        loop, task = self._loop, self._task
        if loop is None or task is None:
            return
        deadline_ms = loop.run(self._node.queue.now_ms)
        if loop.errors:
            context = loop.errors.pop(0)
            raise context.get("exception") or RuntimeError(context.get("message"))
        if self._machine is None:
            return  # what it asked for has cost the node its power
        if task.done():
            task.result()
            self._end(0)
            return
        if self._loop_event is not None:
            self._loop_event.cancel()
        if deadline_ms is not None:
            delay_ms = max(deadline_ms - self._node.queue.now_ms, 0)
            self._loop_event = self._machine.after(delay_ms, self._turn)

    def _guard(self, call: Callable[[], object]) -> None:
        """What a program raises is its own end, not the world's."""
        if self._machine is None:
            return
        if self._loop is not None:
            self._loop.reach(self._node.queue.now_ms)  # else what is called now would count from its last turn
        try:
            call()
        except SystemExit as error:
            self._end(_code(error.code))
        except asyncio.CancelledError:
            self._end(1)
        except Exception as error:  # noqa: BLE001 - anybody's code: it is told, and the process ends of it
            text = "".join(traceback.format_exception(error))
            self._node.world.programs.errors.append(f"a program on {self.node}, {self._node.queue.now_ms} ms:\n{text}")
            self.log(text.rstrip())
            self._end(1)

    def _end(self, code: int) -> None:
        """As asyncio.run ends: what still waits is cancelled first."""
        loop, self._loop = self._loop, None
        if loop is not None:
            try:
                loop.close()
            except SystemExit:
                pass  # it is about to end anyway
        machine, self._machine = self._machine, None
        if machine is not None:
            machine.end(code)


def _code(code: object) -> int:
    """As Python makes an exit code of what `sys.exit` was given."""
    return 0 if code is None else code & 0xFF if isinstance(code, int) else 1
