"""A Modbus bus: one exchange at a time with the units behind one connection or on one line.

Requests wait in a queue. A unit that answers goes first; one that is silent is probed when nobody else waits, and
between two probes its requests are answered here, without the bus. The pauses between probes are so long that all of
them together take at most a fortieth of the bus' time while others are on it (PROBE_REST).

Six ways out of an exchange:
    1. the answer                      the next exchange starts
    2. "later" (exceptions 5 and 6)    asked again after a pause, while others have their turn
    3. the timeout                     asked again as often as configured, then the unit counts as silent; where answers
                                       cannot be told apart it is asked nothing else until a late one can no longer come
    4. nothing is due (a broadcast)    the next exchange starts when everybody has had time to do it
    5. the connection ends             asked again over a new one, if the old one had ever answered: so each new
                                       connection brings an answer, or ends it
    6. the framing is broken           the connection is closed: nothing after the break can be trusted
"""

from edgelite.driver import Bus, Request, Result
from edgelite_drivers.backoff import Backoff
from edgelite_drivers.modbus.framing import Framing
from edgelite_drivers.modbus.job import Job
from edgelite_drivers.modbus.unit import PAUSE_MS_MAX, Unit
from edgelite_protocol.errors import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edgelite_drivers.modbus.config import Protocol

RECONNECT_MS_MIN = 1_000
RECONNECT_MS_MAX = 30_000
PROBE_WAIT_MS_MAX = 10_000  # a silent unit is probed after that long even on a bus that never rests
PROBE_REST = 40  # times what a probe took, for each silent unit: the share of the bus that probes take, 2.5 %
QUIET_TIMEOUTS = 1  # a late answer is expected within that many times the timeout that it missed
SILENT_TIMEOUTS_MAX = 3  # in a row, with not one byte received: the connection itself may be dead
NOISE_MS_MAX = 500  # a line that is never still is not waited for longer
NOISE_TEXT = ", only bytes that are no answer: look at baud rate, parity and wiring"


class ModbusBus(Bus):
    def __init__(self, framing: "Framing", random_bytes: "Callable[[int], bytes]") -> None:
        self._framing = framing
        self._random_bytes = random_bytes
        self._reconnect = Backoff(RECONNECT_MS_MIN, RECONNECT_MS_MAX, random_bytes)
        self._units: dict[int, Unit] = {}
        self._queue: list[Job] = []  # bounded by the caller: one for each property group and write in flight
        self._results: list[Result] = []
        self._current: Job | None = None
        self._sent_ms = 0
        self._deadline_ms = 0
        self._output = b""
        self._is_open = False
        self._close_reason = ""
        self._failure = ""  # why the last connection failed, while its backoff lasts
        self._reopen_ms = 0
        self._quiet_until_ms = 0  # the line's silence before a request
        self._still_at_ms = 0  # the same, after bytes that were no answer
        self._has_answered = False  # on this connection
        self._silent_timeouts = 0
        self.exchanges = 0
        self.timeouts = 0

    # ---- driver contract

    def submit(self, request: Request, now_ms: int) -> None:
        protocol: Protocol = request.protocol  # type: ignore[assignment]
        job = Job(request, self._unit(protocol.unit), now_ms)
        job.unit.asked_ms = now_ms
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
        return self._turn_ms(now_ms) if self._queue and not self._close_reason else None

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
        self._quiet_until_ms = now_ms + self._framing.idle_ms
        self._still_at_ms = 0
        self._start_next(now_ms)

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        if self._close_reason:
            return
        self._silent_timeouts = 0
        if self._framing.idle_ms:
            self._still_at_ms = now_ms + self._framing.idle_ms
        self._framing.feed(data)
        try:
            answer = self._framing.next_answer()
            while answer is not None:
                self._take_answer(answer, now_ms)
                answer = self._framing.next_answer()
        except ProtocolError as error:
            self._close_reason = "not Modbus: " + error.text
            self._has_answered = False  # whatever it was before, it is of no use

    def data_to_send(self, size_bytes_max: int) -> bytes:
        data = self._output[:size_bytes_max]
        self._output = self._output[size_bytes_max:]
        return data

    def closed(self, reason: str, now_ms: int) -> None:
        reason = self._close_reason or reason
        was_useful = self._is_open and self._has_answered
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

    # ---- whose turn it is

    def _unit(self, number: int) -> Unit:
        unit = self._units.get(number)
        if unit is None:
            unit = self._units[number] = Unit(self._random_bytes)
        return unit

    def _start_next(self, now_ms: int) -> None:
        if not self._is_open or self._close_reason:
            return
        while self._current is None and self._queue and now_ms >= self._line_free_ms():
            index = self._next_index(now_ms)
            if index < 0:
                return
            job = self._queue.pop(index)
            if job.unit.is_paused(now_ms):  # it fell silent while this one waited
                self._finish(job, job.unit.silence)
            else:
                self._send(job, now_ms)

    def _next_index(self, now_ms: int) -> int:
        """Of the job whose turn it is, -1 where all have to wait."""
        probe = -1
        for index, job in enumerate(self._queue):
            if now_ms < self._ready_ms(job):
                continue
            if not job.unit.silence or now_ms - job.submitted_ms >= PROBE_WAIT_MS_MAX:
                return index
            if probe < 0:
                probe = index
        return probe

    def _ready_ms(self, job: Job) -> int:
        if self._framing.identifies_answers or job.retries:
            return job.not_before_ms  # the same question again: a late answer to the first one is right for it
        return max(job.not_before_ms, job.unit.doubtful_until_ms)

    def _line_free_ms(self) -> int:
        return max(self._quiet_until_ms, min(self._still_at_ms, self._queue[0].submitted_ms + NOISE_MS_MAX))

    def _turn_ms(self, now_ms: int) -> int:
        """When the first of those who wait may be asked; never now, where that was just found not to be."""
        ready_ms = min([self._ready_ms(job) for job in self._queue])
        return max(ready_ms, self._line_free_ms(), now_ms + 1)

    # ---- exchanges

    def _send(self, job: Job, now_ms: int) -> None:
        request = job.request_pdu()
        protocol = job.protocol
        self._current = job
        self._output += self._framing.encode(protocol.unit, request)
        wait_ms = protocol.timeout_ms
        if protocol.is_broadcast:
            wait_ms = protocol.turnaround_ms
            self._framing.expire()  # whatever comes, such as an echo, is no answer
        elif job.unit.silence and self._framing.can_broadcast:  # a gateway takes its own time for it
            wait_ms = job.unit.probe_ms(wait_ms)
        self._sent_ms = now_ms
        self._deadline_ms = now_ms + wait_ms + self._framing.wire_ms(request)
        self.exchanges += 1

    def _take_answer(self, data: bytes, now_ms: int) -> None:
        job = self._current
        if job is None:
            return
        self._current = None
        self._has_answered = True
        self._reconnect.reset()
        self._failure = ""
        self._quiet_until_ms = now_ms + max(self._framing.idle_ms, job.protocol.turnaround_ms)
        job.answer(data, now_ms)
        if job.answered:
            job.unit.heard(now_ms - self._sent_ms)
        else:
            self._fell_silent(job, now_ms)
        if job.is_done:
            self._results.append(job.result())
        else:
            self._queue.insert(0, job)
        self._start_next(now_ms)

    def _timed_out(self, job: Job, now_ms: int) -> None:
        answer = self._framing.expire()
        if answer is not None:
            self._take_answer(answer, now_ms)
            return
        self._current = None
        self._quiet_until_ms = now_ms + self._framing.idle_ms
        if job.protocol.is_broadcast:
            job.sent_to_all()
            self._results.append(job.result())
            return
        self.timeouts += 1
        job.unit.doubtful_until_ms = self._late_until_ms(job, now_ms)
        if not job.unit.silence and job.retries < job.protocol.retries:
            job.retries += 1
            self._queue.insert(0, job)
            return
        self._note_silence(job.unit)
        job.note_silence()
        noise = NOISE_TEXT if self._framing.has_noise() else ""
        self._finish(job, "no answer within %d ms%s" % (job.protocol.timeout_ms, noise))
        if not job.answered:
            self._fell_silent(job, now_ms)

    def _late_until_ms(self, job: Job, now_ms: int) -> int:
        """A probe may have been shorter than the timeout."""
        timeout_ms = job.protocol.timeout_ms
        return max(now_ms, self._sent_ms + timeout_ms) + QUIET_TIMEOUTS * timeout_ms

    def _note_silence(self, unit: Unit) -> None:
        """Of a connection that says nothing any more; a unit of which nothing else is expected does not count."""
        is_news = unit.was_heard and not unit.silence
        if is_news or self._living() == 0:
            self._silent_timeouts += 1
        if self._silent_timeouts >= SILENT_TIMEOUTS_MAX and not self._framing.is_line:
            self._close_reason = "nothing received"

    def _fell_silent(self, job: Job, now_ms: int) -> None:
        unit = job.unit
        living = self._living() - (1 if unit.was_heard and not unit.silence else 0)
        rest_ms = PROBE_REST * self._silent(unit, now_ms) * (now_ms - self._sent_ms) if living else 0
        unit.was_silent(_first_error(job), rest_ms, now_ms)

    def _silent(self, unit: Unit, now_ms: int) -> int:
        """With this one; those of devices that are gone do not count."""
        others = [one for one in self._units.values() if one.silence and one is not unit]
        return 1 + len([one for one in others if now_ms - one.asked_ms < PAUSE_MS_MAX])

    def _living(self) -> int:
        return len([unit for unit in self._units.values() if unit.was_heard and not unit.silence])

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
            timeout_ms = job.protocol.timeout_ms
            expiry_ms = job.submitted_ms + timeout_ms
            if now_ms >= expiry_ms:
                self._finish(job, "no connection within %d ms" % timeout_ms)
                continue
            waiting.append(job)
            if deadline_ms is None or expiry_ms < deadline_ms:
                deadline_ms = expiry_ms
        self._queue = waiting
        return deadline_ms

    def _finish(self, job: Job, text: str) -> None:
        job.fail(text)
        self._results.append(job.result())


def _first_error(job: Job) -> str:
    for name in job.errors:
        return job.errors[name]
    return "no answer"
