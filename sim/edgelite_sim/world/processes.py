"""The runtime `process` in virtual time: what a kernel, a keeper and the port's watching of both amount to.

A process does what its command says (behaviour.py), and belongs to the machine, not to the agent: it goes on while no
agent runs, its exit status is kept for the next one, and a power cut ends it without a word. Identity is what the real
runtime has (`edgelite_ports/posix/processes.py`): pid and start time of a shim and of the process.

    StartUnit -> STARTING -> ALIVE -> ENDED, until an agent has heard of the end
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from edgelite.effects import AdoptUnit, RemoveWorkload, SignalUnit, StartUnit
from edgelite.supervisor.unit import IDENTITY_PID, IDENTITY_SHIM_PID, IDENTITY_SHIM_START, IDENTITY_START
from edgelite_protocol.errors import MisuseError
from edgelite_protocol.messages import (
    CONTAINER_COMMAND,
    CONTAINER_DIGEST,
    CONTAINER_ENVIRONMENT,
    WORKLOAD_GENERATION,
    WORKLOAD_NAME,
    WORKLOAD_NAMESPACE,
)
from edgelite_sim.world.behaviour import RUNS, Behaviour, BehaviourError, parse, parse_own
from edgelite_sim.world.queue import Event, EventQueue

SIGNAL_KILL, SIGNAL_TERMINATE = 9, 15
EXIT_BY_SIGNAL = 128
EXIT_UNKNOWN = (-1, 0)
PID_FIRST, PID_LAST = 300, 32767
PROCESSES_MAX = 4096  # what a small kernel takes: each of 128 KiB, of 512 MiB
START_TIMEOUT_MS = 10_000  # as the real runtime waits for a process
START_MS = (5, 40)  # what a start takes, on a PC and on a busy small board
KILL_MS = 1
TICK_MS = 10  # start times are in the kernel's ticks

# What a process is
STARTING = 0  # forked; nobody sees yet who it is
ALIVE = 1
ENDED = 2  # its exit status is kept until an agent has heard it


class Output(Protocol):
    """Where processes write (logs.py)."""

    def begin(self, unit: str) -> None: ...
    def write(self, unit: str, data: bytes) -> None: ...
    def remove(self, uid: str) -> None: ...


@dataclass(frozen=True)
class Running:
    """What is really there, whatever anyone believes. `since_ms` is the world's time."""

    workload: str  # "namespace/name"
    uid: str
    unit: str
    generation: int
    since_ms: int
    pid: int
    children: int


class Program(Protocol):
    """A user's own program in a process (programs.py). `machine` is an `_Machine`."""

    def begin(self, machine: Any) -> None: ...
    def terminate(self) -> bool: ...
    def ended(self) -> None: ...


class _Process:
    def __init__(self, effect: StartUnit, behaviour: Behaviour, now_ms: int) -> None:
        self.unit = effect.unit
        self.form = effect.container
        self.workload = workload_name(effect.workload)
        generation: Any = effect.workload.get(WORKLOAD_GENERATION, 0)
        self.generation: int = generation
        self.behaviour = behaviour
        self.phase = STARTING
        self.since_ms = now_ms
        self.pids = [0, 0]  # of the shim and of the process
        self.start_ticks = 0
        self.has_shim = True  # without one nobody keeps the exit status
        self.is_watched = True  # the agent that runs now has started or found it
        self.is_ending = False
        self.end = EXIT_UNKNOWN
        self.events: list[Event] = []
        self.program: Program | None = None
        self.successor: StartUnit | None = None  # started when this one has been cleared away

    def identity(self) -> dict[int, object]:
        shim_pid, pid = self.pids
        return {
            IDENTITY_SHIM_PID: shim_pid,
            IDENTITY_SHIM_START: self.start_ticks,
            IDENTITY_PID: pid,
            IDENTITY_START: self.start_ticks,
        }

    def cancel(self) -> None:
        for event in self.events:
            event.cancel()
        self.events.clear()
        program, self.program = self.program, None
        if program is not None:
            program.ended()


class _Machine:
    """What a kernel does for one process with a program."""

    def __init__(self, processes: SimProcesses, process: _Process) -> None:
        self._processes = processes
        self._process = process

    def after(self, delay_ms: int, call: Callable[[], object]) -> Event:
        process = self._process
        event = self._processes._queue.after(delay_ms, call)
        process.events = [one for one in process.events if one.call is not None]
        process.events.append(event)
        return event

    def write(self, data: bytes) -> None:
        if self._processes.output is not None:
            self._processes.output.write(self._process.unit, data)

    def end(self, code: int) -> None:
        self._processes._end(self._process, code, 0)


class SimProcesses:
    """`supervisor` is the core's, of the agent that runs now, None while none does; set it anew for each agent.
    `tell(workload, unit, what)` hears what `Observer.unit` does. `monotonic_ms` is the
    node's clock, `woken` is called behind each completion that came by itself, `artifacts` has `root(digest)`, and
    `output` takes what processes write, `find_program(words, environment)` finds a user's own; all may be set
    later."""

    def __init__(
        self,
        queue: EventQueue,
        draw: Random,
        supervisor: Any,
        tell: Callable[[str, str, str], object],
        node: str,
    ) -> None:
        self.node = node
        self.monotonic_ms: Callable[[], int] = lambda: queue.now_ms
        self.woken: Callable[[], object] = lambda: None
        self.artifacts: Any = None
        self.output: Output | None = None
        self.find_program: Callable[[list[str], dict[str, str]], Program | None] = lambda words, environment: None
        self._queue = queue
        self._draw = draw
        self._tell = tell
        self._processes: dict[str, _Process] = {}  # by unit
        self._imposed: dict[str, Behaviour] = {}  # by workload
        self._free_bytes: int | None = None  # of memory, for all processes together; None: enough
        self._held: list[Callable[[], None]] | None = None  # what an agent that hangs would have heard
        self._supervisor: Any = supervisor
        self._boot_ms = queue.now_ms
        self._next_pid = draw.randint(PID_FIRST, 2 * PID_FIRST)

    @property
    def supervisor(self) -> Any:
        return self._supervisor

    @supervisor.setter
    def supervisor(self, supervisor: Any) -> None:
        """Another agent, or None for none: it knows of no process until it has started or adopted it."""
        self._supervisor = supervisor
        self._held = None
        for process in self._processes.values():
            process.is_watched = False

    # ---- effects

    def start(self, effect: StartUnit) -> None:
        """Unless it runs already: an agent that died between a start and its record left it behind."""
        process = self._processes.get(effect.unit)
        if process is None or process.phase == ENDED:
            self._launch(effect)
        elif process.form != effect.container:
            process.is_watched = process.is_ending = True
            process.successor = effect
            self._end_later(process, KILL_MS, SIGNAL_KILL + EXIT_BY_SIGNAL, SIGNAL_KILL)
        else:
            process.is_watched = True
            if process.phase == ALIVE:
                self._say_started(process)

    def adopt(self, effect: AdoptUnit) -> None:
        process = self._processes.get(effect.unit)
        is_it = process is not None and process.phase != STARTING
        if process is None or not is_it or (effect.identity and effect.identity != process.identity()):
            self._supervisor.lost(effect.unit, self.monotonic_ms())
            return
        process.is_watched = True
        self._say_started(process)
        if process.phase == ENDED:
            self._say_ended(process)

    def signal(self, effect: SignalUnit) -> None:
        process = self._processes.get(effect.unit)
        if process is None or not process.is_watched or process.phase != ALIVE:
            return
        self._tell(process.workload, process.unit, "signalled %d" % effect.signal)
        behaviour = process.behaviour
        is_own = effect.signal == SIGNAL_TERMINATE and process.program is not None and not process.is_ending
        if is_own and process.program is not None and process.program.terminate():
            return
        if effect.signal == SIGNAL_KILL:
            process.is_ending = True
            self._end_later(process, KILL_MS, EXIT_BY_SIGNAL + SIGNAL_KILL, SIGNAL_KILL)
        elif effect.signal == SIGNAL_TERMINATE and behaviour.heeds_term and not process.is_ending:
            process.is_ending = True
            code, signal = (0, 0) if behaviour.handles_term else (EXIT_BY_SIGNAL + SIGNAL_TERMINATE, SIGNAL_TERMINATE)
            self._end_later(process, behaviour.term_ms, code, signal)

    def remove(self, effect: RemoveWorkload) -> None:
        """What is left of it: exit statuses that nobody asked for, starts that were given up, and logs."""
        for unit in sorted(self._processes):
            process = self._processes[unit]
            if unit.partition("/")[0] == effect.uid and process.phase != ALIVE:
                process.cancel()  # a shim that comes up now finds no directory to run in
                del self._processes[unit]
        if self.output is not None:
            self.output.remove(effect.uid)

    # ---- faults

    def misbehave(self, workload: str, behaviour: str | Sequence[str]) -> None:
        """What runs of "namespace/name", and what is started of it until `behave`, does this in place of what its
        command says: "crashes --every 10m". BehaviourError."""
        words = behaviour.split() if isinstance(behaviour, str) else list(behaviour)
        imposed = self._imposed[workload] = parse_own(words)
        for process in self._alive():
            if process.workload == workload:
                self._behave(process, imposed)
        self._kill_for_memory()

    def behave(self, workload: str = "") -> None:
        """End that, of all workloads unless one is named. What runs goes on as its command says."""
        for name in [workload] if workload else sorted(self._imposed):
            if self._imposed.pop(name, None) is not None:
                for process in self._alive():
                    if process.workload == name:
                        self._behave(process, parse(_command(process.form)))

    def memory_pressure(self, free_bytes: int | None) -> None:
        """All processes together have so much from now on, None for enough: the largest are killed (137)."""
        self._free_bytes = free_bytes
        self._kill_for_memory()

    def kill(self, unit: str) -> bool:
        """SIGKILL, from somebody on the machine. False where nothing of it runs."""
        process = self._processes.get(unit)
        if process is None or process.phase != ALIVE:
            return False
        self._end(process, EXIT_BY_SIGNAL + SIGNAL_KILL, SIGNAL_KILL)
        return True

    def kill_shim(self, unit: str) -> bool:
        """Who keeps the exit status is killed; the process goes on. False where nothing of it runs."""
        process = self._processes.get(unit)
        if process is None or process.phase != ALIVE:
            return False
        process.has_shim = False
        return True

    def lose_power(self) -> None:
        """Nothing survives, and pids and start times begin anew."""
        for unit in sorted(self._processes):
            process = self._processes[unit]
            process.cancel()
            if process.phase == ALIVE:
                self._tell(process.workload, unit, "lost power")
            process.phase = ENDED  # the power may go while it comes up: what it is told then writes to the flash
        self._processes.clear()
        self.supervisor = None
        self._boot_ms = self._queue.now_ms
        self._next_pid = self._draw.randint(PID_FIRST, 2 * PID_FIRST)

    def hold(self) -> None:
        """The agent hangs: what it would be told waits for `let_go`, or is forgotten with it."""
        if self._held is None:
            self._held = []

    def let_go(self) -> None:
        held, self._held = self._held or [], None
        for call in held:
            call()
        if held:
            self.woken()

    # ---- what is so, from outside the code under test

    def running(self) -> list[Running]:
        """In the order of their units."""
        return [
            Running(
                *(process.workload, process.unit.partition("/")[0], process.unit, process.generation),
                *(process.since_ms, process.pids[1], process.behaviour.children),
            )
            for process in self._alive()
        ]

    def process_count(self) -> int:
        """Shims and children included."""
        alive = [process for process in self._processes.values() if process.phase != ENDED]
        return sum(1 + process.has_shim + process.behaviour.children for process in alive)

    def memory_bytes(self) -> int:
        return sum(process.behaviour.memory_bytes for process in self._alive())

    def is_busy(self) -> bool:
        """Something eats all the CPU that there is."""
        return any(process.behaviour.is_busy for process in self._alive())

    # ---- inside: a start

    def _launch(self, effect: StartUnit) -> None:
        try:
            behaviour = self._imposed.get(workload_name(effect.workload)) or parse(_command(effect.container))
        except BehaviourError as error:
            self._fail_start(effect.unit, "InvalidCommand", str(error))
            return
        digest = effect.container.get(CONTAINER_DIGEST)
        if digest is not None and self.artifacts is not None and self.artifacts.root(digest) is None:
            self._fail_start(effect.unit, "ArtifactMissing", "the artifact is not unpacked here")
        elif not behaviour.exists:
            self._fail_start(effect.unit, "CommandNotFound", "no program " + _command(effect.container)[-1])
        elif self.process_count() + 2 + behaviour.children > PROCESSES_MAX:
            self._fail_start(effect.unit, "PlatformError", "Resource temporarily unavailable")
        else:
            self._fork(_Process(effect, behaviour, self._queue.now_ms))

    def _fork(self, process: _Process) -> None:
        self._processes[process.unit] = process
        start_ms = self._draw.randint(*START_MS) + process.behaviour.start_ms
        process.events.append(self._queue.after(start_ms, lambda: self._came_up(process)))
        if start_ms >= START_TIMEOUT_MS:
            self._queue.after(START_TIMEOUT_MS, lambda: self._give_up(process))

    def _give_up(self, process: _Process) -> None:
        """The runtime waits no longer. It comes up nevertheless, and is there when it is to be started again."""
        if process.phase == STARTING and process.is_watched:
            process.is_watched = False
            self._complete(lambda: self._fail_start(process.unit, "StartTimeout", "no process within 10 s"))

    def _came_up(self, process: _Process) -> None:
        process.phase = ALIVE
        process.since_ms = self._queue.now_ms
        process.start_ticks = (self._queue.now_ms - self._boot_ms) // TICK_MS
        process.pids = [self._new_pid(), self._new_pid()]
        if self.output is not None:
            self.output.begin(process.unit)
            self.output.write(process.unit, b"begun\n")
        self._tell(process.workload, process.unit, "started")
        if process.is_watched:
            self._complete(lambda: self._say_started(process))
        if process.phase == ALIVE:
            self._behave(process, self._imposed.get(process.workload) or process.behaviour)
            self._kill_for_memory()

    def _new_pid(self) -> int:
        taken = [pid for process in self._processes.values() for pid in process.pids]
        while True:
            pid = self._next_pid
            self._next_pid = PID_FIRST if pid == PID_LAST else pid + 1
            if pid not in taken:
                return pid

    # ---- inside: a life

    def _behave(self, process: _Process, behaviour: Behaviour) -> None:
        """From now on, in place of what it did."""
        if process.is_ending:
            return
        process.cancel()
        process.behaviour = behaviour
        if behaviour.end_after_ms is not None:
            code = EXIT_BY_SIGNAL + behaviour.signal if behaviour.signal else behaviour.exit_code
            self._end_later(process, behaviour.end_after_ms, code, behaviour.signal)
        if behaviour.says_every_ms is not None:
            process.events.append(self._queue.after(behaviour.says_every_ms, lambda: self._say(process, 1)))
        if behaviour is RUNS:
            self._begin_program(process)

    def _begin_program(self, process: _Process) -> None:
        rows: Any = process.form.get(CONTAINER_ENVIRONMENT, {})
        process.program = self.find_program(_command(process.form), dict(rows))
        if process.program is not None:
            process.program.begin(_Machine(self, process))

    def _say(self, process: _Process, number: int) -> None:
        if self.output is not None:
            self.output.write(process.unit, b"line %d\n" % number)
        every_ms = process.behaviour.says_every_ms
        if every_ms is not None:
            # Its own event is the last of the list; those before it may be an end that is due.
            process.events = [event for event in process.events if event.call is not None]
            process.events.append(self._queue.after(every_ms, lambda: self._say(process, number + 1)))

    def _kill_for_memory(self) -> None:
        """The largest first; of two alike the later unit."""
        while self._free_bytes is not None and self.memory_bytes() > self._free_bytes:
            largest = max(self._alive(), key=lambda process: (process.behaviour.memory_bytes, process.unit))
            self._end(largest, EXIT_BY_SIGNAL + SIGNAL_KILL, SIGNAL_KILL)

    def _alive(self) -> list[_Process]:
        return [self._processes[unit] for unit in sorted(self._processes) if self._processes[unit].phase == ALIVE]

    # ---- inside: an end

    def _end_later(self, process: _Process, delay_ms: int, code: int, signal: int) -> None:
        process.events.append(self._queue.after(delay_ms, lambda: self._end(process, code, signal)))

    def _end(self, process: _Process, code: int, signal: int) -> None:
        """It and its children: nothing of a group outlives its leader."""
        process.cancel()
        was_alive = process.phase == ALIVE
        process.phase = ENDED
        process.end = (code, signal) if process.has_shim else EXIT_UNKNOWN
        if was_alive:
            self._tell(process.workload, process.unit, "killed" if signal == SIGNAL_KILL else "exited %d" % code)
        if process.successor is not None and process.is_watched:
            successor = process.successor
            del self._processes[process.unit]
            self._complete(lambda: self._launch(successor))
        elif process.is_watched:
            self._complete(lambda: self._say_ended(process))

    # ---- inside: telling the core

    def _complete(self, call: Callable[[], None]) -> None:
        if self._supervisor is None:
            return
        if self._held is not None:
            self._held.append(call)
            return
        call()
        self.woken()

    def _say_started(self, process: _Process) -> None:
        self._supervisor.started(process.unit, process.identity(), self.monotonic_ms())

    def _say_ended(self, process: _Process) -> None:
        """The core has recorded it then, so that the next agent is not told again."""
        self._processes.pop(process.unit, None)
        code, signal = process.end
        self._supervisor.exited(process.unit, code, signal, self.monotonic_ms())

    def _fail_start(self, unit: str, reason: str, message: str) -> None:
        self._supervisor.start_failed(unit, reason, message, self.monotonic_ms())


def workload_name(form: dict[int, object]) -> str:
    """ "namespace/name"."""
    return f"{form.get(WORKLOAD_NAMESPACE, '')}/{form.get(WORKLOAD_NAME, '')}"


def _command(form: dict[int, object]) -> list[str]:
    command: Any = form[CONTAINER_COMMAND]
    if not command:
        raise MisuseError("a container's command is never empty")
    words: list[str] = command
    return words
