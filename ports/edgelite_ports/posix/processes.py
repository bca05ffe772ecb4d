"""The runtime `process`: carries out StartUnit, AdoptUnit and SignalUnit.

A unit is started by the keeper (shim.py) and watched through its shim: a pidfd that `poll` reports when the shim
has written how the workload ended. Found again after a restart of the agent it is watched in the same way, because
the agent never was its parent. Where the shim itself was killed, the workload is watched instead, and its exit
status is unknown (-1). Where the kernel has no pidfd (before 5.3) a unit is looked at each second.

    the shim's pidfd is readable -> exit file -> the group is empty -> supervisor.exited
"""

from edgelite.supervisor.unit import IDENTITY_PID, IDENTITY_SHIM_PID, IDENTITY_SHIM_START, IDENTITY_START
from edgelite_ports.posix import proc, system
from edgelite_ports.posix.command import StartError
from edgelite_ports.posix.files import (
    EPERM,
    ESRCH,
    join,
    read_if_there,
    read_whole,
    reason,
    remove_tree,
    text_of,
    unlink_if_there,
    write_private,
)
from edgelite_ports.posix.keeper import Keeper
from edgelite_ports.posix.launch import prepare
from edgelite_ports.posix.shim import parse_exit
from edgelite_protocol.messages import CONTAINER_DIGEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edgelite.effects import AdoptUnit, RemoveWorkload, SignalUnit, StartUnit
    from edgelite.supervisor import Supervisor
    from edgelite_ports.posix.artifacts import ArtifactStore
    from edgelite_ports.posix.logs import LogStore
    from edgelite_ports.posix.places import Places

SIGNAL_KILL = 9
READABLE = 1  # poll(2)'s POLLIN
START_TIMEOUT_MS = 10000  # from the request to a process; a loaded Pi Zero takes 50 ms
_POLL_MS = 2  # until a started unit shows who it is: 5 ms on a PC, so look often at first
_POLL_FAST_MS = 50
_POLL_MS_MAX = 64
_LOOK_MS = 1000  # at what the kernel gives no descriptor for, and at a group that does not end
EXIT_UNKNOWN = (-1, 0)

# What a Process is watched for
STARTING = 0  # its `child` file
RUNNING = 1  # its end
DRAINING = 2  # the last of its group; its leader has ended
CLEARING = 3  # the same, of an earlier form that nobody ordered: then `script` is started


class Process:
    """A unit that was started or found; `directory` is its run directory."""

    def __init__(self, unit: str, directory: str, now_ms: int) -> None:
        self.unit = unit
        self.directory = directory
        self.phase = STARTING
        self.script = b""
        self.since_ms = now_ms
        self.look_ms: int | None = None  # when to look at it next, where no descriptor tells
        self.interval_ms = _POLL_MS
        self.pidfd = -1
        self.pid = 0
        self.start = 0
        self.shim_pid = 0
        self.shim_start = 0
        self.end = EXIT_UNKNOWN

    def path(self, name: str) -> str:
        return join(self.directory, name)

    def identity(self) -> "dict[int, object]":
        return {
            IDENTITY_SHIM_PID: self.shim_pid,
            IDENTITY_SHIM_START: self.shim_start,
            IDENTITY_PID: self.pid,
            IDENTITY_START: self.start,
        }

    def clear(self) -> None:
        """Make its run directory one of a unit that does not run."""
        for name in ("exit", "child", "shim", "message"):
            unlink_if_there(self.path(name))

    def shim_lives(self) -> bool:
        return proc.lives(self.shim_pid, self.shim_start)

    def leader_lives(self) -> bool:
        return proc.lives(self.pid, self.start)

    def read_identity(self) -> bool:
        """Take who it is from its run directory; False while that is not written."""
        child = proc.parse_stat_file(read_if_there(self.path("child")))
        shim = proc.parse_stat_file(read_if_there(self.path("shim")))
        if child is None or shim is None:
            return False
        self.pid, self.start = child.pid, child.start
        self.shim_pid, self.shim_start = shim.pid, shim.start
        return True

    def take_identity(self, identity: "dict[int, object]") -> None:
        self.shim_pid, self.shim_start, self.pid, self.start = [
            _as_int(identity.get(key)) for key in (IDENTITY_SHIM_PID, IDENTITY_SHIM_START, IDENTITY_PID, IDENTITY_START)
        ]

    def look_later(self, now_ms: int, interval_ms_max: int) -> None:
        """Every 2 ms for 50 ms, then ever more seldom."""
        self.look_ms = now_ms + self.interval_ms
        if now_ms - self.since_ms >= _POLL_FAST_MS:
            self.interval_ms = min(self.interval_ms * 2, interval_ms_max)

    def enter(self, phase: int, now_ms: int) -> None:
        self.phase = phase
        self.since_ms = now_ms
        self.interval_ms = _POLL_MS


class Processes:
    """`completions` is the core's Supervisor, or what has its completions; `node` the node's name; `loop`
    the port's, with `register(descriptor, events, handler)` and `unregister`.

    What ends is told through `loop`, where each unit's descriptor is registered; besides, the port calls `reap` after
    SIGCHLD, and `step` at the deadline that the last `step` gave.
    """

    def __init__(
        self,
        completions: "Supervisor",
        loop: "Any",
        places: "Places",
        artifacts: "ArtifactStore",
        logs: "LogStore",
        node: str,
        monotonic_ms: "Callable[[], int]",
    ) -> None:
        self._completions = completions
        self._loop = loop
        self._places = places
        self._artifacts = artifacts
        self._logs = logs
        self._node = node
        self._monotonic_ms = monotonic_ms
        self._keeper = Keeper(places.run)
        self._processes: dict[str, Process] = {}  # by unit

    # ---- effects

    def start(self, effect: "StartUnit") -> None:
        now_ms = self._monotonic_ms()
        try:
            digest = effect.container.get(CONTAINER_DIGEST)
            root = None if digest is None else self._artifacts.root(digest)  # type: ignore[arg-type]
            script = prepare(self._places, self._node, root, effect.unit, effect.workload, effect.container)
            self._start(Process(effect.unit, self._places.unit_run(effect.unit), now_ms), script, now_ms)
        except StartError as error:
            self._completions.start_failed(effect.unit, error.reason, error.message, now_ms)
        except OSError as error:
            self._completions.start_failed(effect.unit, "PlatformError", reason(error), now_ms)

    def adopt(self, effect: "AdoptUnit") -> None:
        now_ms = self._monotonic_ms()
        try:
            process = Process(effect.unit, self._places.unit_run(effect.unit), now_ms)
        except StartError:
            self._completions.lost(effect.unit, now_ms)
            return
        process.read_identity()
        is_its_directory = not effect.identity or process.identity() == effect.identity
        if not is_its_directory:
            process.take_identity(effect.identity)
        has_ended = is_its_directory and parse_exit(read_if_there(process.path("exit"))) is not None
        if has_ended or process.shim_lives() or process.leader_lives():
            self._processes[process.unit] = process
            self._watch(process, now_ms)
        else:
            self._completions.lost(effect.unit, now_ms)

    def signal(self, effect: "SignalUnit") -> None:
        process = self._processes.get(effect.unit)
        if process is not None and process.pid:
            _signal_group(process, effect.signal)

    def remove(self, effect: "RemoveWorkload") -> None:
        """Its directories, run directory and logs. May take long: run it off the loop. OSError."""
        for path in self._places.of_workload(effect.uid):
            remove_tree(path)

    # ---- the port's loop

    def reap(self, now_ms: int) -> None:
        """After SIGCHLD: the keeper is the agent's only child here. Without it, what it was to start never will."""
        if not self._keeper.reap():
            return
        for process in list(self._processes.values()):
            if process.phase == STARTING and not process.read_identity():
                self._forget(process)
                self._completions.start_failed(process.unit, "RuntimeFailed", "the keeper ended", now_ms)

    def step(self, now_ms: int) -> "int | None":
        for process in list(self._processes.values()):
            if process.look_ms is not None and process.look_ms <= now_ms:
                self._look(process, now_ms)
        due = [process.look_ms for process in self._processes.values() if process.look_ms is not None]
        return min(due) if due else None

    def units(self) -> "list[str]":
        """What runs, or is on its way to or from running."""
        return sorted(self._processes)

    def close(self) -> None:
        """The agent ends; what runs goes on. Where nothing does, the keeper ends too."""
        if not self._processes:
            self.dismiss_keeper()
        for process in self._processes.values():
            self._close(process)
        self._processes.clear()
        self._keeper.close()

    def dismiss_keeper(self) -> None:
        """One that cannot be told to end stays, as it would after a crash: it does nothing by itself."""
        try:
            self._keeper.dismiss()
        except OSError:
            return

    # ---- inside

    def _start(self, process: Process, script: bytes, now_ms: int) -> None:
        """Unless it runs already: an agent that died between a start and its record left it behind."""
        process.script = script
        if process.read_identity() and (process.shim_lives() or process.leader_lives()):
            self._processes[process.unit] = process
            if read_whole(process.path("start")) == script:
                self._watch(process, now_ms)
            else:
                process.enter(CLEARING, now_ms)
                _signal_group(process, SIGNAL_KILL)
                self._look(process, now_ms)
        else:
            self._launch(process, now_ms)

    def _launch(self, process: Process, now_ms: int) -> None:
        process.clear()
        self._logs.begin(self._places.log(process.unit), now_ms)
        write_private(process.path("start"), process.script)
        process.script = b""
        self._keeper.submit(process.unit)
        process.enter(STARTING, now_ms)
        process.look_later(now_ms, _POLL_MS_MAX)
        self._processes[process.unit] = process

    def _look(self, process: Process, now_ms: int) -> None:
        process.look_ms = None
        if process.phase == STARTING:
            self._look_at_start(process, now_ms)
        elif process.phase == RUNNING:
            self._look_at_end(process, now_ms)
        else:
            self._look_at_group(process, now_ms)

    def _look_at_start(self, process: Process, now_ms: int) -> None:
        if process.read_identity():
            self._watch(process, now_ms)
        elif parse_exit(read_if_there(process.path("exit"))) is not None:
            text = text_of(read_if_there(process.path("start.error"))).strip()
            self._forget(process)
            self._completions.start_failed(process.unit, "RuntimeFailed", text or "the shim failed", now_ms)
        elif now_ms - process.since_ms >= START_TIMEOUT_MS:
            self._forget(process)
            self._completions.start_failed(process.unit, "StartTimeout", "no process within 10 s", now_ms)
        else:
            process.look_later(now_ms, _POLL_MS_MAX)

    def _watch(self, process: Process, now_ms: int) -> None:
        """It is known who it is: tell the core, and wait for its end."""
        process.phase = RUNNING
        self._completions.started(process.unit, process.identity(), now_ms)
        self._look_at_end(process, now_ms)

    def _look_at_end(self, process: Process, now_ms: int) -> None:
        """Four ways: the shim lives, so the workload may; the shim has written the end; the shim was killed and
        the workload lives; both are gone and nobody knows how it ended."""
        end = None
        if not process.shim_lives():
            end = parse_exit(read_if_there(process.path("exit")))
            if end is None and not process.leader_lives():
                end = EXIT_UNKNOWN
        if end is None:
            self._wait_for_end(process, now_ms)
            return
        process.end = end
        process.enter(DRAINING, now_ms)
        self._look_at_group(process, now_ms)

    def _wait_for_end(self, process: Process, now_ms: int) -> None:
        is_shim = process.shim_lives()
        pid, start = (process.shim_pid, process.shim_start) if is_shim else (process.pid, process.start)
        try:
            process.pidfd = proc.open_pidfd(pid, start)
        except OSError as error:
            if error.errno != ESRCH:
                raise
            process.look_ms = now_ms  # it ended just now
            return
        if process.pidfd < 0:
            process.look_ms = now_ms + _LOOK_MS
        else:
            self._loop.register(process.pidfd, READABLE, lambda _events: self._ended(process))

    def _ended(self, process: Process) -> None:
        """Its descriptor is readable: the shim, or the workload that lost its shim, has ended."""
        self._close(process)
        self._look(process, self._monotonic_ms())

    def _look_at_group(self, process: Process, now_ms: int) -> None:
        """The leader ended, and nothing of its group shall outlive it. The shim has killed the others; where the
        shim was killed too, this does it."""
        if process.leader_lives() or proc.group_lives(process.pid):
            _signal_group(process, SIGNAL_KILL)
            process.look_later(now_ms, _LOOK_MS)
            return
        self._forget(process)
        if process.phase == CLEARING:
            self._launch_again(process, now_ms)
        else:
            code, signal = process.end
            self._completions.exited(process.unit, code, signal, now_ms)
            process.clear()  # after the core has recorded it, so that the next agent does not tell it again

    def _launch_again(self, process: Process, now_ms: int) -> None:
        try:
            self._launch(process, now_ms)
        except StartError as error:
            self._completions.start_failed(process.unit, error.reason, error.message, now_ms)
        except OSError as error:
            self._completions.start_failed(process.unit, "PlatformError", reason(error), now_ms)

    def _forget(self, process: Process) -> None:
        self._close(process)
        del self._processes[process.unit]

    def _close(self, process: Process) -> None:
        if process.pidfd >= 0:
            self._loop.unregister(process.pidfd)
            system.close(process.pidfd)
            process.pidfd = -1


def _signal_group(process: Process, number: int) -> None:
    """To all of the process group, if the group is still its own: while the leader lives, or members of it do."""
    if process.leader_lives() or proc.group_lives(process.pid):
        try:
            system.killpg(process.pid, number)
        except OSError as error:
            if error.errno not in (ESRCH, EPERM):
                raise
            # The last one ended meanwhile; or it took another user's rights: it stays Terminating and is asked again.


def _as_int(value: object) -> int:
    return value if isinstance(value, int) else 0
