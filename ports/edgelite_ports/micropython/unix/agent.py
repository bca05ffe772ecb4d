"""The agent on Linux under MicroPython: the core, put on a `poll()` loop.

    micropython -X heapsize=1400k -m edgelite_ports.micropython.unix.agent --state DIR

Signals: SIGTERM and SIGINT stop the agent (journal synced, goodbye said) and leave every workload running; SIGHUP
drops the link and connects again at once. Exit codes and lines are those of the CPython agent:
0 stopped, 1 the platform failed, 2 not joined yet or wrongly configured.
"""

import gc
import os
import sys

from edgelite.devices.installed import installed_drivers
from edgelite.driver import ConfigurationError
from edgelite.node import Node, Platform, earliest
from edgelite_ports.common.dispatch import Dispatcher
from edgelite_ports.common.options import HELP, parse_options
from edgelite_ports.common.sd_notify import Notifier
from edgelite_ports.common.state import NotJoinedError
from edgelite_ports.micropython.connections import make_connections
from edgelite_ports.micropython.identity import Identity
from edgelite_ports.micropython.loop import READABLE, Loop
from edgelite_ports.micropython.resolver import Resolver
from edgelite_ports.micropython.ring_log import RingLogs
from edgelite_ports.micropython.shell import Shell
from edgelite_ports.micropython.tasks import Tasks
from edgelite_ports.micropython.unix import clock, datagrams, libc, names, system
from edgelite_ports.micropython.unix.artifacts import ArtifactStore
from edgelite_ports.micropython.unix.capabilities import capabilities
from edgelite_ports.micropython.unix.log import Log
from edgelite_ports.micropython.unix.state import State, default_path
from edgelite_ports.micropython.unix.storage import LinuxStorage
from edgelite_ports.micropython.worker import Worker
from edgelite_ports.posix.logs import LogStore
from edgelite_ports.posix.places import Places
from edgelite_ports.posix.processes import Processes
from edgelite_protocol.errors import CorruptionError, PlatformError

SIGHUP, SIGINT, SIGTERM, SIGCHLD = 1, 2, 15, 17  # signal(7), the same on ARM and x86
FRAME_BYTES_MAX = 16 * 1024  # as for the CPython agent: a Pod with its ConfigMaps' files comes in one frame
STOP_TIMEOUT_MS = 5_000  # a card that stalls longer keeps what it has; the journal is whole either way
OWNER_ONLY = 0o077
# Collect after so much was allocated, not when the heap is full: pages of it that were never used take no memory.
# Without it 2.1 MB are private after a minute in place of 1.0 (64 bits, a meter read 20 times a second).
COLLECT_BYTES = 128 * 1024

EXIT_STOPPED = 0
EXIT_FAILED = 1
EXIT_CONFIGURATION = 2


class Agent:
    """One agent process. `run` returns when a signal has asked for it; PlatformError and CorruptionError pass."""

    def __init__(self, state: State, log: Log, level: "str | None") -> None:
        self._log = log
        self._state = state
        config = state.load_config()
        log.level = level or config.log_level
        identity = Identity(state, libc.sync_directory)
        link_keys = state.load_link_keys(config)
        if link_keys is None:
            identity.require()
        state.lock()
        self._notifier = Notifier(os.getenv, libc.process_id(), datagrams.send)
        self._signals = libc.signal_descriptor((SIGHUP, SIGINT, SIGTERM, SIGCHLD))
        self.loop = Loop(clock.monotonic_ms)
        self._stop_deadline_ms: int | None = None
        storage = LinuxStorage(state.below("journal"), self.loop)
        artifacts = ArtifactStore(state.below("artifacts"))
        log_files = LogStore(state.below("logs"), lambda text: log("warning", text))
        logs = RingLogs(log_files)
        boot_id = clock.boot_id()
        platform = Platform(
            *(storage, artifacts, logs, boot_id, os.urandom),
            capabilities(
                installed_drivers(os.listdir),
                ["process", "task"],
                {"runtime-container": "this port starts no containers"},
            ),
            frame_bytes_max=FRAME_BYTES_MAX,
            link_keys=link_keys,
        )
        self.node = Node(config, platform)
        resolver = Resolver(self.loop, clock.monotonic_ms, os.urandom, names.configuration)
        connections = make_connections(self.loop, resolver.lookup, identity.tls_context, clock.monotonic_ms, system)
        places = Places(state.path, state.runtime_path(config.node), boot_id)
        places.make()
        self._processes = Processes(
            *(self.node.supervisor, self.loop, places, artifacts, log_files, config.node), clock.monotonic_ms
        )
        self._tasks = Tasks(
            *(self.node.supervisor, logs, config.node, clock.monotonic_ms), lambda text: log("warning", text)
        )
        runtimes = {"process": self._processes, "task": self._tasks}
        worker = Worker()
        dispatcher = Dispatcher(
            *(self.node, storage, artifacts, identity, runtimes, connections, worker, log), clock.monotonic_ms
        )
        self.shell = Shell(
            self.node,
            dispatcher,
            [resolver, connections, logs, self._notifier],
            clock.monotonic_ms,
            [self._processes, self._tasks, worker],
        )

    def start(self) -> None:
        """Read the journal and begin; from now on `shell.step` and `loop.wait` in turn, or `shell.run_async`."""
        self._open_journal()
        self.loop.register(self._signals, READABLE, self._signalled)
        self._notifier.send("READY=1\nSTATUS=running")
        self.shell.step()
        gc.collect()

    def run(self) -> None:
        self.start()
        while True:
            deadline_ms = self.shell.step()
            if self._finished():  # before waiting: what finished it may have left nothing to wake up for
                break
            self.loop.wait(earliest([deadline_ms, self._stop_deadline_ms]))
        self._processes.close()
        self._notifier.send("STATUS=stopped")
        self._tasks.close()

    def _open_journal(self) -> None:
        recovery = self.node.open(clock.monotonic_ms())
        for text in recovery.damaged:
            self._log("error", "the journal is damaged: " + text + "; what can be read is kept, the hub is told")
        if recovery.fresh:
            self._log("info", "a new journal was made in " + self._state.below("journal"))

    def _signalled(self, _events: int) -> None:
        for number in libc.read_signals(self._signals):
            if number == SIGCHLD:
                self._processes.reap(clock.monotonic_ms())
            elif number == SIGHUP:
                self.node.reconnect(clock.monotonic_ms())
            elif self._stop_deadline_ms is None:
                self._stop()

    def _stop(self) -> None:
        self._log("info", "stopping; workloads go on")
        self._notifier.send("STOPPING=1\nSTATUS=stopping")
        self._stop_deadline_ms = clock.monotonic_ms() + STOP_TIMEOUT_MS
        self.node.stop(clock.monotonic_ms())

    def _finished(self) -> bool:
        if self._stop_deadline_ms is None:
            return False
        return self.node.stopped or clock.monotonic_ms() >= self._stop_deadline_ms


def main(arguments: "list[str]") -> int:
    """Run the agent; see the module's text for the exit codes."""
    libc.umask(OWNER_ONLY)
    gc.threshold(COLLECT_BYTES)  # type: ignore[attr-defined]
    log = Log(to_journal=os.getenv("JOURNAL_STREAM") is not None)
    try:
        options = parse_options(arguments)
    except ValueError as error:
        libc.write(2, ("edgelite agent: " + str(error) + "\n\n" + HELP).encode())
        return EXIT_CONFIGURATION
    if "--help" in options:
        libc.write(1, HELP.encode())
        return EXIT_STOPPED
    state = State(options.get("--state") or default_path())
    try:
        Agent(state, log, options.get("--log-level")).run()
    except (NotJoinedError, ConfigurationError) as error:
        log("error", str(error))
        return EXIT_CONFIGURATION
    except (PlatformError, CorruptionError) as error:
        log("error", str(error))
        return EXIT_FAILED
    return EXIT_STOPPED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
