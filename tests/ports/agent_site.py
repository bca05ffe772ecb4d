"""An agent process of its own on a joined state directory, for tests that need the real thing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from hub_peer import HubPeer

from edgelite_ports.linux import exec_agent
from edgelite_ports.linux.state import State


class AgentSite:
    def __init__(self, state: Path, python: str = sys.executable) -> None:
        self.state = state
        self.python = python
        self.name = "kitchen"
        self.process: subprocess.Popen[bytes] | None = None
        self.log_path = state.parent / (state.name + ".stderr")

    def make_node(self, hub: HubPeer, **config: object) -> AgentSite:
        """What `join` would leave behind, without joining."""
        (self.state / "identity").mkdir(parents=True, mode=0o700)
        hub.authority.write_node(self.state / "identity", self.name)
        self.configure(node=self.name, hub=f"127.0.0.1:{hub.port}", backoff_base_ms=200, **config)
        return self

    def configure(self, **config: object) -> None:
        (self.state / "agent.conf").write_text("".join(f"{key} = {value}\n" for key, value in config.items()))

    def start(self, **environment: str) -> AgentSite:
        words = exec_agent.command(["--state", str(self.state), "--log-level", "debug"])
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen([self.python, *words[1:]], stderr=log, env={**os.environ, **environment})
        return self

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        """SIGKILL, as an out-of-memory killer does it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    def end(self) -> None:
        """The agent, and everything that outlives an agent by design."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.end_workloads()
        shutil.rmtree(self.runtime(), ignore_errors=True)

    def end_workloads(self) -> None:
        """As a reboot does it, but for the boot's id."""
        end_below(self.runtime())
        end_below(self.state)

    def runtime(self) -> Path:
        return Path(State(str(self.state)).runtime_path(self.name))

    def log(self) -> str:
        return self.log_path.read_text() if self.log_path.exists() else ""


def wait_until(done: Callable[[], object], timeout_s: float = 15.0, what: Callable[[], object] = lambda: "") -> None:
    end_s = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() >= end_s:
            raise AssertionError(f"waited {timeout_s} s; {what()}")
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def end_below(directory: Path) -> None:
    """Kill every process whose working directory is there: a test's workloads, their shims, the keeper."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            where = os.readlink(f"/proc/{entry}/cwd")
        except OSError:
            continue
        if where == str(directory) or where.startswith(str(directory) + "/"):
            try:
                os.kill(int(entry), signal.SIGKILL)
            except ProcessLookupError:
                continue
