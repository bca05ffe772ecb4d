"""A Modbus bus: one exchange at a time with the units behind one connection.

Requests wait in a queue. A unit that answers goes first; one that was silent is probed when nobody else waits, and
between two probes its requests are answered here, without the bus. So a dead unit costs the others one timeout for
each probe, of which there are fewer and fewer.

Five ways out of an exchange:
    1. the answer                      the next exchange starts
    2. an answer that is not due       skipped: late, doubled, or of another unit
    3. the timeout                     the unit counts as silent; on a framing that cannot tell answers apart the bus
                                       stays quiet until a late one can no longer be taken for the next
    4. the connection ends             asked again over a new one, if the old one had ever answered: so each new
                                       connection brings an answer, or ends it
    5. the framing is broken           the connection is closed: nothing after the break can be trusted
"""

from edgelite.driver import Bus, Request, Result
from edgelite_drivers.backoff import Backoff
from edgelite_drivers.modbus.job import Job
from edgelite_drivers.modbus.unit import Unit
from edgelite_protocol.errors import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edgelite_drivers.modbus.config import Protocol
    from edgelite_drivers.modbus.framing import Framing

RECONNECT_MS_MIN = 1_000
RECONNECT_MS_MAX = 30_000
PROBE_WAIT_MS_MAX = 10_000  # a silent unit is probed after that long even on a bus that never rests
QUIET_TIMEOUTS = 2  # a late answer is expected within that many times the timeout that it missed
SILENT_TIMEOUTS_MAX = 3  # in a row, with not one byte received: the connection itself may be dead


class ModbusBus(Bus):
    def __init__(self, framing: "Framing", random_bytes: "Callable[[int], bytes]") -> None:
        self._framing = framing
        self._random_bytes = random_bytes
        self._reconnect = Backoff(RECONNECT_MS_MIN, RECONNECT_MS_MAX, random_bytes)
        self._units: dict[int, Unit] = {}
        self._queue: list[Job] = []  # bounded by the caller: one for each property group and write in flight
        self._results: list[Result] = []
        self._current: Job | None = None
        self._deadline_ms = 0
        self._output = b""
        self._is_open = False
        self._close_reason = ""
        self._failure = ""  # why the last connection failed, while its backoff lasts
        self._reopen_ms = 0
        self._quiet_until_ms = 0
        self._has_answered = False  # on this connection
        self._silent_timeouts = 0
        self.exchanges = 0
        self.timeouts = 0

    # ---- driver contract

    def submit(self, request: Request, now_ms: int) -> None:
        protocol: Protocol = request.protocol  # type: ignore[assignment]
        job = Job(request, self._unit(protocol.unit), now_ms)
        if job.is_done:
            self._results.append(job.result())
        elif not self._is_open and self._failure and now_ms < self._reopen_ms:
            self._finish(job, self._failure)
        elif job.unit.is_paused(now_ms):
            self._finish(job, job.unit.silence)
        else:
            self._queue.append(job)
            if not job.unit.silence:  # a probe waits for `step`, when those who answer have had their turn
                self._start_next(now_ms)

    def next_result(self) -> "Result | None":
        return self._results.pop(0) if self._results else None

    def step(self, now_ms: int) -> "int | None":
        if self._current is not None and now_ms >= self._deadline_ms:
            self._timed_out(self._current, now_ms)
        if not self._is_open:
            return self._expire_waiting(now_ms)
        self._start_next(now_ms)
        if self._current is not None:
            return self._deadline_ms
        return self._quiet_until_ms if self._queue else None

    def wants_open(self, now_ms: int) -> bool:
        return not self._is_open and len(self._queue) > 0 and now_ms >= self._reopen_ms

    def wants_close(self, now_ms: int) -> bool:
        return self._is_open and self._close_reason != ""

    # ---- channel

    def opened(self, now_ms: int) -> None:
        self._framing.reset()
        self._is_open = True
        self._close_reason = ""
        self._has_answered = False
        self._silent_timeouts = 0
        self._start_next(now_ms)

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        if self._close_reason:
            return
        self._silent_timeouts = 0
        self._framing.feed(data)
        try:
            answer = self._framing.next_answer()
            while answer is not None:
                self._take_answer(answer, now_ms)
                answer = self._framing.next_answer()
        except ProtocolError as error:
            self._close_reason = "not Modbus: " + error.text

    def data_to_send(self, size_bytes_max: int) -> bytes:
        data = self._output[:size_bytes_max]
        self._output = self._output[size_bytes_max:]
        return data

    def closed(self, reason: str, now_ms: int) -> None:
        reason = self._close_reason or reason
        was_useful = self._is_open and self._has_answered and not self._close_reason
        self._is_open = False
        self._output = b""
        self._requeue_current(was_useful, reason)
        if was_useful:
            return
        self._failure = "no connection: " + reason
        self._reopen_ms = now_ms + self._reconnect.pause_ms()
        for job in self._queue:
            self._finish(job, self._failure)
        self._queue = []

    # ---- exchanges

    def _unit(self, number: int) -> Unit:
        unit = self._units.get(number)
        if unit is None:
            unit = self._units[number] = Unit(self._random_bytes)
        return unit

    def _start_next(self, now_ms: int) -> None:
        if not self._is_open or self._close_reason or now_ms < self._quiet_until_ms:
            return
        while self._current is None and self._queue:
            job = self._take_job(now_ms)
            if job.unit.is_paused(now_ms):  # it fell silent while this one waited
                self._finish(job, job.unit.silence)
            else:
                self._current = job
                self._send_current(now_ms)

    def _take_job(self, now_ms: int) -> Job:
        for index, job in enumerate(self._queue):
            if not job.unit.silence or now_ms - job.submitted_ms >= PROBE_WAIT_MS_MAX:
                return self._queue.pop(index)
        return self._queue.pop(0)

    def _send_current(self, now_ms: int) -> None:
        job = self._current
        if job is None:
            return
        self._output += self._framing.encode(job.unit_number, job.request_pdu())
        self._deadline_ms = now_ms + job.timeout_ms
        self.exchanges += 1

    def _take_answer(self, data: bytes, now_ms: int) -> None:
        job = self._current
        if job is None:
            return
        self._has_answered = True
        self._reconnect.reset()
        self._failure = ""
        job.answer(data, now_ms)
        if not job.is_done:
            self._send_current(now_ms)
            return
        self._current = None
        if job.answered:
            job.unit.heard()
        else:
            job.unit.was_silent(self._first_error(job), now_ms)
        self._results.append(job.result())
        self._start_next(now_ms)

    def _timed_out(self, job: Job, now_ms: int) -> None:
        self.timeouts += 1
        self._silent_timeouts += 1
        self._framing.expire()
        self._current = None
        self._finish(job, "no answer within %d ms" % job.timeout_ms)
        if not job.answered:
            job.unit.was_silent(self._first_error(job), now_ms)
        if not self._framing.identifies_answers:
            self._quiet_until_ms = now_ms + QUIET_TIMEOUTS * job.timeout_ms
        if self._silent_timeouts >= SILENT_TIMEOUTS_MAX:
            self._close_reason = "nothing received"

    def _requeue_current(self, again: bool, reason: str) -> None:
        job = self._current
        self._current = None
        if job is None:
            return
        if again:
            self._queue.insert(0, job)
        else:
            self._finish(job, "connection lost: " + reason)

    def _expire_waiting(self, now_ms: int) -> "int | None":
        """While the connection is not there, a request waits for it as long as it would for an answer."""
        waiting = []
        deadline_ms: int | None = None
        for job in self._queue:
            expiry_ms = job.submitted_ms + job.timeout_ms
            if now_ms >= expiry_ms:
                self._finish(job, "no connection within %d ms" % job.timeout_ms)
                continue
            waiting.append(job)
            if deadline_ms is None or expiry_ms < deadline_ms:
                deadline_ms = expiry_ms
        self._queue = waiting
        return deadline_ms

    def _finish(self, job: Job, text: str) -> None:
        job.fail(text)
        self._results.append(job.result())

    def _first_error(self, job: Job) -> str:
        for name in job.errors:
            return job.errors[name]
        return "no answer"
