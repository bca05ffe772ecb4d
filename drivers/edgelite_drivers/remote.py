"""The agent's end of a driver that runs elsewhere: in a process of its own, or in a part of a board's firmware.

A driver that needs a framework, threads or blocking calls is two halves. The half in the agent is a module as any
driver's (edgelite/driver.py) whose checks return `Raw` configurations, or objects of its own with the same attributes:

    NAME = "scale"
    PROCESS_MODULE = "scale_process"         what the supervisor runs: python -m scale_process

    def target(protocol):
        return "driver", NAME

    def make_bus(target, random_bytes):
        return RemoteBus(NAME, random_bytes)

The other half is any program; `edgelite_drivers.process` has both its sans-I/O and its blocking form. What goes
between them is in protocol/SPEC.md, section 19.
"""

from edgelite.driver import Bus, ConfigurationError, Request, Result
from edgelite_drivers import driver_frames as frames
from edgelite_drivers.backoff import Backoff
from edgelite_protocol import messages
from edgelite_protocol.errors import MisuseError, ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

RECONNECT_MS_MIN = 500  # it is on this machine
RECONNECT_MS_MAX = 10_000
OPEN_MS = 20_000  # a framework needs so long to load on the slowest of nodes, from when the connection is wanted
HELLO_MS = 10_000
PING_MS = 10_000  # after the last that it said; without a sign of life for as long again it hangs
REQUEST_MS = 60_000  # a driver has timeouts of its own; this one is for one that forgets a request
RESULTS_MAX = 1024  # that wait to be taken: more than one piece of received bytes can hold
OUTPUT_BYTES_MAX = 256 * 1024  # to a process that reads slower than it is asked


class Raw:
    """A configuration as it came, for the other half. `type` is a property's ("FLOAT"), "" for a device's protocol."""

    def __init__(self, config: object, type: str = "") -> None:
        self.raw = config
        self.type = type


def raw_protocol(config: object) -> Raw:
    """For `check_protocol` of a driver whose other half knows the fields."""
    if not isinstance(config, dict):
        raise ConfigurationError("protocol.configData", "must be a map")
    return Raw(config)


def raw_visitor(config: object, property: "dict[int, object]") -> Raw:
    """The same for `check_visitor`."""
    if not isinstance(config, dict):
        raise ConfigurationError("visitors.configData", "must be a map")
    return Raw(config, str(property.get(messages.PROPERTY_TYPE, "")))


class ProcessDriver:
    """A driver of others that has no half in the agent: agent.conf says `drivers = name:process:command`. Its program
    checks the configurations; where a property has `listen: true`, the device is listened to."""

    def __init__(self, name: str, command: "list[str]") -> None:
        self.NAME = name
        self.COMMAND = command

    def check_protocol(self, config: object) -> Raw:
        return raw_protocol(config)

    def check_visitor(self, config: object, property: "dict[int, object]") -> Raw:
        return raw_visitor(config, property)

    def target(self, protocol: object) -> "tuple[str, str]":
        return "driver", self.NAME

    def make_bus(self, target: object, random_bytes: "Callable[[int], bytes]") -> "RemoteBus":
        return RemoteBus(self.NAME, random_bytes)

    def same_value(self, visitor: object, one: object, other: object) -> bool:
        return one == other

    def listens(self, visitor: "Any") -> bool:
        return visitor.raw.get("listen") is True


class _Asked:
    """A request that has no result yet, or one that listens."""

    def __init__(self, request: Request, frame: bytes, begun_ms: int) -> None:
        self.request = request
        self.frame = frame
        self.begun_ms = begun_ms


class RemoteBus(Bus):
    """`name` is what the other half calls itself in its hello. `is_hung`: it was given up because it says nothing,
    and only its end will help. `failure`: why the channel closed last. A driver whose calls block for long says a
    larger `ping_ms`: after the last that the other half said it is pinged, and after as long again it hangs."""

    def __init__(
        self,
        name: str,
        random_bytes: "Callable[[int], bytes]",
        frame_bytes_max: int = frames.FRAME_BYTES_MAX,
        ping_ms: int = PING_MS,
    ) -> None:
        self._ping_ms = ping_ms
        self.is_hung = False
        self._name = name
        self._frame_bytes_max = frame_bytes_max
        self._backoff = Backoff(RECONNECT_MS_MIN, RECONNECT_MS_MAX, random_bytes)
        self._asked: dict[int, _Asked] = {}
        self._listening: dict[int, _Asked] = {}
        self._results: list[Result] = []
        self._output = b""
        self._messages: frames.Messages | None = None  # while the channel is open
        self.failure = ""
        self._must_close = ""
        self._reopen_ms = 0
        self._hello_ms = 0  # until when it must have said hello
        self._heard_ms = 0
        self._pinged_ms: int | None = None

    # ---- driver contract

    def submit(self, request: Request, now_ms: int) -> None:
        if self._messages is None and now_ms < self._reopen_ms:
            self._fail(request, self.failure, False, now_ms)
        else:
            self._take(frames.REQUEST, request, self._asked, now_ms)

    def listen(self, request: Request, now_ms: int) -> None:
        self._take(frames.LISTEN, request, self._listening, now_ms)
        if self._messages is None and now_ms < self._reopen_ms:
            self._fail(request, self.failure, False, now_ms)

    def ignore(self, number: int, now_ms: int) -> None:
        if self._listening.pop(number, None) is not None and self._is_greeted():
            self._output += frames.numbered(frames.IGNORE, number)

    def next_result(self) -> "Result | None":
        return self._results.pop(0) if self._results else None

    def step(self, now_ms: int) -> "int | None":
        deadlines = [self._look_at_life(now_ms)] if self._messages is not None and not self._must_close else []
        for number in list(self._asked):
            patience_ms = OPEN_MS if self._messages is None else REQUEST_MS
            deadline_ms = self._asked[number].begun_ms + patience_ms
            if now_ms < deadline_ms:
                deadlines.append(deadline_ms)
            else:
                self._fail(self._asked.pop(number).request, self._silence(), False, now_ms)
        if self._messages is None and self._listening and now_ms < self._reopen_ms:
            deadlines.append(self._reopen_ms)
        return min(deadlines) if deadlines else None

    def wants_open(self, now_ms: int) -> bool:
        return self._messages is None and bool(self._asked or self._listening) and now_ms >= self._reopen_ms

    def wants_close(self, now_ms: int) -> bool:
        return self._messages is not None and self._must_close != ""

    # ---- channel

    def opened(self, now_ms: int) -> None:
        self.is_hung = False
        self._must_close = ""
        self._messages = frames.Messages(self._name, self._frame_bytes_max)
        self._hello_ms = now_ms + HELLO_MS
        self._heard_ms = now_ms
        self._pinged_ms = None
        self._output = frames.hello(self._name, self._frame_bytes_max)

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        received = self._messages
        if received is None or self._must_close:
            return
        try:
            received.feed(data)
            message = received.next()
            while message is not None:
                self._hear(message, now_ms)
                message = received.next()
        except ProtocolError as error:
            self._must_close = "driver %s: %s" % (self._name, error.text)

    def data_to_send(self, size_bytes_max: int) -> bytes:
        data = self._output[:size_bytes_max]
        self._output = self._output[size_bytes_max:]
        return data

    def closed(self, reason: str, now_ms: int) -> None:
        self.failure = self._must_close or "no connection to driver %s: %s" % (self._name, reason)
        self._messages = None
        self._output = b""
        self._reopen_ms = now_ms + self._backoff.pause_ms()
        for asked in self._asked.values():
            self._fail(asked.request, self.failure, False, now_ms)
        self._asked = {}
        for asked in self._listening.values():
            self._fail(asked.request, self.failure, False, now_ms)

    # ---- inside

    def _is_greeted(self) -> bool:
        return self._messages is not None and self._messages.peer_bytes_max > 0

    def _take(self, kind: int, request: Request, table: "dict[int, _Asked]", now_ms: int) -> None:
        """Note the request, and send it where the other half can take it; what cannot be asked has its result now."""
        frame, error = self._frame(kind, request)
        if not error and len(self._asked) + len(self._listening) >= frames.REQUESTS_MAX:
            error = "driver %s has %d requests under way" % (self._name, frames.REQUESTS_MAX)
        if not error and self._is_greeted():
            error = self._send(frame)
        if error:
            self._fail(request, error, True, now_ms)
        else:
            table[request.number] = _Asked(request, frame, now_ms)

    def _frame(self, kind: int, request: Request) -> "tuple[bytes, str]":
        """(frame, why there is none)."""
        properties = {}
        for name in request.visitors:
            visitor: Any = request.visitors[name]
            properties[name] = [visitor.raw, visitor.type]
        protocol: Any = request.protocol
        message: dict[int, object] = {
            frames.TYPE: kind,
            frames.NUMBER: request.number,
            frames.REQUEST_PROTOCOL: protocol.raw,
            frames.REQUEST_PROPERTIES: properties,
        }
        if request.value is not None:
            message[frames.REQUEST_VALUE] = request.value
        try:
            return frames.encode(message), ""
        except MisuseError as error:
            return b"", "cannot be told to driver %s: %s" % (self._name, error)

    def _send(self, frame: bytes) -> str:
        """Why it cannot be sent, "" where it was."""
        if self._messages is not None and len(frame) > self._messages.peer_bytes_max:
            return "the configuration is longer than driver %s takes" % self._name
        if len(self._output) + len(frame) > OUTPUT_BYTES_MAX:
            return "driver %s takes nothing more" % self._name
        self._output += frame
        return ""

    def _hear(self, message: "dict[int, Any]", now_ms: int) -> None:
        self._heard_ms = now_ms
        self._pinged_ms = None
        kind = message[frames.TYPE]
        if kind == frames.RESULT:
            self._take_result(message, now_ms)
        elif kind == frames.HELLO:
            self._greeted(now_ms)
        elif kind == frames.PING:
            self._output += frames.numbered(frames.PONG, message[frames.NUMBER])
            if len(self._output) > OUTPUT_BYTES_MAX:
                raise ProtocolError("too_much", "more pings than it takes answers")
        elif kind != frames.PONG:
            raise ProtocolError("unexpected_message", "what only an agent says")

    def _greeted(self, now_ms: int) -> None:
        """It is there: tell it what waits."""
        self._backoff.reset()
        for table in (self._listening, self._asked):
            for number in list(table):
                error = self._send(table[number].frame)
                if error:
                    self._fail(table.pop(number).request, error, True, now_ms)

    def _take_result(self, message: "dict[int, Any]", now_ms: int) -> None:
        number = message[frames.NUMBER]
        listening = self._listening.get(number)
        asked = self._asked.pop(number, None) or listening
        if asked is None:
            return  # it was given up, or is listened to no more
        if len(self._results) >= RESULTS_MAX:
            raise ProtocolError("too_much", "more than %d results at once" % RESULTS_MAX)
        values, errors = {}, {}
        told, wrong = message[frames.RESULT_VALUES], message[frames.RESULT_ERRORS]
        for name in asked.request.visitors:
            if name in told:
                values[name] = told[name]
            elif name in wrong:
                errors[name] = wrong[name]
            elif asked is not listening and asked.request.value is None:
                errors[name] = "driver %s gave no value" % self._name
        age_ms = min(message.get(frames.RESULT_AGE_MS, 0), now_ms)
        answered = message[frames.RESULT_ANSWERED]
        self._results.append(Result(number, values, errors, answered, now_ms - age_ms))

    def _look_at_life(self, now_ms: int) -> int:
        """Notice that it says nothing any more; the next deadline."""
        if not self._is_greeted():
            if now_ms >= self._hello_ms:
                self._give_up("said no hello within %d ms" % HELLO_MS)
            return self._hello_ms
        if self._pinged_ms is not None:
            if now_ms >= self._pinged_ms + self._ping_ms:
                self._give_up("hangs: no answer to a ping within %d ms" % self._ping_ms)
            return self._pinged_ms + self._ping_ms
        if now_ms >= self._heard_ms + self._ping_ms:
            self._pinged_ms = now_ms
            self._output += frames.numbered(frames.PING, now_ms & 0xFFFFFFFF)
            return now_ms + self._ping_ms
        return self._heard_ms + self._ping_ms

    def _give_up(self, why: str) -> None:
        self.is_hung = True
        self._must_close = "driver %s %s" % (self._name, why)

    def _silence(self) -> str:
        if self._messages is None:
            return "driver %s did not start within %d ms" % (self._name, OPEN_MS)
        return "driver %s gave no result within %d ms" % (self._name, REQUEST_MS)

    def _fail(self, request: Request, error: str, answered: bool, now_ms: int) -> None:
        self._results.append(Result(request.number, {}, dict.fromkeys(request.visitors, error), answered, now_ms))
