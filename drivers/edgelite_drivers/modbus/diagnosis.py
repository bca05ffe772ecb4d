"""Functions that tell of a device, not of its process: 7, 8, 17 and 43/14 (Modbus Application Protocol V1.1b3).

Each request is a PDU for any framing; each `parse_*` takes what `pdu.parse_answer` gives for it.
"""

from edgelite_protocol.errors import MisuseError, ProtocolError

READ_EXCEPTION_STATUS = 7
DIAGNOSTICS = 8
REPORT_SERVER_ID = 17
ENCAPSULATED = 43
DEVICE_IDENTIFICATION = 14  # the MEI type within function 43

# Sub-functions of 8, section 6.8.1. Those that change the device (restart, listen only, clear) are asked by number.
QUERY_DATA = 0
RESTART_COMMUNICATIONS = 1
DIAGNOSTIC_REGISTER = 2
LISTEN_ONLY = 4
CLEAR_COUNTERS = 10
COUNTERS = {
    11: "bus messages",
    12: "bus communication errors",
    13: "bus exception errors",
    14: "server messages",
    15: "server no response",
    16: "server NAK",
    17: "server busy",
    18: "bus character overrun",
}

# Object ids of 43/14, section 6.21
OBJECT_NAMES = {
    0: "VendorName",
    1: "ProductCode",
    2: "MajorMinorRevision",
    3: "VendorUrl",
    4: "ProductName",
    5: "ModelName",
    6: "UserApplicationName",
}
BASIC = 1
REGULAR = 2
EXTENDED = 3
ONE_OBJECT = 4
OBJECTS_MAX = 256  # there are no more ids
_QUERY_BYTES_MAX = 250


def exception_status_request() -> bytes:
    """Section 6.7; on serial lines only."""
    return bytes([READ_EXCEPTION_STATUS])


def parse_exception_status(data: bytes) -> int:
    """Eight bits whose meaning is the device's own."""
    if len(data) != 1:
        raise ProtocolError("modbus_length", "an exception status of %d bytes" % len(data))
    return data[0]


def diagnostics_request(sub_function: int, data: bytes = b"\0\0") -> bytes:
    """Section 6.8. `QUERY_DATA` sends any data round trip; the other sub-functions take two bytes."""
    if not 0 <= sub_function <= 0xFFFF or len(data) % 2 or not 2 <= len(data) <= _QUERY_BYTES_MAX:
        raise MisuseError("no diagnostics: sub-function %d with %d bytes" % (sub_function, len(data)))
    return bytes([DIAGNOSTICS, sub_function >> 8, sub_function & 255]) + data


def parse_diagnostics(request: bytes, data: bytes) -> bytes:
    """What came back behind the sub-function: the query's own data, a counter's two bytes."""
    if data[:2] != request[1:3]:
        raise ProtocolError("modbus_echo", "the answer is not of the sub-function that was asked")
    if len(data) != len(request) - 1:
        raise ProtocolError("modbus_length", "%d bytes answered where %d are due" % (len(data), len(request) - 1))
    if request[1:3] == b"\0\0" and data[2:] != request[3:]:
        raise ProtocolError("modbus_echo", "the answer does not return the query's data")
    return data[2:]


def server_id_request() -> bytes:
    """Section 6.13; on serial lines only."""
    return bytes([REPORT_SERVER_ID])


def parse_server_id(data: bytes) -> bytes:
    """The device's id, its run indicator (0xFF: on) and more, as the maker arranged them."""
    if len(data) < 2 or data[0] != len(data) - 1:
        raise ProtocolError("modbus_length", "a server id of %d bytes does not have the size that it tells" % len(data))
    return data[1:]


def identification_request(category: int = BASIC, first_object: int = 0) -> bytes:
    """Section 6.21. `category`: BASIC, REGULAR or EXTENDED from `first_object` on, or ONE_OBJECT."""
    if not BASIC <= category <= ONE_OBJECT or not 0 <= first_object < OBJECTS_MAX:
        raise MisuseError("no identification: category %d, object %d" % (category, first_object))
    return bytes([ENCAPSULATED, DEVICE_IDENTIFICATION, category, first_object])


def parse_identification(data: bytes) -> "tuple[dict[int, str], int]":
    """The objects by id, and the first object of the next request, 0 where that was all.

    Bytes that are no printable ASCII come as "\\xNN".
    """
    if len(data) < 6 or data[0] != DEVICE_IDENTIFICATION:
        raise ProtocolError("modbus_length", "no device identification")
    objects: dict[int, str] = {}
    place = 6
    for _ in range(data[5]):
        end = place + 2 + data[place + 1] if place + 2 <= len(data) else len(data) + 1
        if end > len(data):
            raise ProtocolError("modbus_length", "an object of the identification is cut short")
        objects[data[place]] = "".join([_character(byte) for byte in data[place + 2 : end]])
        place = end
    if place != len(data):
        raise ProtocolError("modbus_length", "%d bytes behind the identification" % (len(data) - place))
    following = data[4] if data[3] == 0xFF else 0
    if following and objects and following <= min(objects):
        raise ProtocolError("modbus_echo", "the identification goes back to object %d" % following)
    return objects, following


def identification_size(answer: bytes) -> int:
    """The size of the answer PDU that begins so, 0 while it cannot be told. For framings that say no length."""
    if len(answer) < 7:
        return 0
    place = 7
    for _ in range(answer[6]):
        if len(answer) < place + 2:
            return 0
        place += 2 + answer[place + 1]
    return place


def _character(byte: int) -> str:
    return chr(byte) if 0x20 <= byte <= 0x7E else "\\x%02x" % byte
