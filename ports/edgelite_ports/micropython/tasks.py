"""The runtime `task`: workloads that are functions of the firmware, run by the agent itself, one step at a time.

    from edgelite_ports.micropython import tasks

    async def blink(task):
        period_ms = int(task.environment.get("PERIOD_MS", "500"))
        while True:
            led.toggle()
            task.print("toggled")
            await tasks.sleep_ms(period_ms)

    tasks.register("blink", blink)

A task is a coroutine function, or a generator function (`yield 500` in place of `await`), that takes one `Task`. The
first word of the Pod's command names it: "blink", or "module:function" for one that need not be registered. It needs no
asyncio, and runs beside asyncio's own tasks where the agent does; asyncio's functions do not work in it: another
scheduler steps it.

    its function returns          exit code 0
    it raises SystemExit(n)       exit code n
    it raises anything else       exit code 1, with the error as message; the traceback is in its log
    it shall stop                 TaskStopped is raised where it waits; it may clean up, and wait while it does
    the grace period has passed   it is closed, and dropped if it resists

Between two waits a task has the node for itself. One that never waits cannot be stopped, and holds up the agent: the
watchdog then restarts the node, and the backoff keeps the task away for longer each time. A step that takes longer than
HELD_MS is told in the node's log.
"""

import sys

from edgelite_ports.common.environment import expand, own_variables
from edgelite_protocol.errors import MisuseError
from edgelite_protocol.messages import (
    CONTAINER_COMMAND,
    CONTAINER_DIGEST,
    CONTAINER_ENVIRONMENT,
    CONTAINER_FILES,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from edgelite.effects import AdoptUnit, RemoveWorkload, SignalUnit, StartUnit
    from edgelite.supervisor import Supervisor
    from edgelite_ports.micropython.ring_log import RingLog, RingLogs

TASKS_MAX = 8  # at once, unless the firmware says otherwise: each has a ring of output, and each delays the others
HELD_MS = 1000  # a keepalive comes to no harm, but a person should know
SIGNAL_KILL = 9
SIGNAL_TERMINATE = 15
EXIT_BY_SIGNAL = 128  # as a shell has it: 128 + the signal

_factories: "dict[str, Callable[[Task], Any]]" = {}


class TaskStopped(BaseException):
    """Raised inside a task that shall stop. No Exception, so that `except Exception` in its loop lets it pass."""


class _Sleep:
    def __init__(self, duration_ms: int) -> None:
        self._duration_ms = duration_ms

    def __await__(self) -> "Generator[int, None, None]":
        yield self._duration_ms

    __iter__ = __await__  # what MicroPython's `await` calls


def sleep_ms(duration_ms: int) -> _Sleep:
    """`await sleep_ms(500)` in a coroutine; a generator says `yield 500`. 0 lets the others run."""
    return _Sleep(duration_ms)


def register(name: str, factory: "Callable[[Task], Any]") -> None:
    """Let workloads name this function; MisuseError for a name that is taken or cannot be told from a module's."""
    if not name or ":" in name:
        raise MisuseError('"%s" is no name for a task: use one without a colon' % name)
    if name in _factories:
        raise MisuseError("a task %s is registered already" % name)
    _factories[name] = factory


def unregister(name: str) -> None:
    """What runs of it goes on."""
    _factories.pop(name, None)


class StartError(Exception):
    """`reason` is a word for a status, `message` for a person."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Task:
    """What a task's function is given: `arguments` (the words behind its name), `environment`, `files` (content by
    mount path, of ConfigMaps and Secrets), and `print` for its log."""

    def __init__(
        self,
        unit: str,
        words: "list[str]",
        environment: "dict[str, str]",
        files: "dict[str, bytes]",
        output: "RingLog",
    ) -> None:
        self.unit = unit
        self.name = words[0]
        self.arguments = words[1:]
        self.environment = environment
        self.files = files
        self._output = output

    def print(self, *values: object) -> None:
        """One line of the log that `edgelite logs` shows."""
        self._output.write((" ".join([str(value) for value in values]) + "\n").encode())


class _Running:
    def __init__(self, task: Task, body: "Any", now_ms: int) -> None:
        self.task = task
        self.body = body
        self.wake_ms = now_ms
        self.shall_stop = False  # TaskStopped has yet to be raised in it
        self.has_held = False  # told once


class Tasks:
    """`node` is the node's name, `warn(text)` tells the person who runs it; `completions` is the core's Supervisor."""

    def __init__(
        self,
        completions: "Supervisor",
        logs: "RingLogs",
        node: str,
        monotonic_ms: "Callable[[], int]",
        warn: "Callable[[str], None]",
        tasks_max: int = TASKS_MAX,
    ) -> None:
        self._completions = completions
        self._logs = logs
        self._node = node
        self._monotonic_ms = monotonic_ms
        self._warn = warn
        self._tasks_max = tasks_max
        self._running: dict[str, _Running] = {}  # by unit

    # ---- effects

    def start(self, effect: "StartUnit") -> None:
        now_ms = self._monotonic_ms()
        try:
            task, body = self._make(effect)
        except StartError as error:
            self._completions.start_failed(effect.unit, error.reason, error.message, now_ms)
            return
        self._running[effect.unit] = _Running(task, body, now_ms)
        self._completions.started(effect.unit, {}, now_ms)

    def adopt(self, effect: "AdoptUnit") -> None:
        """A task lives in its agent, so nothing outlives that."""
        self._completions.lost(effect.unit, self._monotonic_ms())

    def signal(self, effect: "SignalUnit") -> None:
        running = self._running.get(effect.unit)
        if running is None:
            return
        if effect.signal == SIGNAL_KILL:
            _close(running.body)
            self._end(effect.unit, EXIT_BY_SIGNAL + SIGNAL_KILL, SIGNAL_KILL)
        else:
            running.shall_stop = True
            running.wake_ms = self._monotonic_ms()

    def remove(self, effect: "RemoveWorkload") -> None:
        self._logs.remove(effect.uid)

    # ---- the port's loop

    def step(self, now_ms: int) -> "int | None":
        """Let each task that is due run until it waits again; when the next one is due."""
        for unit in sorted(self._running):
            running = self._running.get(unit)
            if running is not None and running.wake_ms <= now_ms:
                self._step(unit, running)
        due = [running.wake_ms for running in self._running.values()]
        return min(due) if due else None

    def units(self) -> "list[str]":
        return sorted(self._running)

    def close(self) -> None:
        """The agent ends, and its tasks with it: `finally` runs, nobody waits."""
        for running in self._running.values():
            _close(running.body)
        self._running.clear()

    # ---- inside

    def _make(self, effect: "StartUnit") -> "tuple[Task, Any]":
        container: Any = effect.container
        if CONTAINER_DIGEST in container:
            raise StartError("InvalidImage", "a task is part of the firmware: its image is `host`")
        if len(self._running) >= self._tasks_max:
            raise StartError("TaskLimit", "this node runs %d tasks at most" % self._tasks_max)
        environment = own_variables(self._node, effect.workload)
        declared = container.get(CONTAINER_ENVIRONMENT, {})
        environment.update({name: expand(declared[name], environment) for name in declared})
        words = [expand(word, environment) for word in container[CONTAINER_COMMAND]]
        factory = _find(words[0])
        files = {path: content for path, content, _mode in container.get(CONTAINER_FILES, [])}
        task = Task(effect.unit, words, environment, files, self._logs.begin(effect.unit))
        return task, _call(factory, task)

    def _step(self, unit: str, running: _Running) -> None:
        began_ms = self._monotonic_ms()
        try:
            if running.shall_stop:
                running.shall_stop = False
                asked = running.body.throw(TaskStopped())
            else:
                asked = running.body.send(None)
        except KeyboardInterrupt:
            raise  # for whoever runs the agent at a terminal
        except StopIteration:
            self._end(unit, 0, 0)
        except TaskStopped:
            self._end(unit, EXIT_BY_SIGNAL + SIGNAL_TERMINATE, SIGNAL_TERMINATE)
        except SystemExit as error:
            self._end(unit, _exit_code(error), 0)
        except BaseException as error:  # noqa: BLE001 - whatever a task raises, the agent and the others go on
            _print_traceback(error, running.task)
            self._end(unit, 1, 0, describe(error))
        else:
            self._wait(unit, running, asked)
        self._watch(running, self._monotonic_ms() - began_ms)

    def _wait(self, unit: str, running: _Running, asked: "Any") -> None:
        if asked is None:
            asked = 0
        if not isinstance(asked, int):
            text = (
                "a task waits for milliseconds, not for %s: asyncio's functions do not work in it"
                % type(asked).__name__
            )
            running.task.print(text)
            _close(running.body)
            self._end(unit, 1, 0, text)
            return
        running.wake_ms = self._monotonic_ms() + max(0, asked)

    def _watch(self, running: _Running, held_ms: int) -> None:
        if held_ms > HELD_MS and not running.has_held:
            running.has_held = True
            self._warn("task %s of %s held the node for %d ms" % (running.task.name, running.task.unit, held_ms))

    def _end(self, unit: str, exit_code: int, signal: int, message: str = "") -> None:
        del self._running[unit]
        self._completions.exited(unit, exit_code, signal, self._monotonic_ms(), message)


def _find(word: str) -> "Callable[[Task], Any]":
    factory = _factories.get(word)
    if factory is not None:
        return factory
    module_name, colon, name = word.partition(":")
    if not colon:
        known = ", ".join(sorted(_factories)) or "none"
        text = 'no task "%s" in this firmware (it has: %s); "module:function" names one in a module' % (word, known)
        raise StartError("CommandNotFound", text)
    try:
        module = __import__(module_name, None, None, (name,))
    except ImportError as error:
        raise StartError("CommandNotFound", "%s: %s" % (word, describe(error))) from error
    except Exception as error:  # a module may fail in any way while it is imported
        raise StartError("TaskError", "%s: %s" % (word, describe(error))) from error
    found: Callable[[Task], Any] | None = getattr(module, name, None)
    if found is None:
        raise StartError("CommandNotFound", "%s: the module has no %s" % (word, name))
    return found


def _call(factory: "Callable[[Task], Any]", task: Task) -> "Any":
    try:
        body = factory(task)
    except Exception as error:
        raise StartError("TaskError", "%s: %s" % (task.name, describe(error))) from error
    if not hasattr(body, "send") or not hasattr(body, "throw"):
        raise StartError("NotATask", "%s is no coroutine function and no generator function" % task.name)
    return body


def _close(body: "Any") -> None:
    """`finally` and `except GeneratorExit` run; one that waits even then is left where it is."""
    try:
        body.close()
    except Exception:  # noqa: BLE001 - it is to be dropped, whatever it says to that
        return


def _exit_code(error: SystemExit) -> int:
    """As for a process: none is 0, a text is 1."""
    code = error.args[0] if error.args else 0
    if code is None:
        return 0
    return code & 0xFF if isinstance(code, int) else 1


def describe(error: BaseException) -> str:
    """A traceback's last line."""
    text = str(error)
    return type(error).__name__ + (": " + text if text else "")


def _print_traceback(error: BaseException, task: Task) -> None:
    show: Any = getattr(sys, "print_exception", None)  # MicroPython's
    if show is not None:
        import io  # what fails is seldom

        text = io.StringIO()
        show(error, text)
        task.print(text.getvalue().rstrip("\n"))
        return
    trace = error.__traceback__
    while trace is not None:
        task.print('  File "%s", line %d' % (trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    task.print(describe(error))
