"""What stands behind the registers: a unit (slave) as its requests see it, and the units behind one line.

A unit refuses by raising `ExceptionAnswer(code)`; nothing else may come out of it. Tables are named by the function
that reads them: 1 coils, 2 discrete inputs, 3 holding registers, 4 input registers.
"""

from edgelite_drivers.modbus.pdu import EXCEPTION_ILLEGAL_DATA_ADDRESS, ExceptionAnswer

BROADCAST = 0
# What a client names who means the server at the other end of a TCP connection, and no unit behind it (Messaging on
# TCP/IP Implementation Guide V1.0b, section 4.4.1.2).
TCP_ITSELF = (0, 255)


class Unit:
    """Refuses every address; a subclass overrides what it has. `count` is never 0, and `address + count` may lie
    beyond 65536: such a range has an address that is not there.

    `identification`: object id to at most 244 bytes, for function 43/14; 0 is the vendor, 1 the product code, 2 the
    revision.
    """

    def __init__(self) -> None:
        self.identification: dict[int, bytes] = {0: b"edgelite", 1: b"modbus_server", 2: b"1"}
        self.server_id = b"edgelite"  # function 17
        self.exception_status = 0  # function 7
        self.listens_only = False  # function 8, 4
        self.requests = 0  # the counters of function 8: addressed to it or to all
        self.exceptions = 0
        self.unanswered = 0
        self.busy = 0

    def read_bits(self, table: int, address: int, count: int) -> "list[bool]":
        raise ExceptionAnswer(EXCEPTION_ILLEGAL_DATA_ADDRESS)

    def read_registers(self, table: int, address: int, count: int) -> bytes:
        """2 * `count` bytes."""
        raise ExceptionAnswer(EXCEPTION_ILLEGAL_DATA_ADDRESS)

    def write_bits(self, address: int, values: "list[bool]", now_ms: int) -> None:
        """All of them or, with an exception, none."""
        raise ExceptionAnswer(EXCEPTION_ILLEGAL_DATA_ADDRESS)

    def write_registers(self, address: int, data: bytes, now_ms: int) -> None:
        """All of them or, with an exception, none. `data` has two bytes for each."""
        raise ExceptionAnswer(EXCEPTION_ILLEGAL_DATA_ADDRESS)

    def clear_counters(self) -> None:
        self.requests = self.exceptions = self.unanswered = self.busy = 0


class Units:
    """The units behind one line or port, by number, and what was heard there.

    `absent` is the exception code with which a number that is not here is answered, as a gateway does (11); 0 leaves it
    unanswered, as a serial line does. `is_serial`: 0 is everybody, and who may be told to only listen (function 8)
    has somebody who can reach the device.
    """

    def __init__(self, units: "dict[int, Unit]", is_serial: bool, absent: int = 0) -> None:
        self.units = units
        self.is_serial = is_serial
        self.absent = absent
        self.frames = 0
        self.errors = 0  # frames with a bad check, or none at all

    def find(self, number: int) -> "Unit | None":
        unit = self.units.get(number)
        if unit is None and not self.is_serial and number in TCP_ITSELF and len(self.units) == 1:
            for one in self.units:
                return self.units[one]
        return unit

    def is_broadcast(self, number: int) -> bool:
        return number == BROADCAST and self.find(number) is None
