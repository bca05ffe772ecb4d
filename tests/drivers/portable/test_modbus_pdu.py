"""Requests and answers against the examples of the Modbus Application Protocol, V1.1b3, section 6."""

from edgelite_drivers.modbus import pdu
from edgelite_protocol.errors import MisuseError, ProtocolError

# The specification's own examples: request, answer, data.
EXAMPLES = (
    (pdu.read_request(1, 0x13, 0x13), "0100130013", "0103cd6b05", "cd6b05"),
    (pdu.read_request(2, 0xC4, 0x16), "0200c40016", "0203acdb35", "acdb35"),
    (pdu.read_request(3, 0x6B, 3), "03006b0003", "0306022b00000064", "022b00000064"),
    (pdu.read_request(4, 8, 1), "0400080001", "0402000a", "000a"),
    (pdu.write_coil_request(0xAC, True), "0500acff00", "0500acff00", ""),
    (pdu.write_register_request(1, b"\0\3"), "0600010003", "0600010003", ""),
    (
        pdu.write_coils_request(0x13, [bool(int(bit)) for bit in "1011001110"]),
        "0f0013000a02cd01",
        "0f0013000a",
        "",
    ),
    (pdu.write_registers_request(1, b"\0\x0a\1\2"), "100001000204000a0102", "1000010002", ""),
)

# request, answer, the code of the error
BROKEN = (
    ("0300000002", "", "modbus_length"),
    ("0300000002", "03", "modbus_length"),
    ("0300000002", "0304", "modbus_length"),
    ("0300000002", "0304000000", "modbus_length"),
    ("0300000002", "03040000000000", "modbus_length"),
    ("0300000002", "030200000000", "modbus_length"),
    ("0300000002", "0404000000ff", "modbus_function"),
    ("0300000002", "83", "modbus_length"),
    ("0300000002", "830200", "modbus_length"),
    ("0300000002", "8402", "modbus_function"),
    ("0100000009", "010100", "modbus_length"),
    ("0600010003", "0600010004", "modbus_echo"),
    ("0600010003", "0600020003", "modbus_echo"),
    ("0600010003", "06000100", "modbus_echo"),
    ("100001000204000a0102", "1000010001", "modbus_echo"),
    ("100001000204000a0102", "100001000204000a0102", "modbus_echo"),
)


def test_the_specification_s_examples():
    for request, request_hex, answer_hex, data_hex in EXAMPLES:
        assert request == bytes.fromhex(request_hex), request_hex
        assert pdu.parse_answer(request, bytes.fromhex(answer_hex)) == bytes.fromhex(data_hex), answer_hex


def test_broken_answers_are_named():
    for request_hex, answer_hex, code in BROKEN:
        try:
            pdu.parse_answer(bytes.fromhex(request_hex), bytes.fromhex(answer_hex))
        except ProtocolError as error:
            assert error.code == code, (answer_hex, error.code)
        else:
            raise AssertionError(answer_hex + " was taken")


def test_every_prefix_of_a_right_answer_is_refused():
    for request, _, answer_hex, _ in EXAMPLES:
        answer = bytes.fromhex(answer_hex)
        for size in range(len(answer)):
            try:
                pdu.parse_answer(request, answer[:size])
            except ProtocolError as error:
                assert error.code in ("modbus_length", "modbus_echo")
            else:
                raise AssertionError("a prefix was taken")


def test_exceptions_are_named():
    names = {1: "illegal function", 2: "illegal data address", 6: "server device busy", 99: "unknown"}
    for number in names:
        try:
            pdu.parse_answer(pdu.read_request(3, 0, 1), bytes([0x83, number]))
        except pdu.ExceptionAnswer as refusal:
            assert refusal.number == number
            assert refusal.text == "Modbus exception %d: %s" % (number, names[number])
        else:
            raise AssertionError("the exception was taken for data")


def test_requests_outside_the_bounds_are_misuse():
    calls = (
        lambda: pdu.read_request(3, 0, 126),
        lambda: pdu.read_request(3, 0, 0),
        lambda: pdu.read_request(1, 0, 2001),
        lambda: pdu.read_request(3, 65535, 2),
        lambda: pdu.read_request(3, -1, 1),
        lambda: pdu.write_registers_request(0, b"\0" * 248),
        lambda: pdu.write_registers_request(0, b"\0"),
        lambda: pdu.write_coils_request(0, []),
        lambda: pdu.write_coil_request(65536, True),
        lambda: pdu.write_register_request(0, b"\0"),
    )
    for index, call in enumerate(calls):
        try:
            call()
        except MisuseError:
            continue
        raise AssertionError("call %d was let through" % index)
