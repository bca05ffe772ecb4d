"""Many seeds on all cores, each in a process that does nothing else; what fails is shrunk beside the others."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field

from edgelite_sim.hunt.found import Found
from edgelite_sim.hunt.shrink import shrink
from edgelite_sim.hunt.swarm import swarm
from edgelite_sim.hunt.trial import Trial, try_scenario

SHRINK_S = 120.0
LOOK_S = 0.5


@dataclass
class Tally:
    """How a hunt goes."""

    runs: int = 0
    failed: int = 0
    node_ms: int = 0
    faults: int = 0
    events: int = 0
    busy: int = 0
    began_s: float = field(default_factory=time.monotonic)
    by_invariant: dict[str, int] = field(default_factory=dict)

    def count(self, trial: Trial) -> None:
        self.runs += 1
        self.node_ms += trial.node_ms
        self.faults += trial.faults
        self.events += trial.events
        self.failed += bool(trial.failures)
        for name in trial.failures:
            self.by_invariant[name] = self.by_invariant.get(name, 0) + 1


@dataclass(frozen=True)
class Plan:
    """Which seeds, for how long at most (None: until all are through), on how many cores, with which kinds of faults
    (none: all); after `stop_after` different invariants have failed it begins nothing new."""

    seeds: Sequence[int]
    time_s: float | None = None
    jobs: int = 0
    kinds: Sequence[str] = ()
    shrink_s: float = SHRINK_S
    stop_after: int = 5


def cores() -> int:
    return len(os.sched_getaffinity(0))


def hunt(
    plan: Plan, failed: Callable[[Trial], object], found: Callable[[Found], object], told: Callable[[Tally], object]
) -> Tally:
    """`failed` hears of each failing seed, `found` of each different failure when it has been shrunk, `told` of how it
    goes, a few times a second."""
    tally = Tally()
    jobs = plan.jobs or cores()
    context = multiprocessing.get_context("spawn")  # a process of its own, with nothing of this one in it
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        _Hunt(plan, tally, pool, jobs, failed, found, told).run()
    return tally


class _Hunt:
    def __init__(
        self,
        plan: Plan,
        tally: Tally,
        pool: ProcessPoolExecutor,
        jobs: int,
        failed: Callable[[Trial], object],
        found: Callable[[Found], object],
        told: Callable[[Tally], object],
    ) -> None:
        self._plan = plan
        self._tally = tally
        self._pool = pool
        self._jobs = jobs
        self._failed = failed
        self._found = found
        self._told = told
        self._seeds = iter(plan.seeds)
        self._running: set[Future[object]] = set()

    def run(self) -> None:
        while True:
            self._begin()
            if not self._running:
                return
            done, self._running = wait(self._running, timeout=LOOK_S, return_when=FIRST_COMPLETED)
            for future in done:
                self._take(future.result())
            self._tally.busy = min(len(self._running), self._jobs)
            self._told(self._tally)

    def _begin(self) -> None:
        while len(self._running) < self._jobs and not self._is_over():
            seed = next(self._seeds, None)
            if seed is None:
                return
            self._running.add(self._pool.submit(_try_seed, seed, tuple(self._plan.kinds)))

    def _is_over(self) -> bool:
        plan = self._plan
        late = plan.time_s is not None and time.monotonic() - self._tally.began_s >= plan.time_s
        return late or len(self._tally.by_invariant) >= plan.stop_after

    def _take(self, result: object) -> None:
        if isinstance(result, Found):
            self._found(result)
            return
        assert isinstance(result, Trial)
        new = sorted(set(result.failures) - set(self._tally.by_invariant))
        self._tally.count(result)
        if not result.failures:
            return
        self._failed(result)
        for invariant in new:  # the same again is counted, and not shrunk
            kinds = tuple(self._plan.kinds)
            self._running.add(self._pool.submit(_shrink_seed, result, kinds, self._plan.shrink_s, invariant))


def _try_seed(seed: int, kinds: Sequence[str]) -> Trial:
    return try_scenario(swarm(seed, kinds))


def _shrink_seed(trial: Trial, kinds: Sequence[str], time_s: float, invariant: str) -> Found:
    smallest, gave = shrink(swarm(trial.seed, kinds), trial, time_s, invariant)
    return Found(smallest, trial.seed, gave.failures, gave.digest, invariant)
