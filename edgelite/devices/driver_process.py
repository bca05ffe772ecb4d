"""The programs of drivers that run in processes of their own: workloads of the node, which the hub is told nothing of.

The supervisor starts a program when the first device needs it, starts it again when it ends, finds it again after a
restart of the agent, and ends it when no device needs it any more. That one hangs, its bus finds out.
"""

from edgelite.driver import ConfigurationError
from edgelite.supervisor.workload import OWN_PREFIX, RUNTIME_PROCESS
from edgelite_protocol import messages as m

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edgelite.supervisor import Supervisor

GRACE_MS = 5_000
SOCKET_VARIABLE = "EDGELITE_DRIVER_SOCKET"
PYTHON = "python3"  # as the node's PATH has it, where neither agent.conf nor the port says another


class Programs:
    """`python()` gives the interpreter for `python -m MODULE` and what its PYTHONPATH should be; `variables` are in the
    environment of every program."""

    def __init__(
        self,
        supervisor: "Supervisor",
        socket_folder: str,
        runtimes: "Any",
        python: "Callable[[], tuple[str, str]]",
        variables: "dict[str, str] | None" = None,
    ) -> None:
        self._variables = variables or {}
        self._supervisor = supervisor
        self._socket_folder = socket_folder
        self._runtimes = runtimes
        self._python = python

    def make(self, name: str, driver: "Any") -> "Program | None":
        """The program that the driver names: COMMAND, words, or PROCESS_MODULE. None where it is not run here: the
        port has the driver's other half itself. ConfigurationError where this node cannot run any."""
        command = list(getattr(driver, "COMMAND", ()))
        module = getattr(driver, "PROCESS_MODULE", "")
        if RUNTIME_PROCESS not in self._runtimes or not self._socket_folder:
            if command:
                raise ConfigurationError("protocol.protocolName", "this node runs no programs of drivers")
            return None
        environment = dict(self._variables)
        environment[SOCKET_VARIABLE] = "%s/driver-%s.sock" % (self._socket_folder, name)
        if not command:
            if not module:
                raise ConfigurationError("protocol.protocolName", "driver %s names no program to run" % name)
            python, path = self._python()
            command = [python, "-m", module]
            environment["PYTHONUNBUFFERED"] = "1"  # what it says last before it crashes is in its log
            if path:
                environment["PYTHONPATH"] = path
        return Program(name, command, environment, self._supervisor)


class Program:
    def __init__(
        self, name: str, command: "list[str]", environment: "dict[str, str]", supervisor: "Supervisor"
    ) -> None:
        self._uid = OWN_PREFIX + name
        self._supervisor = supervisor
        container: dict[int, object] = {
            m.CONTAINER_NAME: name,
            m.CONTAINER_IMAGE: "host",
            m.CONTAINER_COMMAND: command,
            m.CONTAINER_ENVIRONMENT: environment,
        }
        self._form: dict[int, object] = {
            m.WORKLOAD_UID: self._uid,
            m.WORKLOAD_NAMESPACE: "edgelite",
            m.WORKLOAD_NAME: "driver-" + name,
            m.WORKLOAD_RUNTIME: RUNTIME_PROCESS,
            m.WORKLOAD_RESTART_POLICY: "Always",
            m.WORKLOAD_GRACE_MS: GRACE_MS,
            m.WORKLOAD_CONTAINERS: [container],
            m.WORKLOAD_GENERATION: 0,
        }

    def begin(self, now_ms: int) -> None:
        self._supervisor.set_own(self._uid, self._form, now_ms)

    def end(self, now_ms: int) -> None:
        self._supervisor.set_own(self._uid, None, now_ms)

    def kill(self) -> None:
        """It hangs."""
        self._supervisor.kill_own(self._uid)

    def trouble(self) -> str:
        """Why it does not run, as far as that is known."""
        return self._supervisor.trouble_of(self._uid)
