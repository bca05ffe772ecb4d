"""One run of a scenario, and what did not hold in it."""

from __future__ import annotations

import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from edgelite_sim.scenario import Scenario, run

CPU_S_MAX = 120  # of one run: what takes longer has no end
OF_THE_SIMULATOR = "the simulator itself"
TOO_LONG = "ends in time"


@dataclass(frozen=True)
class Trial:
    """`failures` has a line for each invariant that did not hold, by its name; empty where all held."""

    seed: int
    failures: dict[str, str]
    digest: str = ""
    first_ms: int = 0  # when the first violation was
    events: int = 0
    node_ms: int = 0  # simulated, of all nodes together
    faults: int = 0
    took_s: float = 0.0


class _TookTooLong(BaseException):
    """Nothing in the code under test may catch it."""


def try_scenario(scenario: Scenario, cpu_s_max: int = CPU_S_MAX) -> Trial:
    """What the run raises is a failure too: nothing that a scenario says may bring the simulator down."""
    began_s = time.monotonic()
    try:
        with _bounded(cpu_s_max):
            result = run(scenario)
    except _TookTooLong:
        return Trial(scenario.seed, {TOO_LONG: f"it had not ended after {cpu_s_max} s of computing"})
    except Exception as error:  # noqa: BLE001 - told with its place
        lines = traceback.format_exception(error)
        where = lines[-2].strip().splitlines()[0] if len(lines) > 1 else ""
        return Trial(scenario.seed, {OF_THE_SIMULATOR: f"{type(error).__name__}: {error} ({_place(where)})"})
    failed = [one for one in result.checked if not one.passed]
    return Trial(
        seed=scenario.seed,
        failures={one.name: one.violation for one in failed},
        digest=result.digest,
        first_ms=min((one.time_ms for one in failed if one.time_ms is not None), default=0),
        events=result.events,
        node_ms=result.span_ms * len(scenario.nodes()),
        faults=sum(result.faults.values()),
        took_s=time.monotonic() - began_s,
    )


def _place(line: str) -> str:
    """Without the folders of this machine."""
    return line.rpartition("/")[2].replace('"', "")


@contextmanager
def _bounded(cpu_s_max: int) -> Iterator[None]:
    """Of the main thread of a process alone; a thread of somebody else's program runs without the bound."""

    def too_long(_number: int, _frame: FrameType | None) -> None:
        raise _TookTooLong

    try:
        before = signal.signal(signal.SIGPROF, too_long)
    except ValueError:
        yield
        return
    signal.setitimer(signal.ITIMER_PROF, cpu_s_max)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
