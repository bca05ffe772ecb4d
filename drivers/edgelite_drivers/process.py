"""The other end of `edgelite_drivers.remote`: for a driver that runs in a program of its own.

`Session` has no I/O, so that it fits into any loop (asyncio, a thread, a board's firmware):

    session = Session("scale")
    session.receive(data)                       what came from the agent
    event = session.next_event()                Asked, Ignored, or None; ProtocolError: close the connection
    session.tell(event.number, {"weight": 21.5})
    data = session.data_to_send()               what goes to the agent

`serve(driver)` is a whole program around it, for a driver whose calls may block for some seconds.
"""

from edgelite_drivers import driver_frames as frames
from edgelite_protocol.errors import EdgeliteError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Value = int | float | str | bool | bytes

OUTPUT_BYTES_MAX = 1024 * 1024  # an agent that is busy takes it a moment later; a result that does not fit is dropped
ERROR_CHARACTERS_MAX = 200


class Asked:
    """Read the properties of one device, write one of them (`value` is not None), or tell them from now on whenever
    the device sends them (`listens`). `protocol` is the device's configData as it was given, `properties` has
    {name: (visitors' configData, type)}."""

    def __init__(self, message: "dict[int, Any]") -> None:
        self.listens = message[frames.TYPE] == frames.LISTEN
        self.number: int = message[frames.NUMBER]
        self.protocol: Any = message[frames.REQUEST_PROTOCOL]
        rows: dict[str, Any] = message[frames.REQUEST_PROPERTIES]
        self.properties: dict[str, tuple[Any, str]] = {name: (rows[name][0], rows[name][1]) for name in rows}
        self.value: Value | None = message.get(frames.REQUEST_VALUE)


class Ignored:
    """Nobody listens for the results of `number` any more."""

    def __init__(self, number: int) -> None:
        self.number = number


class Session:
    """One connection with an agent, from its beginning."""

    def __init__(self, name: str, frame_bytes_max: int = frames.FRAME_BYTES_MAX) -> None:
        self._messages = frames.Messages(name, frame_bytes_max)
        self._open: dict[int, Asked] = {}  # that have had no result
        self._listening: dict[int, Asked] = {}
        self._output = frames.hello(name, frame_bytes_max)
        self.dropped = 0  # results that did not fit

    def receive(self, data: "bytes | memoryview") -> None:
        """MisuseError where the events of what came before were not taken."""
        self._messages.feed(data)

    def next_event(self) -> "Asked | Ignored | None":
        """What the agent wants; pings are answered along the way. ProtocolError where it breaks the rules."""
        while True:
            message = self._messages.next()
            if message is None:
                return None
            kind = message[frames.TYPE]
            if kind == frames.PING:
                self._output += frames.numbered(frames.PONG, message[frames.NUMBER])
            elif kind == frames.IGNORE:
                if self._listening.pop(message[frames.NUMBER], None) is not None:
                    return Ignored(message[frames.NUMBER])
            elif kind in (frames.REQUEST, frames.LISTEN):
                asked = Asked(message)
                (self._listening if asked.listens else self._open)[asked.number] = asked
                return asked

    def tell(
        self,
        number: int,
        values: "dict[str, Value] | None" = None,
        errors: "dict[str, str] | str" = "",
        answered: bool = True,
        age_ms: int = 0,
    ) -> bool:
        """The result of a request, once, or of one that listens, as often as there is something to tell. `errors`: by
        property, or one text for all that have no value; `answered` False: the device says nothing, it is offline;
        `age_ms`: how long ago it said it. False where nobody waits for it, or it did not fit. MisuseError for a value
        that is none."""
        asked = self._open.pop(number, None) or self._listening.get(number)
        if asked is None:
            return False
        values = values or {}
        if isinstance(errors, str):
            errors = {name: errors for name in asked.properties if name not in values} if errors else {}
        frame = self._result(number, values, errors, answered, age_ms)
        if len(frame) > self._messages.peer_bytes_max:
            text = "a result of %d bytes, and the agent takes %d" % (len(frame), self._messages.peer_bytes_max)
            errors = dict.fromkeys(list(asked.properties)[:1], text)
            frame = self._result(number, {}, errors, answered, age_ms)
        if len(self._output) + len(frame) > OUTPUT_BYTES_MAX:
            self.dropped += 1
            return False
        self._output += frame
        return True

    def data_to_send(self, size_bytes_max: int = 65536) -> bytes:
        """What it returns is gone from here; b"" for none now."""
        data = self._output[:size_bytes_max]
        self._output = self._output[size_bytes_max:]
        return data

    @property
    def has_output(self) -> bool:
        return len(self._output) > 0

    def _result(
        self, number: int, values: "dict[str, Value]", errors: "dict[str, str]", answered: bool, age_ms: int
    ) -> bytes:
        errors = {name: str(errors[name])[:ERROR_CHARACTERS_MAX] for name in errors}
        message: dict[int, object] = {
            frames.TYPE: frames.RESULT,
            frames.NUMBER: number,
            frames.RESULT_VALUES: values,
            frames.RESULT_ERRORS: errors,
            frames.RESULT_ANSWERED: answered,
        }
        if age_ms > 0:
            message[frames.RESULT_AGE_MS] = age_ms
        return frames.encode(message)


class DeviceError(EdgeliteError):
    """Raised by a driver of `serve`: the device answered, and what it said is why there is no value."""


def serve(driver: "Any", path: "str | None" = None) -> None:
    """Be the driver's process until a signal ends it; edgelite_drivers.process_server has the contract of `driver`.
    `path` of the socket: what the agent says by EDGELITE_DRIVER_SOCKET."""
    from edgelite_drivers.process_server import Server

    Server(driver, path).run()
