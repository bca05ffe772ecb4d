"""The runtimes that the portable suite runs under, and what each of its tests came to there."""

from __future__ import annotations

import os
import subprocess
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from edgelite_sim.qemu import agents
from edgelite_sim.qemu.emulators import UnavailableError

ROOT = Path(__file__).resolve().parents[3]
RUNNER = "tests/micropython/run_portable.py"
TIMEOUT_S = 400 * float(os.environ.get("EDGELITE_BUDGET_FACTOR", "1"))  # of one runtime's whole run
HOST = agents.HOST

# The slowest first, so that two at a time end together.
RUNTIMES = ("MicroPython ARMv6", "CPython ARMv6", "MicroPython armv7", "CPython armv7", "MicroPython amd64", HOST)
HEAP = ("-X", "heapsize=16m")  # as tests/micropython/runtime.py says


def command(runtime: str) -> list[str]:
    return agents.interpreter(runtime, *(HEAP if agents.is_micropython(runtime) else ()))


def portable_folders() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("tests/*/portable"))


class Outcomes:
    """What one runtime made of the suite: by test, "passed" or "failed"; and all that it printed."""

    def __init__(self, rows: dict[str, str], output: str) -> None:
        self.rows = rows
        self.output = output

    def about(self, test: str) -> str:
        """The traceback of a test that failed."""
        _, found, after = self.output.partition("FAILED " + str(ROOT / test))
        return after.partition("\nrow: ")[0] if found else self.output[-2000:]


def run_suite(command: list[str]) -> Outcomes:
    # Emulated programs get what they need of the environment and no more: a variable may mean another thing there.
    environment = {"PATH": os.environ["PATH"], "MICROPYPATH": agents.micropython_path(ROOT), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [*command, RUNNER, "--rows", *portable_folders()],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=TIMEOUT_S,
        check=False,
    )
    return Outcomes(rows_of(done.stdout), done.stdout)


def rows_of(output: str) -> dict[str, str]:
    """From the runner's lines "row: OUTCOME NAME"."""
    words = [line.split(" ", 2) for line in output.splitlines() if line.startswith("row: ")]
    return {name: outcome for _, outcome, name in words}


class Suite:
    """Every runtime's outcomes, all started at the first question, as many at a time as there are processors."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(os.cpu_count())
        self._futures: dict[str, Future[Outcomes]] = {}

    def outcomes(self, runtime: str) -> Outcomes:
        """Waits for them; UnavailableError where the runtime is not to be had."""
        with self._lock:
            if not self._futures:
                self._futures = {name: self._pool.submit(self._run, name) for name in RUNTIMES}
        return self._futures[runtime].result()

    def _run(self, runtime: str) -> Outcomes:
        return run_suite(command(runtime))

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def skip_or_fail(error: UnavailableError) -> None:
    """Skips with the reason; never in CI, where a machine is expected to be able to."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"not available here: {error}")
    pytest.skip(f"not available here: {error}")
