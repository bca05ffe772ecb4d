"""The agent on Linux: the core, put on a `poll()` loop. `main` is what `edgelite agent` runs.

Signals: SIGTERM and SIGINT stop the agent (journal synced, goodbye said) and leave every workload running; SIGHUP
drops the link and connects again at once.

Exit codes: 0 stopped, 1 the platform failed, 2 not joined yet or wrongly configured.
"""

import gc
import os

from edgelite.devices.installed import installed_drivers
from edgelite.driver import ConfigurationError
from edgelite.node import Node, Platform, earliest
from edgelite_ports.common.dispatch import Dispatcher
from edgelite_ports.common.options import HELP, parse_options
from edgelite_ports.common.sd_notify import Notifier
from edgelite_ports.common.state import NotJoinedError
from edgelite_ports.linux import clock, datagrams
from edgelite_ports.linux.capabilities import capabilities
from edgelite_ports.linux.connections import Connections
from edgelite_ports.linux.identity import Identity
from edgelite_ports.linux.kernel_tls import KernelTls
from edgelite_ports.linux.log import Log
from edgelite_ports.linux.loop import READABLE, Loop, Signals
from edgelite_ports.linux.state import State, default_path
from edgelite_ports.linux.storage import FileStorage
from edgelite_ports.linux.worker import Worker
from edgelite_ports.posix.artifacts import ArtifactStore
from edgelite_ports.posix.logs import LogStore
from edgelite_ports.posix.places import Places
from edgelite_ports.posix.processes import Processes
from edgelite_protocol.errors import CorruptionError, PlatformError

SIGHUP, SIGINT, SIGTERM, SIGCHLD = 1, 2, 15, 17  # signal(7); signal.py would bring enum
FRAME_BYTES_MAX = 16 * 1024  # a Pod with its ConfigMaps' files comes in one frame: four times the least a node takes
ROUNDS_MAX = 100  # of effects and their immediate completions before the loop looks at descriptors again
STOP_TIMEOUT_MS = 5_000  # a card that stalls longer keeps what it has; the journal is whole either way

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
        identity = Identity(state.path)
        link_keys = state.load_link_keys(config)
        if link_keys is None:
            identity.require()
        state.lock()
        self._notifier = Notifier(os.environ.get, os.getpid(), datagrams.send)
        self._loop = Loop()
        self._worker = Worker()
        self._signals = Signals((SIGHUP, SIGINT, SIGTERM, SIGCHLD))
        kernel_tls = KernelTls(self._loop, identity) if config.tls_in_kernel else None
        self._connections = Connections(self._loop, self._worker, identity.tls_context, kernel_tls)
        self._stop_deadline_ms: int | None = None
        storage = FileStorage(state.below("journal"))
        artifacts = ArtifactStore(state.below("artifacts"))
        self._logs = LogStore(state.below("logs"), lambda text: log("warning", text))
        boot_id = clock.boot_id()
        platform = Platform(
            *(storage, artifacts, self._logs, boot_id, os.urandom, capabilities(installed_drivers(os.listdir))),
            frame_bytes_max=FRAME_BYTES_MAX,
            link_keys=link_keys,
        )
        self._node = Node(config, platform)
        places = Places(state.path, state.runtime_path(config.node), boot_id)
        places.make()
        self._processes = Processes(
            self._node.supervisor, self._loop, places, artifacts, self._logs, config.node, clock.monotonic_ms
        )
        self._dispatcher = Dispatcher(
            *(self._node, storage, artifacts, identity, {"process": self._processes}),
            *(self._connections, self._worker, log),
            clock.monotonic_ms,
        )

    def run(self) -> None:
        self._open_journal()
        self._loop.register(self._signals.descriptor, READABLE, self._signalled)
        self._loop.register(self._worker.descriptor, READABLE, lambda _events: self._worker.run_completions())
        self._notifier.send("READY=1\nSTATUS=running")
        self._round()
        _forget_start_up()
        while not self._finished():
            self._loop.wait(self._round())
        self._processes.close()
        self._notifier.send("STATUS=stopped")

    def _open_journal(self) -> None:
        recovery = self._node.open(clock.monotonic_ms())
        for text in recovery.damaged:
            self._log("error", "the journal is damaged: " + text + "; what can be read is kept, the hub is told")
        if recovery.fresh:
            self._log("info", "a new journal was made in " + self._state.below("journal"))

    def _round(self) -> "int | None":
        """Let the core do all that it can now; when to wake it again if nothing else happens."""
        for _ in range(ROUNDS_MAX):
            now_ms = clock.monotonic_ms()
            processes_ms = self._processes.step(now_ms)
            node_ms = self._node.step(now_ms)
            if not self._dispatcher.run_effects():
                sockets_ms = self._connections.step(now_ms)
                return earliest(
                    [
                        *(processes_ms, node_ms, sockets_ms, self._logs.step(now_ms)),
                        *(self._notifier.watchdog(now_ms), self._stop_deadline_ms),
                    ]
                )
        return clock.monotonic_ms()  # look at the descriptors, then go on at once

    def _signalled(self, _events: int) -> None:
        for number in self._signals.numbers():
            if number == SIGCHLD:
                self._processes.reap(clock.monotonic_ms())
            elif number == SIGHUP:
                self._node.reconnect(clock.monotonic_ms())
            elif self._stop_deadline_ms is None:
                self._stop()

    def _stop(self) -> None:
        self._log("info", "stopping; workloads go on")
        self._notifier.send("STOPPING=1\nSTATUS=stopping")
        self._stop_deadline_ms = clock.monotonic_ms() + STOP_TIMEOUT_MS
        self._node.stop(clock.monotonic_ms())

    def _finished(self) -> bool:
        if self._stop_deadline_ms is None:
            return False
        stopped = self._node.stopped and self._worker.idle()
        return stopped or clock.monotonic_ms() >= self._stop_deadline_ms


def _forget_start_up() -> None:
    """What start-up made and lives on is no garbage: never look at it again."""
    gc.collect()
    gc.freeze()


def main(arguments: "list[str]") -> int:
    """Run the agent; see the module's text for the exit codes."""
    log = Log(to_journal="JOURNAL_STREAM" in os.environ)
    try:
        options = parse_options(arguments)
    except ValueError as error:
        os.write(2, ("edgelite agent: " + str(error) + "\n\n" + HELP).encode())
        return EXIT_CONFIGURATION
    if "--help" in options:
        os.write(1, HELP.encode())
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
