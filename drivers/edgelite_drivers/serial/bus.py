"""A line, or a connection to a serial server, with the devices on it.

Who is asked is asked one exchange at a time: what wakes it up, its question, its answer, as a list of steps. Who is
listened for hears every frame. Ways out of an exchange:

    1. all values are there             the next exchange
    2. silence                          the device rests for longer and longer; the line stays quiet for one more
                                        timeout, so that a late answer cannot be taken for the next question's
    3. frames that are none of ours     passed over, until 2
    4. noise, a wrong checksum          the same, and the error says so
    5. the line is gone                 every question ends; it is opened again under its name

While somebody waits for the line, those that listen hear nothing from it that is an answer's.
"""

from edgelite.driver import ConfigurationError, Request, Result
from edgelite_drivers.backoff import Backoff
from edgelite_drivers.exchange import ExchangeBus
from edgelite_drivers.serial import steps
from edgelite_drivers.serial.framing import Framer
from edgelite_drivers.serial.steps import Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edgelite_drivers.serial.config import Protocol, Visitor

    Value = int | float | str | bool | bytes

BAUD_DEFAULT = 9600  # of a serial server, for how long a long frame may take
BITS_MAX = 12  # of a byte on the line
SILENCE_MS_MIN, SILENCE_MS_MAX = 1_000, 30_000  # how long a device rests that did not answer
SILENT_TIMEOUTS_MAX = 3  # in a row, without a byte: the connection to a serial server may be dead itself


class Silence:
    """A device that did not answer."""

    def __init__(self, random_bytes: "Callable[[int], bytes]") -> None:
        self.text = ""  # "" while it answers
        self.until_ms = 0
        self._backoff = Backoff(SILENCE_MS_MIN, SILENCE_MS_MAX, random_bytes)

    def heard(self) -> None:
        self.text = ""
        self._backoff.reset()

    def begins(self, text: str, now_ms: int) -> None:
        self.text = text
        self.until_ms = now_ms + self._backoff.pause_ms()


class Exchange:
    """A request under way. `places` of its program are done."""

    def __init__(self, request: Request, program: "list[Step]") -> None:
        self.request = request
        self.program = program
        self.place = 0
        self.captured: dict[str, Any] = {}
        self.values: dict[str, Value] = {}
        self.errors: dict[str, str] = {}
        self.framer: Framer | None = None  # of the answer that is waited for
        self.sent = b""  # what some lines bring back as an echo
        self.silent_ms = 0  # when silence has lasted too long
        self.limit_ms = 0  # when even one that never falls silent has
        self.is_paused = False
        self.has_bytes = False  # since it waits
        self.has_frame = False
        self.has_answered = False  # at all

    def take(self, content: bytes) -> bool:
        """Whether the step that waits is done with this frame."""
        step = self.program[self.place]
        visitors: Any = self.request.visitors
        if step.kind != steps.ANSWER:
            found: Any = step.pattern.match(content) if step.pattern is not None else ({}, {})
            if found is None or found[1]:
                return False
            self.captured.update(found[0])
            return True
        for name in list(step.names):
            fits, value, error = visitors[name].read(content)
            if fits:
                step.names.remove(name)
                self.errors.pop(name, None)
                if error:
                    self.errors[name] = error
                else:
                    self.values[name] = value
        return not step.names


class Listener:
    def __init__(self, request: Request, now_ms: int) -> None:
        protocol: Any = request.protocol
        self.request = request
        self.framer = Framer(protocol.framing)
        self.silence_ms: int = protocol.silence_ms
        self.deadline_ms: int | None = now_ms + self.silence_ms  # None once its silence was told

    def result(self, content: bytes, now_ms: int) -> "Result | None":
        values: dict[str, Value] = {}
        errors: dict[str, str] = {}
        visitors: Any = self.request.visitors
        for name in visitors:
            fits, value, error = visitors[name].read(content)
            if fits and error:
                errors[name] = error
            elif fits:
                values[name] = value
        if not values and not errors:
            return None
        self.deadline_ms = now_ms + self.silence_ms
        return Result(self.request.number, values, errors, True, now_ms)

    def silent(self, text: str, now_ms: int) -> Result:
        self.deadline_ms = None
        return Result(self.request.number, {}, dict.fromkeys(self.request.visitors, text), False, now_ms)


class SerialBus(ExchangeBus):
    def __init__(self, settings: "dict[str, Any] | None", random_bytes: "Callable[[int], bytes]") -> None:
        super().__init__(random_bytes)
        self._random_bytes = random_bytes
        self._settings = settings  # of the line as it is now; None behind a serial server
        self._base = settings
        self._wanted: dict[str, Any] | None = None  # settings that the port has not been asked for yet
        self._exchange: Exchange | None = None
        self._resume_ms = 0  # a pause ends, or the line has been quiet for long enough
        self._awake: Protocol | None = None  # who was woken up on this connection
        self._listeners: dict[int, Listener] = {}  # one for each cycle of a device
        self._silent_timeouts = 0

    # ---- driver contract

    def question(self, request: Request) -> bytes:
        """Only whether it can be asked."""
        self._program(request)
        return b""

    def submit(self, request: Request, now_ms: int) -> None:
        silence = self._silence(request)
        if silence.text and now_ms < silence.until_ms:
            self._finish(request, {}, silence.text, False, now_ms)
        else:
            super().submit(request, now_ms)

    def listen(self, request: Request, now_ms: int) -> None:
        self._listeners[request.number] = Listener(request, now_ms)

    def ignore(self, number: int, now_ms: int) -> None:
        self._listeners.pop(number, None)

    def step(self, now_ms: int) -> "int | None":
        for listener in list(self._listeners.values()):
            self._hear(listener, now_ms)
            if listener.deadline_ms is not None and now_ms >= listener.deadline_ms:
                text = "nothing of it was received within %d ms" % listener.silence_ms
                self._results.append(listener.silent(self._with_fault(text, listener.framer), now_ms))
                if self._base is None and self._is_open:  # the connection itself may be dead
                    self._must_close = "nothing received"
        if self._exchange is not None:
            self._step_exchange(self._exchange, now_ms)
        elif self._queue and self._deadline_ms is not None and now_ms >= self._deadline_ms:
            if self._is_open:
                self._ask(now_ms)
            else:
                self._give_up("no connection within %d ms" % self._protocol(self._queue[0]).timeout_ms, now_ms)
        return self._next_deadline(now_ms)

    def wants_open(self, now_ms: int) -> bool:
        return not self._is_open and (len(self._queue) > 0 or len(self._listeners) > 0) and now_ms >= self._reopen_ms

    def wants_settings(self, now_ms: int) -> "dict[str, Any] | None":
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            self._settings = wanted
        return wanted

    # ---- channel

    def opened(self, now_ms: int) -> None:
        self._settings = self._base
        self._awake = None
        self._silent_timeouts = 0
        self._resume_ms = now_ms
        for listener in self._listeners.values():
            listener.framer.clear()
        super().opened(now_ms)

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        self._silent_timeouts = 0
        for listener in list(self._listeners.values()):
            listener.framer.feed(data, now_ms)
            self._hear(listener, now_ms)
        exchange = self._exchange
        if exchange is None or exchange.framer is None:
            return  # nobody has asked: what comes late is dropped
        exchange.has_bytes = True
        exchange.silent_ms = min(now_ms + self._timeout_ms(exchange), exchange.limit_ms)
        exchange.framer.feed(data, now_ms)
        self._take_frames(exchange, now_ms)

    def closed(self, reason: str, now_ms: int) -> None:
        self._exchange = None
        self._wanted = None
        super().closed(reason, now_ms)
        for listener in self._listeners.values():
            listener.framer.clear()
            if listener.deadline_ms is not None:
                self._results.append(listener.silent(self._failure, now_ms))

    # ---- exchanges

    def _protocol(self, request: Request) -> "Protocol":
        protocol: Any = request.protocol
        return protocol  # type: ignore[no-any-return]

    def _silence(self, request: Request) -> Silence:
        protocol = self._protocol(request)
        if protocol.silence is None:
            protocol.silence = Silence(self._random_bytes)
        return protocol.silence  # type: ignore[no-any-return]

    def _program(self, request: Request) -> "list[Step]":
        protocol = self._protocol(request)
        visitors: Any = request.visitors
        program: list[Step] = []
        if protocol.wake_up and (protocol.wakes_each_time or self._awake is not protocol):
            program.extend(protocol.wake_up)
        if request.value is not None:
            for name in visitors:
                program.extend(_write_steps(visitors[name], request.value, protocol))
            return program
        for data, names in _questions(visitors, protocol):
            program.extend(_read_steps(data, names, protocol))
        return program

    def _ask(self, now_ms: int) -> None:
        """Begin with the first in the queue, or wait until it may be asked."""
        self._exchange = None
        self._deadline_ms = None
        if not self._queue:
            return
        protocol = self._protocol(self._queue[0])
        if not self._is_open:
            self._deadline_ms = now_ms + protocol.timeout_ms
        elif now_ms < self._resume_ms:
            self._deadline_ms = self._resume_ms
        else:
            self._exchange = Exchange(self._queue[0], self._program(self._queue[0]))
            if self._awake is not protocol or protocol.wakes_each_time:
                self._want(self._base)
            self._advance(self._exchange, now_ms)

    def _advance(self, exchange: Exchange, now_ms: int) -> None:
        """Go on until something has to be waited for."""
        while self._exchange is exchange:
            if exchange.place == len(exchange.program):
                self._done(exchange, now_ms)
                return
            step = exchange.program[exchange.place]
            if self._wanted is not None and step.kind in (steps.SEND, steps.BAUD, steps.PAUSE):
                return  # the line is set first
            if step.kind == steps.SEND:
                if not self._send(exchange, step, now_ms):
                    return
            elif step.kind == steps.BAUD:
                if not self._switch(exchange, step, now_ms):
                    return
            elif step.kind == steps.PAUSE:
                self._resume_ms = now_ms + step.pause_ms
                exchange.is_paused = True
                return
            else:
                self._expect(exchange, step, now_ms)
                return
            exchange.place += 1

    def _send(self, exchange: Exchange, step: Step, now_ms: int) -> bool:
        framing = self._protocol(exchange.request).framing
        data = step.data
        try:
            if step.template is not None:
                data = step.template.data(exchange.captured, framing.checksum)
        except ConfigurationError as error:
            self._fail(exchange, "step %d cannot be sent: %s" % (exchange.place + 1, error.text), now_ms)
            return False
        exchange.sent = data
        self._output += data
        return True

    def _switch(self, exchange: Exchange, step: Step, now_ms: int) -> bool:
        settings = dict(self._settings or {})
        settings.update(step.settings)
        if step.baud_field:
            text = str(exchange.captured.get(step.baud_field))
            if text not in step.bauds:
                self._fail(exchange, "the device names a baud rate that `bauds` has not: " + text, now_ms)
                return False
            settings["baud"] = step.bauds[text]
        self._want(settings)
        return True

    def _want(self, settings: "dict[str, Any] | None") -> None:
        if self._settings != settings:
            self._wanted = settings

    def _expect(self, exchange: Exchange, step: Step, now_ms: int) -> None:
        framing = step.framing or self._protocol(exchange.request).framing
        exchange.framer = Framer(framing)
        exchange.has_bytes = exchange.has_frame = False
        exchange.silent_ms = now_ms + self._timeout_ms(exchange) + self._on_line_ms(len(self._output))
        exchange.limit_ms = exchange.silent_ms + self._on_line_ms(framing.bytes_max)

    def _on_line_ms(self, count: int) -> int:
        baud: int = self._settings["baud"] if self._settings else BAUD_DEFAULT
        return count * BITS_MAX * 1000 // baud

    def _timeout_ms(self, exchange: Exchange) -> int:
        return exchange.program[exchange.place].timeout_ms or self._protocol(exchange.request).timeout_ms

    def _step_exchange(self, exchange: Exchange, now_ms: int) -> None:
        if exchange.is_paused:
            if now_ms >= self._resume_ms:
                exchange.is_paused = False
                exchange.place += 1
                self._advance(exchange, now_ms)
        elif exchange.framer is None:
            self._advance(exchange, now_ms)
        else:
            self._take_frames(exchange, now_ms)
            if self._exchange is exchange and exchange.framer is not None and now_ms >= exchange.silent_ms:
                self._timed_out(exchange, now_ms)

    def _take_frames(self, exchange: Exchange, now_ms: int) -> None:
        framer = exchange.framer
        content = framer.next_frame(now_ms) if framer is not None else None
        while content is not None and framer is not None:
            if not self._is_echo(exchange, content):
                exchange.has_frame = exchange.has_answered = True
                if exchange.take(content):
                    exchange.framer = None
                    exchange.place += 1
                    self._advance(exchange, now_ms)
                    return
            content = framer.next_frame(now_ms)

    def _is_echo(self, exchange: Exchange, content: bytes) -> bool:
        """A line with two wires may bring back what was sent. A device may too, to confirm it."""
        return content.strip() == exchange.sent.strip() and exchange.program[exchange.place].kind != steps.CONFIRM

    def _timed_out(self, exchange: Exchange, now_ms: int) -> None:
        step = exchange.program[exchange.place]
        timeout_ms = self._timeout_ms(exchange)
        if exchange.has_frame:
            what = "the answer fits no pattern"
            if step.kind == steps.EXPECT:
                what = "what the device says to step %d does not fit its pattern" % (exchange.place + 1)
        elif exchange.has_bytes:
            what = self._with_fault("what came within %d ms is no whole frame" % timeout_ms, exchange.framer)
        else:
            what = "no answer within %d ms" % timeout_ms
            self._silent_timeouts += 1
            if self._base is None and self._silent_timeouts >= SILENT_TIMEOUTS_MAX:
                self._must_close = "nothing received"
        self._fail(exchange, what, now_ms)

    def _with_fault(self, text: str, framer: "Framer | None") -> str:
        return "%s: %s" % (text, framer.fault) if framer is not None and framer.fault else text

    def _fail(self, exchange: Exchange, text: str, now_ms: int) -> None:
        protocol = self._protocol(exchange.request)
        answered = exchange.has_answered
        if not answered:
            self._silence(exchange.request).begins(text, now_ms)
        self._awake = None
        self._resume_ms = now_ms + protocol.timeout_ms
        self._end(exchange, text, answered, now_ms)

    def _done(self, exchange: Exchange, now_ms: int) -> None:
        protocol = self._protocol(exchange.request)
        self._silence(exchange.request).heard()
        self._backoff.reset()
        self._awake = protocol
        self._resume_ms = now_ms + protocol.pause_ms
        self._end(exchange, "", True, now_ms)

    def _end(self, exchange: Exchange, text: str, answered: bool, now_ms: int) -> None:
        """`text` is "" where it went well."""
        self._exchange = None
        request = self._queue.pop(0)
        errors = {name: exchange.errors.get(name, text) for name in request.visitors if name not in exchange.values}
        if request.value is not None and not text:
            errors = {}
        self._results.append(Result(request.number, exchange.values, errors, answered, now_ms))
        self._ask(now_ms)

    def _give_up(self, text: str, now_ms: int) -> None:
        """Nobody is asked before the connection is there: it has not come in time."""
        queue, self._queue = self._queue, []
        for request in queue:
            self._finish(request, {}, text, False, now_ms)
        self._deadline_ms = None

    def _hear(self, listener: Listener, now_ms: int) -> None:
        content = listener.framer.next_frame(now_ms)
        while content is not None:
            self._backoff.reset()
            result = listener.result(content, now_ms)
            if result is not None:
                self._results.append(result)
            content = listener.framer.next_frame(now_ms)

    # ---- time

    def _next_deadline(self, now_ms: int) -> "int | None":
        deadlines: list[int | None] = [self._deadline_ms]
        exchange = self._exchange
        if self._wanted is not None:
            deadlines.append(now_ms)
        elif exchange is not None and exchange.framer is not None:
            deadlines += [exchange.silent_ms, exchange.framer.deadline_ms()]
        elif exchange is not None:
            deadlines.append(self._resume_ms)
        for listener in self._listeners.values():
            deadlines += [listener.deadline_ms, listener.framer.deadline_ms()]
        if self._listeners and not self._is_open and now_ms < self._reopen_ms:
            deadlines.append(self._reopen_ms)
        known = [one for one in deadlines if one is not None]
        return min(known) if known else None


def _questions(visitors: "dict[str, Visitor]", protocol: "Protocol") -> "list[tuple[bytes, list[str]]]":
    """What is asked, and whose values come back: who asks the same asks once."""
    asked: list[tuple[bytes, list[str]]] = []
    for name in sorted(visitors):
        template = visitors[name].request
        data = template.data({}, _checksum_for(template, protocol)) if template is not None else protocol.request
        if data is None:
            if not protocol.wake_up:
                raise ConfigurationError("request", "neither the property nor the device has a `request`")
            data = b""
        for known, names in asked:
            if known == data:
                names.append(name)
                break
        else:
            asked.append((data, [name]))
    return asked


def _checksum_for(template: "Any", protocol: "Protocol") -> "Any":
    if "checksum" in template.names and protocol.framing.checksum is None:
        raise ConfigurationError("request", "has a {checksum}, and the device has none")
    return protocol.framing.checksum


def _read_steps(data: bytes, names: "list[str]", protocol: "Protocol") -> "list[Step]":
    send, answer = Step(steps.SEND), Step(steps.ANSWER)
    send.data = data
    answer.names = names
    return [send, answer] if data else [answer]


def _write_steps(visitor: "Visitor", value: "Value", protocol: "Protocol") -> "list[Step]":
    send = Step(steps.SEND)
    if visitor.write is not None:
        _checksum_for(visitor.write, protocol)
    send.data = visitor.frame(value, protocol.framing.checksum)
    if visitor.confirm is None:
        return [send]
    confirm = Step(steps.CONFIRM)
    confirm.pattern = visitor.confirm
    return [send, confirm]
