"""One connection, or one serial line, with a Modbus client at its other end: a channel that answers it.

Requests are answered in the order in which they came. A client that sends on and reads no answers is cut off; one on a
serial line just finds less.
"""

from edgelite.effects import Channel
from edgelite_drivers.modbus_server.answers import answer_all
from edgelite_protocol.errors import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite_drivers.modbus_server.framings import AsciiRequests, RtuRequests, TcpRequests
    from edgelite_drivers.modbus_server.own_echo import OwnEcho
    from edgelite_drivers.modbus_server.unit import Units

OUTPUT_BYTES_MAX = 16 * 1024  # of answers that wait: 60 of the longest; a client may have 16 requests under way


class Server(Channel):
    """`silence_ms` is how long a serial line must rest before an answer goes out: 3.5 characters. `echo` is for a line
    whose adapter may hear itself."""

    def __init__(
        self,
        framing: "TcpRequests | RtuRequests | AsciiRequests",
        units: "Units",
        silence_ms: int = 0,
        echo: "OwnEcho | None" = None,
    ) -> None:
        self._framing = framing
        self._units = units
        self._silence_ms = silence_ms
        self._echo = echo
        self._is_alike = True  # what waits repeats its requests
        self._output = b""
        self._waiting = b""  # for the silence
        self._send_ms = 0
        self._errors = 0
        self.close_reason = ""  # why this connection is of no use any more
        self.heard_ms = 0

    def opened(self, now_ms: int) -> None:
        self.heard_ms = now_ms

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        if self.close_reason:
            return
        self.heard_ms = now_ms
        self._framing.feed(data if self._echo is None else self._echo.heard(bytes(data), now_ms), now_ms)
        try:
            request = self._framing.next_request()
            while request is not None and not self.close_reason:
                self._take(request, now_ms)
                request = self._framing.next_request()
        except ProtocolError as error:
            self.close_reason = error.text
        self._units.errors += self._framing.errors - self._errors
        self._errors = self._framing.errors

    def step(self, now_ms: int) -> "int | None":
        """Let the silence pass; when it has, None when there is nothing to wait for."""
        if self._waiting and now_ms < self._send_ms:
            return self._send_ms
        if self._waiting:
            self._send(self._waiting, self._is_alike, now_ms)
        self._waiting = b""
        self._is_alike = True
        return None

    def data_to_send(self, size_bytes_max: int) -> bytes:
        data = self._output[:size_bytes_max]
        self._output = self._output[size_bytes_max:]
        return data

    def closed(self, reason: str, now_ms: int) -> None:
        self._output = self._waiting = b""

    def _take(self, request: "tuple[int, int, bytes]", now_ms: int) -> None:
        tag, number, pdu = request
        answer = answer_all(self._units, number, pdu, now_ms)
        if answer is not None:
            self._reply(self._framing.frame(tag, number, answer), now_ms, answer == pdu)

    def _reply(self, frame: bytes, now_ms: int, is_alike: bool = False) -> None:
        if len(self._output) + len(self._waiting) + len(frame) > OUTPUT_BYTES_MAX:
            if not self._units.is_serial:
                self.close_reason = "more than %d bytes of answers that are not read" % OUTPUT_BYTES_MAX
            return
        if self._silence_ms:
            self._waiting += frame
            self._is_alike = self._is_alike and is_alike
            self._send_ms = now_ms + self._silence_ms
        else:
            self._send(frame, is_alike, now_ms)

    def _send(self, data: bytes, is_alike: bool, now_ms: int) -> None:
        self._output += data
        if self._echo is not None:
            self._echo.sent(data, is_alike, now_ms)
