"""Requests and answers against the examples of the Modbus Application Protocol, V1.1b3, section 6."""

from edgelite_drivers.modbus import diagnosis, pdu
from edgelite_drivers.modbus.client import Client
from edgelite_drivers.modbus.tcp import TcpFraming
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
    (pdu.mask_write_request(4, 0xF2, 0x25), "16000400f20025", "16000400f20025", ""),
    (
        pdu.read_write_request(3, 6, 14, b"\0\xff\0\xff\0\xff"),
        "1700030006000e00030600ff00ff00ff",
        "170c00fe0acd00010003000d00ff",
        "00fe0acd00010003000d00ff",
    ),
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
        lambda: pdu.mask_write_request(65536, 0, 0),
        lambda: pdu.read_write_request(0, 126, 0, b"\0\0"),
        lambda: pdu.read_write_request(0, 1, 0, b"\0" * 244),
        lambda: pdu.read_write_request(0, 1, 0, b"\0"),
        lambda: diagnosis.diagnostics_request(0, b"\0"),
        lambda: diagnosis.diagnostics_request(0x10000),
        lambda: diagnosis.identification_request(5),
        lambda: diagnosis.identification_request(1, 256),
    )
    for index, call in enumerate(calls):
        try:
            call()
        except MisuseError:
            continue
        raise AssertionError("call %d was let through" % index)


def test_the_specification_s_diagnosis_examples():
    for request, request_hex, answer_hex, parse, expected in (
        (diagnosis.exception_status_request(), "07", "076d", diagnosis.parse_exception_status, 0x6D),
        (diagnosis.server_id_request(), "11", "110411ff4243", diagnosis.parse_server_id, b"\x11\xffBC"),
        (
            diagnosis.identification_request(),
            "2b0e0100",
            "2b0e0101000003000441636d65010e50726f64756374206e616d652078020556322e3131",
            diagnosis.parse_identification,
            ({0: "Acme", 1: "Product name x", 2: "V2.11"}, 0),
        ),
        (
            diagnosis.identification_request(diagnosis.REGULAR, 3),
            "2b0e0203",
            "2b0e0282ff040103026102",
            diagnosis.parse_identification,
            ({3: "a\\x02"}, 4),
        ),
    ):
        assert request == bytes.fromhex(request_hex)
        data = pdu.parse_answer(request, bytes.fromhex(answer_hex))
        assert parse(data) == expected, answer_hex
        for size in range(len(data)):
            try:
                parse(data[:size])
            except ProtocolError:
                continue
            raise AssertionError("a prefix was taken: " + answer_hex)
        try:
            parse(data + b"\0")
        except ProtocolError:
            continue
        raise AssertionError("a byte more was taken: " + answer_hex)


def test_the_loop_back_and_a_counter():
    query = diagnosis.diagnostics_request(diagnosis.QUERY_DATA, b"\xa5\x37\1\2")
    assert query == bytes.fromhex("080000a5370102")
    assert diagnosis.parse_diagnostics(query, pdu.parse_answer(query, query)) == b"\xa5\x37\1\2"
    counter = diagnosis.diagnostics_request(11)
    assert diagnosis.parse_diagnostics(counter, pdu.parse_answer(counter, b"\x08\0\x0b\1\2")) == b"\1\2"
    for request, answer in (
        (query, b"\x08\0\0\xa5\x37\1\3"),
        (query, b"\x08\0\0\xa5\x37"),
        (query, b"\x08\0\1\xa5\x37\1\2"),
        (counter, b"\x08\0\x0b\1"),
        (counter, b"\x08"),
    ):
        try:
            diagnosis.parse_diagnostics(request, pdu.parse_answer(request, answer))
        except ProtocolError:
            continue
        raise AssertionError("%r was taken" % answer)


def test_an_identification_that_turns_in_circles_is_refused():
    try:
        diagnosis.parse_identification(bytes.fromhex("0e0182ff03010401" + "61"))
    except ProtocolError as error:
        assert error.code == "modbus_echo"
        return
    raise AssertionError("it would be asked for ever")


def test_a_client_asks_and_takes():
    client = Client(TcpFraming())
    assert client.ask(1, pdu.read_request(3, 0, 1)) == bytes.fromhex("000100000006010300000001")
    assert client.take(bytes.fromhex("0001000000")) is None
    assert client.take(memoryview(bytes.fromhex("05010302002a"))) == b"\0\x2a"
    client.ask(1, pdu.read_request(3, 0, 1))
    assert client.give_up() is None
    assert client.take(bytes.fromhex("0002000000050103020000")) is None, "it came too late"
    client.ask(1, pdu.read_request(3, 0, 1))
    try:
        client.take(bytes.fromhex("000300000003018302"))
    except pdu.ExceptionAnswer as refusal:
        assert refusal.number == 2
        return
    raise AssertionError("the refusal was taken for data")
