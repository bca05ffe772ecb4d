"""The clocks of a node, and what restarts it when its agent hangs."""

from __future__ import annotations

from collections.abc import Callable

from edgelite_protocol.errors import MisuseError
from edgelite_sim.world.queue import Event, EventQueue

MILLION = 1_000_000
DRIFT_PPM_MAX = 100_000  # a tenth: a crystal has 20 to 100 ppm, an RC oscillator some per cent


class NodeClock:
    """Monotonic milliseconds since boot, which run `drift_ppm` parts in a million faster than the world's and never go
    back within a boot; and the wall clock that logs and workloads see, which may be anything.

    Without a real-time clock (`has_rtc`) the wall clock begins in 1970 at each boot. `start_unix_ms` is the Unix time
    of the world's beginning; `boot_ms` is what the monotonic clock shows at power on.
    """

    def __init__(
        self, queue: EventQueue, boot_ms: int = 0, drift_ppm: int = 0, has_rtc: bool = False, start_unix_ms: int = 0
    ) -> None:
        self._queue = queue
        self._boot_ms = boot_ms
        self._has_rtc = has_rtc
        self._start_unix_ms = start_unix_ms
        self.drift_ppm = 0  # change it by `drift`
        self._base_ms = boot_ms  # the monotonic clock at ...
        self._base_queue_ms = queue.now_ms  # ... this time of the world
        self._wall_offset_ms = 0  # Unix time, as the node has it, minus monotonic time
        self.drift(drift_ppm)
        self.reboot()

    def monotonic_ms(self) -> int:
        passed_ms = self._queue.now_ms - self._base_queue_ms
        return self._base_ms + (self._passed_ms(passed_ms) if self.drift_ppm else passed_ms)

    def queue_time_ms(self, node_ms: int) -> int:
        """The first time of the world at which the monotonic clock shows `node_ms` or more; never before now."""
        wanted_ms = node_ms - self._base_ms
        if not self.drift_ppm:
            return max(self._queue.now_ms, self._base_queue_ms + wanted_ms)
        queue_ms = wanted_ms * MILLION // (MILLION + self.drift_ppm)
        while self._passed_ms(queue_ms) < wanted_ms:  # rounded down it may be too early, never too late
            queue_ms += 1
        return max(self._queue.now_ms, self._base_queue_ms + queue_ms)

    def unix_ms(self) -> int:
        """The wall clock."""
        return self.monotonic_ms() + self._wall_offset_ms

    # ---- what happens to clocks. What was computed by `queue_time_ms` before holds no more.

    def drift(self, ppm: int) -> None:
        """From now on it runs so much faster (slower below 0)."""
        if abs(ppm) > DRIFT_PPM_MAX:
            raise MisuseError("a clock drifts by %d to %d ppm, not by %d" % (-DRIFT_PPM_MAX, DRIFT_PPM_MAX, ppm))
        self._rebase(self.monotonic_ms())
        self.drift_ppm = ppm

    def suspend(self, duration_ms: int) -> None:
        """The node has slept, as it seems to it: its clocks, which count sleep, are later at once."""
        if duration_ms < 0:
            raise MisuseError("a monotonic clock never goes back: %d ms" % duration_ms)
        self._rebase(self.monotonic_ms() + duration_ms)

    def reboot(self) -> None:
        """The monotonic clock begins anew, the wall clock at what the real-time clock says, or in 1970."""
        self._rebase(self._boot_ms)
        self._wall_offset_ms = -self._boot_ms
        if self._has_rtc:
            self.set_wall(self._start_unix_ms + self._queue.now_ms)

    def set_wall(self, unix_ms: int) -> None:
        """0 is what a node without a real-time clock believes: 1970."""
        self._wall_offset_ms = unix_ms - self.monotonic_ms()

    def jump_wall(self, forwards_ms: int) -> None:
        """Backwards below 0; before 1970 there is nothing."""
        self.set_wall(max(0, self.unix_ms() + forwards_ms))

    def _rebase(self, monotonic_ms: int) -> None:
        self._base_ms = monotonic_ms
        self._base_queue_ms = self._queue.now_ms

    def _passed_ms(self, queue_ms: int) -> int:
        return queue_ms + queue_ms * self.drift_ppm // MILLION


class Watchdog:
    """A hardware watchdog: `bite()` comes when the agent's loop has hung for `timeout_ms`.

    An agent that is well wakes in time to feed it, however long it could sleep, so nothing is counted while it is well:
    `starve` says that it hangs, `feed` that its loop comes round again.
    """

    def __init__(self, queue: EventQueue, timeout_ms: int, bite: Callable[[], object]) -> None:
        self._queue = queue
        self._timeout_ms = timeout_ms
        self._bite = bite
        self._event: Event | None = None
        self._is_on = False
        self.bites = 0

    def start(self) -> None:
        """With the power."""
        self.feed()
        self._is_on = True

    def stop(self) -> None:
        self.feed()
        self._is_on = False

    def feed(self) -> None:
        if self._event is not None:
            self._event.cancel()
            self._event = None

    def starve(self) -> None:
        """Nobody feeds it from now on. Said again it changes nothing: the time runs since the first."""
        if self._is_on and self._event is None:
            self._event = self._queue.after(self._timeout_ms, self._starved)

    def _starved(self) -> None:
        self._event = None
        self.bites += 1
        self._bite()
