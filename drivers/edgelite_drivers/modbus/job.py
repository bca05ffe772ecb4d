"""One request of the agent on its way over a Modbus bus: the exchanges that it takes and what they brought."""

from edgelite.driver import Request, Result
from edgelite_drivers.modbus import pdu
from edgelite_drivers.modbus.values import ValueRefused, decode
from edgelite_protocol.errors import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite_drivers.modbus.config import Protocol
    from edgelite_drivers.modbus.plan import Span
    from edgelite_drivers.modbus.representation import Visitor
    from edgelite_drivers.modbus.unit import Unit
    from edgelite_drivers.modbus.write import Write

# A refused read of several properties is worth asking in parts: one of its registers may not exist (2), or the
# device may give fewer at once (3). Any other refusal would only be repeated.
_SPLIT_EXCEPTIONS = (pdu.EXCEPTION_ILLEGAL_DATA_ADDRESS, pdu.EXCEPTION_ILLEGAL_DATA_VALUE)
# The gateway answers in place of a device that does not.
_SILENCE_EXCEPTIONS = (pdu.EXCEPTION_GATEWAY_PATH_UNAVAILABLE, pdu.EXCEPTION_GATEWAY_TARGET_SILENT)
# The device is at work: ask again, after 100, 200, 400, 800 and 1600 ms, and then no more.
_LATER_EXCEPTIONS = (pdu.EXCEPTION_ACKNOWLEDGE, pdu.EXCEPTION_BUSY)
LATER_MS = 100
LATER_TRIES_MAX = 5


class Job:
    """`request_pdu()` is the next exchange's request until `is_done`; `answer` or `fail` bring it on."""

    def __init__(self, request: Request, unit: "Unit", now_ms: int) -> None:
        self.protocol: Protocol = request.protocol  # type: ignore[assignment]
        self.number = request.number
        self.unit = unit
        self.submitted_ms = now_ms
        self.not_before_ms = 0
        self.retries = 0  # of the exchange that is under way
        self.values: dict[str, int | float | str | bool | bytes] = {}
        self.errors: dict[str, str] = {}
        self.answered = False
        self.time_ms: int | None = None
        self._later_tries = 0
        self._names = list(request.visitors)
        self._spans: list[Span] = []
        self._write: Write | None = None
        visitors: dict[str, Visitor] = request.visitors  # type: ignore[assignment]
        if request.value is not None:
            self._begin_write(visitors[self._names[0]], request.value)
        elif self.protocol.is_broadcast:
            from edgelite_drivers.modbus.broadcast import what_was_sent

            self.answered = True
            self.values = {name: what_was_sent(visitors[name]) for name in visitors}
        else:
            self._spans = _last(unit.plan(visitors, self.protocol), unit.silent_place)

    @property
    def is_done(self) -> bool:
        return not self._spans and self._write is None

    def request_pdu(self) -> bytes:
        return self._write.request if self._write is not None else self._spans[0].request

    def answer(self, answer: bytes, now_ms: int) -> None:
        """The device's answer to `request_pdu()`, whatever is in it."""
        self.answered = True
        self.time_ms = now_ms
        self.retries = 0
        try:
            data = pdu.parse_answer(self.request_pdu(), answer)
        except pdu.ExceptionAnswer as refusal:
            self._refused(refusal, now_ms)
        except ProtocolError as error:
            self._drop_exchange("malformed answer: " + error.text)
        else:
            self._take(data)

    def sent_to_all(self) -> None:
        """A broadcast is on its way, and nobody answers."""
        from edgelite_drivers.modbus.broadcast import note_sent

        if self._write is not None:
            note_sent(self._write.visitor, self._write.data)
        self.answered = True
        self._write = None

    def note_silence(self) -> None:
        """What is asked for now has brought no answer."""
        if self._spans:
            self.unit.silent_place = (self._spans[0].table, self._spans[0].address)

    def fail(self, text: str) -> None:
        """Nothing more will come: all that has no value yet has this error."""
        self._spans = []
        self._write = None
        for name in self._names:
            if name not in self.values and name not in self.errors:
                self.errors[name] = text

    def result(self) -> Result:
        return Result(self.number, self.values, self.errors, self.answered, self.time_ms)

    def _begin_write(self, visitor: "Visitor", value: object) -> None:
        from edgelite_drivers.modbus.write import Write

        self._write = Write(visitor, value, self.unit)
        if self._write.error:  # nobody was asked, so nobody is offline
            self.answered = True
            self._end_write(self._write.error)

    def _take(self, data: bytes) -> None:
        if self._write is not None:
            if self._write.is_done_after(data):
                self._write = None
            return
        span = self._spans.pop(0)
        for name, visitor in span.parts:
            try:
                self.values[name] = decode(visitor, span.data_of(visitor, data))
            except ValueRefused as error:
                self.errors[name] = str(error)

    def _refused(self, refusal: pdu.ExceptionAnswer, now_ms: int) -> None:
        number = refusal.number
        if number in _SILENCE_EXCEPTIONS:
            self.answered = len(self.values) > 0
            self.fail(refusal.text)
        elif number in _LATER_EXCEPTIONS and self._later_tries < LATER_TRIES_MAX:
            self.not_before_ms = now_ms + (LATER_MS << self._later_tries)
            self._later_tries += 1
        elif self._write is not None:
            if number != pdu.EXCEPTION_ILLEGAL_FUNCTION or not self._write.has_another_way():
                self._end_write(refusal.text)
        elif len(self._spans[0].parts) > 1 and number in _SPLIT_EXCEPTIONS:
            first, second = self._spans[0].halves()
            self.unit.cut(second.table, second.address)
            self._spans[0] = first
            self._spans.insert(1, second)
        else:
            self._drop_exchange(refusal.text)

    def _drop_exchange(self, text: str) -> None:
        if self._write is not None:
            self._end_write(text)
            return
        for name, _ in self._spans.pop(0).parts:
            self.errors[name] = text

    def _end_write(self, text: str) -> None:
        self._write = None
        self.errors[self._names[0]] = text


def _last(spans: "list[Span]", place: "tuple[str, int] | None") -> "list[Span]":
    """`spans` with the one at `place` moved to the end: a register that hangs a device must not keep the others
    from being read."""
    if place is None:
        return spans
    moved = [span for span in spans if (span.table, span.address) == place]
    return [span for span in spans if (span.table, span.address) != place] + moved
