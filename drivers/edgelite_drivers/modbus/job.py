"""One request of the agent on its way over a Modbus bus: the exchanges that it takes and what they brought."""

from edgelite.driver import ConfigurationError, Request, Result
from edgelite_drivers.modbus import pdu
from edgelite_drivers.modbus.plan import Span, plan
from edgelite_drivers.modbus.values import ValueRefused, decode, encode
from edgelite_protocol.errors import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite_drivers.modbus.config import Protocol, Visitor
    from edgelite_drivers.modbus.unit import Unit

# A refused read of several properties is worth asking in parts: one of its registers may not exist (2), or the
# device may give fewer at once (3). Any other refusal would only be repeated.
_SPLIT_EXCEPTIONS = (pdu.EXCEPTION_ILLEGAL_DATA_ADDRESS, pdu.EXCEPTION_ILLEGAL_DATA_VALUE)
# The gateway answers in place of a device that does not.
_SILENCE_EXCEPTIONS = (pdu.EXCEPTION_GATEWAY_PATH_UNAVAILABLE, pdu.EXCEPTION_GATEWAY_TARGET_SILENT)


class Job:
    """`request_pdu()` is the next exchange's request until `is_done`; `answer` or `fail` bring it on."""

    def __init__(self, request: Request, unit: "Unit", now_ms: int) -> None:
        protocol: Protocol = request.protocol  # type: ignore[assignment]
        self.number = request.number
        self.unit = unit
        self.unit_number = protocol.unit
        self.timeout_ms = protocol.timeout_ms
        self.submitted_ms = now_ms
        self.values: dict[str, int | float | str | bool | bytes] = {}
        self.errors: dict[str, str] = {}
        self.answered = False
        self.time_ms: int | None = None
        self._names = list(request.visitors)
        self._spans: list[Span] = []
        self._write: bytes | None = None
        if request.value is None:
            visitors: dict[str, Visitor] = request.visitors  # type: ignore[assignment]
            self._spans = _last(plan(visitors, protocol.registers_max, unit.cuts), unit.silent_place)
        else:
            self._prepare_write(request)

    @property
    def is_done(self) -> bool:
        return not self._spans and self._write is None

    def request_pdu(self) -> bytes:
        return self._write if self._write is not None else self._spans[0].request()

    def answer(self, answer: bytes, now_ms: int) -> None:
        """The device's answer to `request_pdu()`, whatever is in it."""
        self.answered = True
        self.time_ms = now_ms
        try:
            data = pdu.parse_answer(self.request_pdu(), answer)
        except pdu.ExceptionAnswer as refusal:
            self._refused(refusal)
        except ProtocolError as error:
            self._drop_exchange("malformed answer: " + error.text)
        else:
            self._take(data)

    def fail(self, text: str) -> None:
        """Nothing more will come: all that has no value yet has this error."""
        if self._spans:
            self.unit.silent_place = (self._spans[0].table, self._spans[0].address)
        self._spans = []
        self._write = None
        for name in self._names:
            if name not in self.values and name not in self.errors:
                self.errors[name] = text

    def result(self) -> Result:
        return Result(self.number, self.values, self.errors, self.answered, self.time_ms)

    def _prepare_write(self, request: Request) -> None:
        name = self._names[0]
        visitor: Visitor = request.visitors[name]  # type: ignore[assignment]
        try:
            data = encode(visitor, request.value)
        except ConfigurationError as error:
            self.errors[name] = error.text
            self.answered = True  # nobody was asked, so nobody is offline
            return
        if visitor.table == "CoilRegister":
            self._write = pdu.write_coil_request(visitor.offset, data[1] != 0)
        elif len(data) == 2:
            self._write = pdu.write_register_request(visitor.offset, data)
        else:
            self._write = pdu.write_registers_request(visitor.offset, data)

    def _take(self, data: bytes) -> None:
        if self._write is not None:
            self._write = None
            return
        span = self._spans.pop(0)
        for name, visitor in span.parts:
            try:
                self.values[name] = decode(visitor, span.data_of(visitor, data))
            except ValueRefused as error:
                self.errors[name] = str(error)

    def _refused(self, refusal: pdu.ExceptionAnswer) -> None:
        if refusal.number in _SILENCE_EXCEPTIONS:
            self.answered = len(self.values) > 0
            self.fail(refusal.text)
        elif self._write is None and len(self._spans[0].parts) > 1 and refusal.number in _SPLIT_EXCEPTIONS:
            first, second = self._spans[0].halves()
            self.unit.cuts.add((second.table, second.address))
            self._spans[0] = first
            self._spans.insert(1, second)
        else:
            self._drop_exchange(refusal.text)

    def _drop_exchange(self, text: str) -> None:
        if self._write is not None:
            self._write = None
            self.errors[self._names[0]] = text
            return
        for name, _ in self._spans.pop(0).parts:
            self.errors[name] = text


def _last(spans: "list[Span]", place: "tuple[str, int] | None") -> "list[Span]":
    """`spans` with the one at `place` moved to the end: a register that hangs a device must not keep the others
    from being read."""
    moved = [span for span in spans if (span.table, span.address) == place]
    return [span for span in spans if (span.table, span.address) != place] + moved
