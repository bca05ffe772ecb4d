"""An agent without a link: the supervisor, the process runtime and the real loop. process_program.py is the same as a
program that a test may kill."""

from __future__ import annotations

import os
from pathlib import Path

from unix.unix_forms import process_form

from edgelite.clock import Clock
from edgelite.context import Context
from edgelite.effects import AdoptUnit, RemoveWorkload, SignalUnit, StartUnit
from edgelite.supervisor import Supervisor
from edgelite_ports.linux.clock import monotonic_ms
from edgelite_ports.linux.loop import Loop
from edgelite_ports.posix.artifacts import ArtifactStore
from edgelite_ports.posix.logs import LogStore
from edgelite_ports.posix.places import Places
from edgelite_ports.posix.processes import Processes
from edgelite_protocol import cbor
from edgelite_protocol import messages as m

BOOT = b"boot-boot-boot-1"
KEY = "default/job/u1"
UNIT = "u1/main"


class FileJournal:
    """What the supervisor uses of a journal, kept in one file that is whole at any time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.values: dict[str, bytes] = cbor.decode(path.read_bytes()) if path.exists() else {}

    def get(self, space: int, key: str) -> bytes | None:
        return self.values.get(f"{space}:{key}")

    def keys(self, space: int) -> list[str]:
        return [key.partition(":")[2] for key in self.values if key.startswith(f"{space}:")]

    def write(self, changes: list[tuple[str, int, str, bytes]]) -> None:
        for change in changes:
            name = f"{change[1]}:{change[2]}"
            if change[0] == "put":
                self.values[name] = change[3]
            else:
                del self.values[name]
        new = self._path.with_suffix(".new")
        new.write_bytes(cbor.encode(self.values))
        new.rename(self._path)


class Agent:
    def __init__(self, directory: Path, boot_id: bytes = BOOT) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.places = Places(str(directory / "state"), str(directory / "run"), boot_id)
        self.places.make()
        self.effects: list[object] = []
        self.reports: list[dict[int, object]] = []
        self.warnings: list[str] = []
        self.loop = Loop()
        self.artifacts = ArtifactStore(str(directory / "state" / "artifacts"))
        self.logs = LogStore(str(directory / "state" / "logs"), self.warnings.append)
        self.journal = FileJournal(directory / "journal")
        context = Context(self.journal, self.effects.append, self._report, Clock(boot_id), os.urandom, boot_id)  # type: ignore[arg-type]
        self.supervisor = Supervisor(context)
        self.processes = Processes(
            self.supervisor, self.loop, self.places, self.artifacts, self.logs, "node-1", monotonic_ms
        )
        self._carry_out = {
            StartUnit: self.processes.start,
            AdoptUnit: self.processes.adopt,
            SignalUnit: self.processes.signal,
            RemoveWorkload: self.processes.remove,
        }

    def _report(self, lane: int, body: dict[int, object], coalesce_key: str | None) -> None:
        self.reports.append(body)

    def round(self, wait_ms: int = 20) -> None:
        """One turn of a port's loop."""
        now_ms = monotonic_ms()
        deadlines = [self.supervisor.step(now_ms), self.processes.step(now_ms), self.logs.step(now_ms)]
        while self.effects:
            self._carry_out[type(self.effects[0])](self.effects.pop(0))  # type: ignore[index]
            deadlines = [now_ms]
        self.loop.wait(min([deadline for deadline in deadlines if deadline is not None] + [now_ms + wait_ms]))
        self.processes.reap(monotonic_ms())

    def run_until(self, condition, timeout_s: float = 20.0) -> None:  # type: ignore[no-untyped-def]
        end_ms = monotonic_ms() + int(timeout_s * 1000)
        while not condition():
            assert monotonic_ms() < end_ms, self.supervisor.summary()
            self.round()

    def row(self, unit: str = UNIT) -> dict[str, object]:
        """The unit's row of the summary; empty where there is no such unit."""
        return next((row for row in self.supervisor.summary() if row["unit"] == unit), {})

    def state(self, unit: str = UNIT) -> object:
        return self.row(unit).get("table_state")

    def pid(self, unit: str = UNIT) -> int:
        """Of the running workload, once it runs."""
        self.run_until(lambda: self.state(unit) == "running")
        self.round(0)  # so that it is reported too
        return int(str(self.row(unit)["pid"]))

    def log(self, unit: str = UNIT) -> str:
        path = Path(self.places.log(unit))
        return path.read_text(errors="replace") if path.exists() else ""

    def last_status(self) -> dict[int, object]:
        """The first container's, in the last report that tells one."""
        bodies = [body for body in self.reports if body[m.REPORT] == m.REPORT_WORKLOAD]
        return bodies[-1][m.STATUS_CONTAINERS][0]  # type: ignore[index,no-any-return]

    def is_gone(self) -> bool:
        return {m.REPORT: m.REPORT_WORKLOAD_GONE, 1: "u1"} in self.reports

    def finish(self) -> None:
        """End all that runs, then the keeper."""
        for unit in self.processes.units():
            self.supervisor.set_desired("default/job/" + unit.partition("/")[0], None, monotonic_ms())
        self.run_until(lambda: not self.processes.units())
        self.processes.dismiss_keeper()
        self.processes.close()


def workload(
    *command: str, policy: str = "Always", grace_ms: int = 5000, uid: str = "u1", **more: object
) -> dict[int, object]:
    """`more`: environment, files, directory, digest."""
    return process_form(command, policy, grace_ms, uid, more)  # type: ignore[no-any-return, no-untyped-call]
