"""The agent as a process of a Linux machine: its command line, its signals, its end. The same for every runtime.

Signals: SIGTERM and SIGINT stop the agent (journal synced, goodbye said) and leave every workload running; SIGHUP
drops the link and connects again at once.

Exit codes: 0 stopped, 1 the platform failed, 2 not joined yet or wrongly configured.
"""

from edgelite.driver import ConfigurationError
from edgelite_ports.common.options import HELP, parse_options
from edgelite_ports.common.state import NotJoinedError
from edgelite_protocol.errors import CorruptionError, PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edgelite.node import Node
    from edgelite_ports.common.log import Log

SIGHUP, SIGINT, SIGTERM, SIGCHLD = 1, 2, 15, 17  # signal(7); signal.py would bring enum
STOP_TIMEOUT_MS = 5_000  # a card that stalls longer keeps what it has; the journal is whole either way

EXIT_STOPPED = 0
EXIT_FAILED = 1
EXIT_CONFIGURATION = 2


class AgentProcess:
    """What a port's Agent is made from. `notifier` tells systemd, `processes` has `reap`."""

    def __init__(
        self, node: "Node", log: "Log", notifier: "Any", processes: "Any", monotonic_ms: "Callable[[], int]"
    ) -> None:
        self.node = node
        self._log = log
        self._notifier = notifier
        self._processes = processes
        self._monotonic_ms = monotonic_ms
        self._stop_deadline_ms: int | None = None

    def _open_journal(self, path: str) -> None:
        recovery = self.node.open(self._monotonic_ms())
        for text in recovery.damaged:
            self._log("error", "the journal is damaged: " + text + "; what can be read is kept, the hub is told")
        if recovery.fresh:
            self._log("info", "a new journal was made in " + path)

    def _take_signals(self, numbers: "list[int]") -> None:
        for number in numbers:
            if number == SIGCHLD:
                self._processes.reap(self._monotonic_ms())
            elif number == SIGHUP:
                self.node.reconnect(self._monotonic_ms())
            elif self._stop_deadline_ms is None:
                self._stop()

    def _stop(self) -> None:
        self._log("info", "stopping; workloads go on")
        self._notifier.send("STOPPING=1\nSTATUS=stopping")
        self._stop_deadline_ms = self._monotonic_ms() + STOP_TIMEOUT_MS
        self.node.stop(self._monotonic_ms())

    def _finished(self, is_idle: bool) -> bool:
        """`is_idle`: nothing of the port's is under way that should end first."""
        if self._stop_deadline_ms is None:
            return False
        return (self.node.stopped and is_idle) or self._monotonic_ms() >= self._stop_deadline_ms


def run_command(
    arguments: "list[str]",
    log: "Log",
    write: "Callable[[int, bytes], object]",
    run: "Callable[[str | None, str | None], None]",
) -> int:
    """What `edgelite agent` does with its arguments: the exit code. `run(state path, log level)` runs the agent until
    it has stopped; each is None where no option says."""
    try:
        options = parse_options(arguments)
    except ValueError as error:
        write(2, ("edgelite agent: " + str(error) + "\n\n" + HELP).encode())
        return EXIT_CONFIGURATION
    if "--help" in options:
        write(1, HELP.encode())
        return EXIT_STOPPED
    try:
        run(options.get("--state"), options.get("--log-level"))
    except (NotJoinedError, ConfigurationError) as error:
        log("error", str(error))
        return EXIT_CONFIGURATION
    except (PlatformError, CorruptionError) as error:
        log("error", str(error))
        return EXIT_FAILED
    return EXIT_STOPPED
