"""Where the agent does what may block: syncs, name lookups, unpacking of artifacts.

Work is ordered in lanes. Each lane has one thread, which starts with the lane's first job and ends when the lane
is empty, so an idle agent has no thread but its own. Jobs of one lane run one after another in order; lanes do
not wait for each other: a card that stalls for ten seconds never holds up a name lookup, and a dead name server
never holds up a sync.

The functions run off the loop's thread and must touch nothing of the core. Their results come back through
`run_completions`, which the loop calls when `descriptor` is readable.
"""

import _thread
import os

from edgelite_ports.common.dispatch import LANES
from edgelite_protocol.errors import MisuseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

JOBS_MAX = 64  # a lane; callers have at most one job in flight per purpose, so more is a bug of ours


class Job:
    """`work()` runs off the loop; `done(result, error)` on it, `error` None or the exception that ended `work`."""

    def __init__(self, work: "Callable[[], object]", done: "Callable[[object, BaseException | None], None]") -> None:
        self.work = work
        self.done = done
        self.result: object = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self.work()
        except Exception as error:  # noqa: BLE001 - it is not swallowed: `done` gets it, on the loop
            self.error = error


class Worker:
    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()
        self._waiting: list[list[Job]] = [[] for _ in range(LANES)]
        self._running = [False] * LANES
        self._finished: list[Job] = []
        self.descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def submit(
        self, lane: int, work: "Callable[[], object]", done: "Callable[[object, BaseException | None], None]"
    ) -> None:
        with self._lock:
            queue = self._waiting[lane]
            if len(queue) >= JOBS_MAX:
                raise MisuseError("worker lane %d holds %d jobs" % (lane, len(queue)))
            queue.append(Job(work, done))
            start = not self._running[lane]
            self._running[lane] = True
        if start:
            _thread.start_new_thread(self._run_lane, (lane,))

    def _run_lane(self, lane: int) -> None:
        with self._lock:
            job = self._next_job(lane)
        while job is not None:
            job.run()
            with self._lock:  # in one step: what is completed must not seem to run, to one that will not ask again
                self._finished.append(job)
                job = self._next_job(lane)
                os.eventfd_write(self.descriptor, 1)

    def _next_job(self, lane: int) -> "Job | None":
        """With the lock held."""
        if self._waiting[lane]:
            return self._waiting[lane].pop(0)
        self._running[lane] = False
        return None

    def idle(self) -> bool:
        """Nothing waits, runs, or is finished and not yet completed."""
        with self._lock:
            return not (any(self._running) or any(self._waiting) or self._finished)

    def run_completions(self) -> None:
        """Call `done` of every finished job, in the order they finished. On the loop's thread."""
        try:
            os.eventfd_read(self.descriptor)
        except BlockingIOError:
            return  # each finished job writes to it, so there is none
        with self._lock:
            finished, self._finished = self._finished, []
        for job in finished:
            job.done(job.result, job.error)

    def close(self) -> None:
        os.close(self.descriptor)
