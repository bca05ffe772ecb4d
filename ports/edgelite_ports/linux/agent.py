"""The agent on Linux: the core, put on a `poll()` loop. `main` is what `edgelite agent` runs; its signals and exit
codes are those of agent_process.py."""

import gc
import os
import sys

from edgelite.devices.installed import announced_drivers, installed_drivers
from edgelite.node import Node, Platform, earliest
from edgelite_ports.common.agent_process import SIGCHLD, SIGHUP, SIGINT, SIGTERM, AgentProcess, run_command
from edgelite_ports.common.dispatch import Dispatcher
from edgelite_ports.common.log import Log
from edgelite_ports.common.sd_notify import Notifier
from edgelite_ports.linux import clock, datagrams
from edgelite_ports.linux.capabilities import capabilities
from edgelite_ports.linux.connections import Connections
from edgelite_ports.linux.identity import Identity
from edgelite_ports.linux.kernel_tls import KernelTls
from edgelite_ports.linux.loop import READABLE, Loop, Signals
from edgelite_ports.linux.state import State, default_path
from edgelite_ports.linux.storage import FileStorage
from edgelite_ports.linux.worker import Worker
from edgelite_ports.posix.artifacts import ArtifactStore
from edgelite_ports.posix.logs import LogStore
from edgelite_ports.posix.places import Places
from edgelite_ports.posix.processes import Processes

FRAME_BYTES_MAX = 16 * 1024  # a Pod with its ConfigMaps' files comes in one frame: four times the least a node takes
ROUNDS_MAX = 100  # of effects and their immediate completions before the loop looks at descriptors again


class Agent(AgentProcess):
    """One agent process. `run` returns when a signal has asked for it; PlatformError and CorruptionError pass."""

    def __init__(self, state: State, log: Log, level: "str | None") -> None:
        self._journal_path = state.below("journal")
        config = state.load_config()
        log.level = level or config.log_level
        identity = Identity(state.path)
        link_keys = state.load_link_keys(config)
        if link_keys is None:
            identity.require()
        state.lock()
        notifier = Notifier(os.environ.get, os.getpid(), datagrams.send)
        self._loop = Loop()
        self._worker = Worker()
        self._signals = Signals((SIGHUP, SIGINT, SIGTERM, SIGCHLD))
        kernel_tls = KernelTls(self._loop, identity) if config.tls_in_kernel else None
        self._connections = Connections(self._loop, self._worker, identity.tls_context, kernel_tls)
        storage = FileStorage(self._journal_path)
        artifacts = ArtifactStore(state.below("artifacts"))
        self._logs = LogStore(state.below("logs"), lambda text: log("warning", text))
        boot_id = clock.boot_id()
        places = Places(state.path, state.runtime_path(config.node), boot_id)
        places.make()
        if config.bus:
            places.bus_path = places.sockets + "/bus.sock"  # as edgelite/bus/service.py names it
        self._connections.socket_folder = places.sockets
        platform = Platform(
            *(
                storage,
                artifacts,
                self._logs,
                boot_id,
                os.urandom,
                capabilities(announced_drivers(installed_drivers(os.listdir), config.drivers)),
            ),
            frame_bytes_max=FRAME_BYTES_MAX,
            link_keys=link_keys,
            socket_folder=places.sockets,
            python=_python,
        )
        sys.path.extend(config.driver_path)
        node = Node(config, platform)
        processes = Processes(
            node.supervisor, self._loop, places, artifacts, self._logs, config.node, clock.monotonic_ms
        )
        self._dispatcher = Dispatcher(
            *(node, storage, artifacts, identity, {"process": processes}),
            *(self._connections, self._worker, log),
            clock.monotonic_ms,
        )
        super().__init__(node, log, notifier, processes, clock.monotonic_ms)

    def run(self) -> None:
        self._open_journal(self._journal_path)
        self._loop.register(
            self._signals.descriptor, READABLE, lambda _events: self._take_signals(self._signals.numbers())
        )
        self._loop.register(self._worker.descriptor, READABLE, lambda _events: self._worker.run_completions())
        self._notifier.send("READY=1\nSTATUS=running")
        self._round()
        _forget_start_up()
        while True:
            deadline_ms = self._round()
            if self._finished(self._worker.idle()):  # before waiting: there may be nothing left to wake up for
                break
            self._loop.wait(deadline_ms)
        self._processes.close()
        self._notifier.send("STATUS=stopped")

    def _round(self) -> "int | None":
        """Let the core do all that it can now; when to wake it again if nothing else happens."""
        for _ in range(ROUNDS_MAX):
            now_ms = clock.monotonic_ms()
            processes_ms = self._processes.step(now_ms)
            node_ms = self.node.step(now_ms)
            if not self._dispatcher.run_effects():
                sockets_ms = self._connections.step(now_ms)
                return earliest(
                    [
                        *(processes_ms, node_ms, sockets_ms, self._logs.step(now_ms)),
                        *(self._notifier.watchdog(now_ms), self._stop_deadline_ms),
                    ]
                )
        return clock.monotonic_ms()  # look at the descriptors, then go on at once


def _python() -> "tuple[str, str]":
    from edgelite_ports.linux.exec_agent import room_paths  # most nodes never need it

    return sys.executable, os.pathsep.join(room_paths())


def _forget_start_up() -> None:
    """What start-up made and lives on is no garbage: never look at it again."""
    gc.collect()
    gc.freeze()


def main(arguments: "list[str]") -> int:
    """Run the agent; agent_process.py has the exit codes."""
    log = Log(os.write, to_journal="JOURNAL_STREAM" in os.environ)

    def run(path: "str | None", level: "str | None") -> None:
        Agent(State(path or default_path()), log, level).run()

    return run_command(arguments, log, os.write, run)
