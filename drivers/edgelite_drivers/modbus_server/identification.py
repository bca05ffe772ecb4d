"""Function 43/14, read device identification (Modbus Application Protocol V1.1b3, section 6.21), at the server."""

from edgelite_drivers.modbus.pdu import (
    EXCEPTION_ILLEGAL_DATA_ADDRESS,
    EXCEPTION_ILLEGAL_DATA_VALUE,
    EXCEPTION_ILLEGAL_FUNCTION,
    PDU_BYTES_MAX,
    ExceptionAnswer,
)

READ_DEVICE_IDENTIFICATION = 14
HEAD_BYTES = 7
OBJECT_BYTES_MAX = PDU_BYTES_MAX - HEAD_BYTES - 2
ONE = 4  # the read code for a single object; 1, 2 and 3 stream what lies below these ids
STREAM_ENDS = {1: 0x03, 2: 0x80, 3: 0x100}


def device_identification(objects: "dict[int, bytes]", request: bytes) -> bytes:
    """ExceptionAnswer where there is none. What does not fit into one answer is left for the next: it says where to go
    on."""
    if len(request) < 2 or request[1] != READ_DEVICE_IDENTIFICATION:
        raise ExceptionAnswer(EXCEPTION_ILLEGAL_FUNCTION)
    if len(request) != 4 or not 1 <= request[2] <= ONE:
        raise ExceptionAnswer(EXCEPTION_ILLEGAL_DATA_VALUE)
    code, first = request[2], request[3]
    if code == ONE and first not in objects:
        raise ExceptionAnswer(EXCEPTION_ILLEGAL_DATA_ADDRESS)
    wanted = [first] if code == ONE else _stream(objects, STREAM_ENDS[code], first)
    body, count = b"", 0
    for number in wanted:
        value = objects[number][:OBJECT_BYTES_MAX]
        if HEAD_BYTES + len(body) + 2 + len(value) > PDU_BYTES_MAX:
            break
        body += bytes([number, len(value)]) + value
        count += 1
    more = count < len(wanted)
    head = bytes([_conformity(objects), 0xFF if more else 0, wanted[count] if more else 0, count])
    return request[:3] + head + body


def _stream(objects: "dict[int, bytes]", end: int, first: int) -> "list[int]":
    """An id that is not there means from the beginning."""
    numbers = [number for number in sorted(objects) if number < end]
    return [number for number in numbers if number >= first] if first in numbers else numbers


def _conformity(objects: "dict[int, bytes]") -> int:
    """Both by stream and one by one, at the level that the last object has."""
    last = max(objects) if objects else 0
    return 0x81 if last < 3 else 0x82 if last < 0x80 else 0x83
