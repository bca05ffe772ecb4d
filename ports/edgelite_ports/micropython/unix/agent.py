"""The agent on Linux under MicroPython: the core, put on a `poll()` loop.

    micropython -X heapsize=1400k -m edgelite_ports.micropython.unix.agent --state DIR

Its signals, exit codes and lines are those of the CPython agent (agent_process.py).
"""

import gc
import os
import sys

from edgelite.devices.installed import announced_drivers, installed_drivers
from edgelite.node import Node, Platform, earliest
from edgelite_ports.common.agent_process import SIGCHLD, SIGHUP, SIGINT, SIGTERM, AgentProcess, run_command
from edgelite_ports.common.dispatch import Dispatcher
from edgelite_ports.common.log import Log
from edgelite_ports.common.sd_notify import Notifier
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
from edgelite_ports.micropython.unix.state import State, default_path
from edgelite_ports.micropython.unix.storage import LinuxStorage
from edgelite_ports.micropython.worker import Worker
from edgelite_ports.posix.logs import LogStore
from edgelite_ports.posix.places import Places
from edgelite_ports.posix.processes import Processes

FRAME_BYTES_MAX = 16 * 1024  # as for the CPython agent: a Pod with its ConfigMaps' files comes in one frame
OWNER_ONLY = 0o077
# Collect after so much was allocated, not when the heap is full: pages of it that were never used take no memory.
# Without it 2.1 MB are private after a minute in place of 1.0 (64 bits, a meter read 20 times a second).
COLLECT_BYTES = 128 * 1024


class Agent(AgentProcess):
    """One agent process. `run` returns when a signal has asked for it; PlatformError and CorruptionError pass."""

    def __init__(self, state: State, log: Log, level: "str | None") -> None:
        self._journal_path = state.below("journal")
        config = state.load_config()
        log.level = level or config.log_level
        identity = Identity(state, libc.sync_directory)
        link_keys = state.load_link_keys(config)
        if link_keys is None:
            identity.require()
        state.lock()
        notifier = Notifier(os.getenv, libc.process_id(), datagrams.send)
        self._signals = libc.signal_descriptor((SIGHUP, SIGINT, SIGTERM, SIGCHLD))
        self.loop = Loop(clock.monotonic_ms)
        storage = LinuxStorage(self._journal_path, self.loop)
        artifacts = ArtifactStore(state.below("artifacts"))
        log_files = LogStore(state.below("logs"), lambda text: log("warning", text))
        logs = RingLogs(log_files)
        boot_id = clock.boot_id()
        places = Places(state.path, state.runtime_path(config.node), boot_id)
        places.make()
        if config.bus:
            places.bus_path = places.sockets + "/bus.sock"  # as edgelite/bus/service.py names it
        platform = Platform(
            *(storage, artifacts, logs, boot_id, os.urandom),
            capabilities(
                announced_drivers(installed_drivers(os.listdir), config.drivers),
                ["process", "task"],
                {"runtime-container": "this port starts no containers"},
            ),
            frame_bytes_max=FRAME_BYTES_MAX,
            link_keys=link_keys,
            socket_folder=places.sockets,
        )
        sys.path.extend(config.driver_path)
        node = Node(config, platform)
        resolver = Resolver(self.loop, clock.monotonic_ms, os.urandom, names.configuration)
        connections = make_connections(self.loop, resolver.lookup, identity.tls_context, clock.monotonic_ms, system)
        connections.socket_folder = places.sockets
        processes = Processes(
            *(node.supervisor, self.loop, places, artifacts, log_files, config.node), clock.monotonic_ms
        )
        self._tasks = Tasks(
            *(node.supervisor, logs, config.node, clock.monotonic_ms), lambda text: log("warning", text)
        )
        runtimes = {"process": processes, "task": self._tasks}
        worker = Worker()
        dispatcher = Dispatcher(
            *(node, storage, artifacts, identity, runtimes, connections, worker, log), clock.monotonic_ms
        )
        self.shell = Shell(
            node,
            dispatcher,
            [resolver, connections, logs, notifier],
            clock.monotonic_ms,
            [processes, self._tasks, worker],
        )
        super().__init__(node, log, notifier, processes, clock.monotonic_ms)

    def start(self) -> None:
        """Read the journal and begin; from now on `shell.step` and `loop.wait` in turn, or `shell.run_async`."""
        self._open_journal(self._journal_path)
        self.loop.register(
            self._signals, READABLE, lambda _events: self._take_signals(libc.read_signals(self._signals))
        )
        self._notifier.send("READY=1\nSTATUS=running")
        self.shell.step()
        gc.collect()

    def run(self) -> None:
        self.start()
        while True:
            deadline_ms = self.shell.step()
            if self._finished(True):  # before waiting: what finished it may have left nothing to wake up for
                break
            self.loop.wait(earliest([deadline_ms, self._stop_deadline_ms]))
        self._processes.close()
        self._notifier.send("STATUS=stopped")
        self._tasks.close()


def main(arguments: "list[str]") -> int:
    """Run the agent; see the module's text for the exit codes."""
    libc.umask(OWNER_ONLY)
    gc.threshold(COLLECT_BYTES)  # type: ignore[attr-defined]
    log = Log(libc.write, to_journal=os.getenv("JOURNAL_STREAM") is not None)

    def run(path: "str | None", level: "str | None") -> None:
        Agent(State(path or default_path()), log, level).run()

    return run_command(arguments, log, libc.write, run)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
