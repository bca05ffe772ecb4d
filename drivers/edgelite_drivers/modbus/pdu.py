"""Modbus protocol data units (Modbus Application Protocol V1.1b3, section 6): requests and their answers.

A PDU is the function code and its data, the same on every framing. `parse_answer` knows from the request alone what
a right answer looks like, so nothing that a peer says is taken for a length. Functions that tell of the device itself
are in diagnosis.py.
"""

from edgelite_protocol.errors import MisuseError, ProtocolError

READ_COILS = 1
READ_DISCRETE_INPUTS = 2
READ_HOLDING_REGISTERS = 3
READ_INPUT_REGISTERS = 4
WRITE_SINGLE_COIL = 5
WRITE_SINGLE_REGISTER = 6
WRITE_MULTIPLE_COILS = 15
WRITE_MULTIPLE_REGISTERS = 16
MASK_WRITE_REGISTER = 22
READ_WRITE_REGISTERS = 23

PDU_BYTES_MAX = 253  # section 4.1: 256 of an RS485 frame, less the address and the CRC
READ_BITS_MAX = 2000  # section 6.1
READ_REGISTERS_MAX = 125  # section 6.3
WRITE_BITS_MAX = 1968  # section 6.11
WRITE_REGISTERS_MAX = 123  # section 6.12
READ_WRITE_WRITTEN_MAX = 121  # section 6.17
ADDRESSES = 65536

EXCEPTION_ILLEGAL_FUNCTION = 1
EXCEPTION_ILLEGAL_DATA_ADDRESS = 2
EXCEPTION_ILLEGAL_DATA_VALUE = 3
EXCEPTION_ACKNOWLEDGE = 5
EXCEPTION_BUSY = 6
EXCEPTION_GATEWAY_PATH_UNAVAILABLE = 10
EXCEPTION_GATEWAY_TARGET_SILENT = 11

_EXCEPTION_NAMES = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "server device failure",
    5: "acknowledge",
    6: "server device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target device failed to respond",
}

# function: the most items (bits or registers) that one request may name
_ITEMS_MAX = {
    READ_COILS: READ_BITS_MAX,
    READ_DISCRETE_INPUTS: READ_BITS_MAX,
    READ_HOLDING_REGISTERS: READ_REGISTERS_MAX,
    READ_INPUT_REGISTERS: READ_REGISTERS_MAX,
    WRITE_MULTIPLE_COILS: WRITE_BITS_MAX,
    WRITE_MULTIPLE_REGISTERS: WRITE_REGISTERS_MAX,
}
# function: how much of the request the answer to a write repeats
_ECHO_BYTES = {
    WRITE_SINGLE_COIL: 5,
    WRITE_SINGLE_REGISTER: 5,
    WRITE_MULTIPLE_COILS: 5,
    WRITE_MULTIPLE_REGISTERS: 5,
    MASK_WRITE_REGISTER: 7,
}


class ExceptionAnswer(ProtocolError):
    """The device refused the request: section 7. `number` is its exception code."""

    def __init__(self, number: int) -> None:
        name = _EXCEPTION_NAMES.get(number, "unknown")
        ProtocolError.__init__(self, "modbus_exception", "Modbus exception %d: %s" % (number, name))
        self.number = number


def read_request(function: int, address: int, count: int) -> bytes:
    """Functions 1 to 4."""
    _check_range(function, address, count)
    return bytes([function, address >> 8, address & 255, count >> 8, count & 255])


def write_coil_request(address: int, value: bool) -> bytes:
    _check_address(address)
    return bytes([WRITE_SINGLE_COIL, address >> 8, address & 255, 255 if value else 0, 0])


def write_register_request(address: int, data: bytes) -> bytes:
    """`data`: the two bytes of the register."""
    _check_address(address)
    if len(data) != 2:
        raise MisuseError("a register has 2 bytes, not %d" % len(data))
    return bytes([WRITE_SINGLE_REGISTER, address >> 8, address & 255]) + data


def write_registers_request(address: int, data: bytes) -> bytes:
    if len(data) % 2:
        raise MisuseError("registers have an even number of bytes, not %d" % len(data))
    count = len(data) // 2
    _check_range(WRITE_MULTIPLE_REGISTERS, address, count)
    head = bytes([WRITE_MULTIPLE_REGISTERS, address >> 8, address & 255, count >> 8, count & 255, len(data)])
    return head + data


def write_coils_request(address: int, values: "list[bool]") -> bytes:
    count = len(values)
    _check_range(WRITE_MULTIPLE_COILS, address, count)
    packed = bytearray((count + 7) // 8)
    for index, value in enumerate(values):
        if value:
            packed[index >> 3] |= 1 << (index & 7)
    head = bytes([WRITE_MULTIPLE_COILS, address >> 8, address & 255, count >> 8, count & 255, len(packed)])
    return head + bytes(packed)


def mask_write_request(address: int, and_mask: int, or_mask: int) -> bytes:
    """Section 6.16: the register becomes (itself AND and_mask) OR (or_mask AND NOT and_mask)."""
    _check_address(address)
    head = bytes([MASK_WRITE_REGISTER, address >> 8, address & 255])
    return head + bytes([and_mask >> 8 & 255, and_mask & 255, or_mask >> 8 & 255, or_mask & 255])


def read_write_request(read_address: int, read_count: int, write_address: int, data: bytes) -> bytes:
    """Section 6.17: write the registers `data` (at most 121), then read (at most 125), in one exchange."""
    count = len(data) // 2
    _check_range(READ_HOLDING_REGISTERS, read_address, read_count)
    _check_range(WRITE_MULTIPLE_REGISTERS, write_address, count)
    if len(data) % 2 or count > READ_WRITE_WRITTEN_MAX:
        raise MisuseError("function 23 writes 1 to 121 registers of 2 bytes, not %d bytes" % len(data))
    places = (read_address, read_count, write_address, count)
    head = b"".join([bytes([place >> 8, place & 255]) for place in places])
    return bytes([READ_WRITE_REGISTERS]) + head + bytes([len(data)]) + data


def parse_answer(request: bytes, answer: bytes) -> bytes:
    """What `answer` gives to our own `request`: register or bit bytes of a read, b"" of a write; of any other function
    all that follows its code, for diagnosis.py.

    ExceptionAnswer where the device refuses; ProtocolError "modbus_function", "modbus_length" or "modbus_echo"
    where it breaks the protocol.
    """
    if not answer:
        raise ProtocolError("modbus_length", "the answer is empty")
    function = request[0]
    if answer[0] != function:
        raise _refusal(function, answer)
    if function <= READ_INPUT_REGISTERS or function == READ_WRITE_REGISTERS:
        count = request[3] << 8 | request[4]
        size_bytes = (count + 7) // 8 if function <= READ_DISCRETE_INPUTS else count * 2
        if len(answer) != 2 + size_bytes or answer[1] != size_bytes:
            raise ProtocolError("modbus_length", "%d bytes answered where %d are due" % (len(answer), 2 + size_bytes))
        return answer[2:]
    if function not in _ECHO_BYTES:
        return answer[1:]
    if answer != request[: _ECHO_BYTES[function]]:
        raise ProtocolError("modbus_echo", "the answer to a write does not repeat its address and value")
    return b""


def _refusal(function: int, answer: bytes) -> ProtocolError:
    if answer[0] != function | 0x80:
        return ProtocolError("modbus_function", "function %d answered to function %d" % (answer[0], function))
    if len(answer) != 2:
        return ProtocolError("modbus_length", "an exception answer of %d bytes" % len(answer))
    return ExceptionAnswer(answer[1])


def _check_address(address: int) -> None:
    if not 0 <= address < ADDRESSES:
        raise MisuseError("address %d is outside 0 to 65535" % address)


def _check_range(function: int, address: int, count: int) -> None:
    _check_address(address)
    if not 1 <= count <= _ITEMS_MAX[function] or address + count > ADDRESSES:
        raise MisuseError("function %d cannot name %d items from address %d on" % (function, count, address))
