"""A Modbus client without an agent, and without I/O: for programs that bring a socket or a line of their own.

    client = Client(TcpFraming())
    line.sendall(client.ask(1, read_request(READ_HOLDING_REGISTERS, 0, 10)))
    data = client.take(line.recv(512))
    while data is None:
        data = client.take(line.recv(512))
    registers = struct.unpack(">10H", data)

A timeout is the caller's: `give_up` then says whether what came can still be made an answer of, and until a late one
can no longer come, framings whose `identifies_answers` is False must not ask that unit anything else. On a serial line
wait `framing.idle_ms` between an answer and the next request.
"""

from edgelite_drivers.modbus.pdu import parse_answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite_drivers.modbus.framing import Framing


class Client:
    """One exchange at a time; requests are made by pdu.py and diagnosis.py."""

    def __init__(self, framing: "Framing") -> None:
        self.framing = framing
        self._request = b""

    def ask(self, unit: int, request: bytes) -> bytes:
        """The bytes to send."""
        self._request = request
        return self.framing.encode(unit, request)

    def take(self, received: "bytes | memoryview") -> "bytes | None":
        """What the answer says (`parse_answer`), None while it is not whole.

        ExceptionAnswer where the device refuses; another ProtocolError where it breaks the protocol: after a code of
        "modbus_header" the connection must end, after any other the next request may be asked.
        """
        self.framing.feed(received)
        answer = self.framing.next_answer()
        return None if answer is None else parse_answer(self._request, answer)

    def give_up(self) -> "bytes | None":
        """The timeout has passed: what `take` would give if anything that came can be made an answer of, else None."""
        answer = self.framing.expire()
        return None if answer is None else parse_answer(self._request, answer)
