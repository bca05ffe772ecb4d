"""Requests of a Modbus client and their answers: Modbus Application Protocol V1.1b3, section 6, seen from the server.

`answer_all` takes any bytes for a request and never raises; each check is made in the order of that section's state
diagrams: the function, the quantity, the address, the execution.
"""

from edgelite_drivers.modbus import pdu
from edgelite_drivers.modbus.pdu import ExceptionAnswer
from edgelite_drivers.modbus_server.identification import device_identification

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edgelite_drivers.modbus_server.unit import Unit, Units

READ_EXCEPTION_STATUS = 7
DIAGNOSTICS = 8
REPORT_SERVER_ID = 17
MASK_WRITE_REGISTER = 22
READ_WRITE_REGISTERS = 23
ENCAPSULATED = 43

ILLEGAL_FUNCTION = 1
ILLEGAL_VALUE = 3
SERVER_FAILURE = 4
BUSY = 6

READ_WRITE_REGISTERS_MAX = 121  # section 6.17: what is written, beside the 125 read
RUNNING = 0xFF  # function 17: the run indicator
# Functions that change something, so that a broadcast of them makes sense (section 4.1: broadcasts are writes).
WRITES = (5, 6, 8, 15, 16, 22)


def answer_all(units: "Units", number: int, request: bytes, now_ms: int) -> "bytes | None":
    """The answer of the unit `number`, None where nobody is to answer."""
    units.frames += 1
    if request and request[0] & 0x80:
        return None  # an exception answer, of another server or our own: nobody asks so
    unit = units.find(number)
    if unit is not None:
        return _answer(units, unit, request, now_ms)
    if units.is_broadcast(number):
        for one in units.units.values():
            one.unanswered += 1
            if request and request[0] in WRITES:
                _answer(units, one, request, now_ms)
        return None
    return _refused(request, units.absent) if units.absent and request else None


def _answer(units: "Units", unit: "Unit", request: bytes, now_ms: int) -> "bytes | None":
    if not request:
        return None
    unit.requests += 1
    handler = _HANDLERS.get(request[0])
    if unit.listens_only:
        unit.unanswered += 1
        if request[:3] != _RESTART:
            return None
    try:
        if handler is None:
            raise ExceptionAnswer(ILLEGAL_FUNCTION)
        return handler(units, unit, request, now_ms)
    except ExceptionAnswer as refusal:
        unit.exceptions += 1
        if refusal.number == BUSY:
            unit.busy += 1
        return _refused(request, refusal.number)


def _refused(request: bytes, code: int) -> bytes:
    return bytes([request[0] | 0x80, code])


def _word(request: bytes, offset: int) -> int:
    return request[offset] << 8 | request[offset + 1]


def _must(condition: bool) -> None:
    if not condition:
        raise ExceptionAnswer(ILLEGAL_VALUE)


# ---- reads: 1 to 4


def _read_bits(_units: "Units", unit: "Unit", request: bytes, _now_ms: int) -> bytes:
    _must(len(request) == 5 and 1 <= _word(request, 3) <= pdu.READ_BITS_MAX)
    values = unit.read_bits(request[0], _word(request, 1), _word(request, 3))
    packed = bytearray((len(values) + 7) // 8)
    for index, value in enumerate(values):
        if value:
            packed[index >> 3] |= 1 << (index & 7)
    return bytes([request[0], len(packed)]) + bytes(packed)


def _read_registers(_units: "Units", unit: "Unit", request: bytes, _now_ms: int) -> bytes:
    _must(len(request) == 5 and 1 <= _word(request, 3) <= pdu.READ_REGISTERS_MAX)
    data = unit.read_registers(request[0], _word(request, 1), _word(request, 3))
    return bytes([request[0], len(data)]) + data


# ---- writes: 5, 6, 15, 16, 22, 23


def _write_coil(_units: "Units", unit: "Unit", request: bytes, now_ms: int) -> bytes:
    _must(len(request) == 5 and _word(request, 3) in (0, 0xFF00))
    unit.write_bits(_word(request, 1), [request[3] != 0], now_ms)
    return request


def _write_register(_units: "Units", unit: "Unit", request: bytes, now_ms: int) -> bytes:
    _must(len(request) == 5)
    unit.write_registers(_word(request, 1), request[3:], now_ms)
    return request


def _write_coils(_units: "Units", unit: "Unit", request: bytes, now_ms: int) -> bytes:
    _must(len(request) >= 6 and 1 <= _word(request, 3) <= pdu.WRITE_BITS_MAX)
    count = _word(request, 3)
    size_bytes = (count + 7) // 8
    _must(request[5] == size_bytes and len(request) == 6 + size_bytes)
    values = [request[6 + (index >> 3)] >> (index & 7) & 1 == 1 for index in range(count)]
    unit.write_bits(_word(request, 1), values, now_ms)
    return request[:5]


def _write_registers(_units: "Units", unit: "Unit", request: bytes, now_ms: int) -> bytes:
    _must(len(request) >= 6 and 1 <= _word(request, 3) <= pdu.WRITE_REGISTERS_MAX)
    size_bytes = 2 * _word(request, 3)
    _must(request[5] == size_bytes and len(request) == 6 + size_bytes)
    unit.write_registers(_word(request, 1), request[6:], now_ms)
    return request[:5]


def _mask_write(_units: "Units", unit: "Unit", request: bytes, now_ms: int) -> bytes:
    _must(len(request) == 7)
    address = _word(request, 1)
    now = _word(unit.read_registers(pdu.READ_HOLDING_REGISTERS, address, 1), 0)
    keep, bring = _word(request, 3), _word(request, 5)
    value = now & keep | bring & ~keep & 0xFFFF
    unit.write_registers(address, bytes([value >> 8, value & 255]), now_ms)
    return request


def _read_write(_units: "Units", unit: "Unit", request: bytes, now_ms: int) -> bytes:
    """The write comes first (section 6.17)."""
    _must(len(request) >= 10)
    count, written = _word(request, 3), _word(request, 7)
    _must(1 <= count <= pdu.READ_REGISTERS_MAX and 1 <= written <= READ_WRITE_REGISTERS_MAX)
    _must(request[9] == 2 * written and len(request) == 10 + 2 * written)
    address = _word(request, 1)
    unit.read_registers(pdu.READ_HOLDING_REGISTERS, address, count)  # refused before anything was written
    unit.write_registers(_word(request, 5), request[10:], now_ms)
    data = unit.read_registers(pdu.READ_HOLDING_REGISTERS, address, count)
    return bytes([request[0], len(data)]) + data


# ---- diagnosis: 7, 8, 17, 43/14


def _exception_status(_units: "Units", unit: "Unit", request: bytes, _now_ms: int) -> bytes:
    _must(len(request) == 1)
    return bytes([request[0], unit.exception_status & 255])


def _server_id(_units: "Units", unit: "Unit", request: bytes, _now_ms: int) -> bytes:
    _must(len(request) == 1)
    data = unit.server_id[:250] + bytes([RUNNING])
    return bytes([request[0], len(data)]) + data


def _identification(_units: "Units", unit: "Unit", request: bytes, _now_ms: int) -> bytes:
    return device_identification(unit.identification, request)


_RESTART = bytes([DIAGNOSTICS, 0, 1])


def _diagnostics(units: "Units", unit: "Unit", request: bytes, _now_ms: int) -> "bytes | None":
    _must(len(request) >= 5 and len(request) % 2 == 1)
    function = _word(request, 1)
    if function == 0:  # echo
        return request
    _must(len(request) == 5)
    value = _word(request, 3)
    if function == 1:
        _must(value in (0, 0xFF00))
        was_listening = unit.listens_only
        unit.listens_only = False
        unit.clear_counters()
        return None if was_listening else request
    _must(value == 0)
    if function == 4 and units.is_serial:
        unit.listens_only = True
        unit.unanswered += 1
        return None
    if function == 10:
        unit.clear_counters()
        units.frames = units.errors = 0
        return request
    counts = (units.frames, units.errors, unit.exceptions, unit.requests, unit.unanswered, 0, unit.busy, 0)
    if function == 2:
        count = 0
    elif 11 <= function <= 18:
        count = counts[function - 11]
    else:
        raise ExceptionAnswer(ILLEGAL_FUNCTION)
    return request[:3] + bytes([count >> 8 & 255, count & 255])


_HANDLERS: "dict[int, Callable[[Units, Unit, bytes, int], bytes | None]]" = {
    pdu.READ_COILS: _read_bits,
    pdu.READ_DISCRETE_INPUTS: _read_bits,
    pdu.READ_HOLDING_REGISTERS: _read_registers,
    pdu.READ_INPUT_REGISTERS: _read_registers,
    pdu.WRITE_SINGLE_COIL: _write_coil,
    pdu.WRITE_SINGLE_REGISTER: _write_register,
    READ_EXCEPTION_STATUS: _exception_status,
    DIAGNOSTICS: _diagnostics,
    pdu.WRITE_MULTIPLE_COILS: _write_coils,
    pdu.WRITE_MULTIPLE_REGISTERS: _write_registers,
    REPORT_SERVER_ID: _server_id,
    MASK_WRITE_REGISTER: _mask_write,
    READ_WRITE_REGISTERS: _read_write,
    ENCAPSULATED: _identification,
}
