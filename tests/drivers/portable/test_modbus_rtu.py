"""RTU framing: CRC, sizes, pauses, noise, echoes, and what is no answer."""

from edgelite_drivers.modbus import diagnosis, pdu
from edgelite_drivers.modbus.rtu import RtuFraming, crc16, idle_ms_of, seal

READ = pdu.read_request(3, 0x6B, 3)
ANSWER = bytes.fromhex("0306022b00000064")
UNIT = 17
GOOD = seal(UNIT, ANSWER)

# Requests of every function, and a right answer to each.
EXCHANGES = (
    (pdu.read_request(1, 0x13, 0x13), "0103cd6b05"),
    (pdu.read_request(2, 0xC4, 0x16), "0203acdb35"),
    (READ, "0306022b00000064"),
    (pdu.read_request(4, 8, 1), "0402000a"),
    (pdu.write_coil_request(0xAC, True), "0500acff00"),
    (pdu.write_register_request(1, b"\0\3"), "0600010003"),
    (diagnosis.exception_status_request(), "076d"),
    (diagnosis.diagnostics_request(0, b"\xa5\x37"), "080000a537"),
    (pdu.write_coils_request(0x13, [True] * 10), "0f0013000a"),
    (pdu.write_registers_request(1, b"\0\x0a\1\2"), "1000010002"),
    (diagnosis.server_id_request(), "110311ff42"),
    (pdu.mask_write_request(4, 0xF2, 0x25), "16000400f20025"),
    (pdu.read_write_request(3, 6, 14, b"\0\xff\0\xff\0\xff"), "170c00fe0acd00010003000d00ff"),
    (diagnosis.identification_request(), "2b0e01010000020002416101024262"),
)


def asked(request=READ, **options):
    framing = RtuFraming(**options)
    framing.encode(UNIT, request)
    return framing


def test_the_crc_of_the_specification():
    assert crc16(b"\2\7") == b"\x41\x12"  # Modbus over Serial Line V1.02, 6.2.2
    assert seal(1, b"\3\0\0\0\x0a") == bytes.fromhex("01030000000ac5cd")
    assert crc16(GOOD) == b"\0\0"


def test_the_silence_before_a_request():
    assert [idle_ms_of(baud) for baud in (1200, 9600, 19200, 38400, 115200)] == [34, 6, 4, 3, 3]
    assert RtuFraming().idle_ms == 0, "through TCP there is none"
    assert RtuFraming(9600, idle_ms=0).idle_ms == 0


def test_every_function_whole_and_byte_by_byte_and_with_noise_around():
    for request, answer_hex in EXCHANGES:
        answer = bytes.fromhex(answer_hex)
        for right in (answer, bytes([request[0] | 0x80, 2])):
            frame = seal(UNIT, right)
            for data in (frame, frame + b"\0\xff\0", b"\0\xff\x55" + frame, bytes([UNIT, 0x55]) + frame + b"\x11"):
                framing = asked(request)
                framing.feed(memoryview(data))
                assert framing.next_answer() == right, (answer_hex, data)
                assert framing.next_answer() is None, "an answer is given once"
            framing = asked(request)
            for byte in frame:
                assert framing.next_answer() is None
                framing.feed(bytes([byte]))
            assert framing.next_answer() == right, answer_hex


def test_no_answer_is_made_of_what_is_none():
    for data in (
        GOOD[:-1],  # short
        GOOD[:-1] + b"\0",  # bad CRC
        GOOD[:4] + GOOD[5:],  # a byte lost
        seal(18, ANSWER),  # another unit
        seal(UNIT, b"\4" + ANSWER[1:]),  # another function
        seal(UNIT, b"\x84\2"),
        b"",
        b"\x11" * 300,
    ):
        framing = asked()
        framing.feed(data)
        assert framing.next_answer() is None, data
        assert framing.expire() is None, data
        assert framing.has_noise() == (data != b"")


def test_a_long_or_short_answer_with_a_right_crc_is_given_out_as_it_is():
    for wrong in (b"\3\4\0\1\0\2", b"\3\x08" + b"\1" * 8):
        framing = asked()
        framing.feed(seal(UNIT, wrong))
        assert framing.next_answer() == wrong


def test_noise_that_looks_like_the_begin_of_the_answer_does_not_hide_it():
    for noise in (b"\x11", b"\x11\3", b"\x11\3\6", b"\x11\3\6\2\x2b\0", b"\x11\x83", b"\x11\3\xff"):
        framing = asked()
        framing.feed(noise + GOOD)
        assert framing.next_answer() == ANSWER, noise


def test_a_refusal_behind_such_noise_is_found_when_nothing_more_comes():
    framing = asked()
    framing.feed(b"\x11\3\6" + seal(UNIT, b"\x83\2"))
    assert framing.next_answer() is None
    assert framing.expire() == b"\x83\2"
    assert framing.next_answer() is None


def test_an_answer_that_holds_another_s_bytes_is_not_cut_short():
    inner = seal(UNIT, b"\x83\2")
    outer = seal(UNIT, b"\3\6" + inner + b"\0")
    framing = asked()
    framing.feed(outer[:8])
    assert framing.next_answer() is None
    framing.feed(outer[8:])
    assert framing.next_answer() == b"\3\6" + inner + b"\0"


def test_a_line_that_babbles_does_not_fill_the_memory():
    framing = asked()
    for _ in range(1000):
        framing.feed(b"\x55" * 100)
        assert framing.next_answer() is None
    framing.feed(GOOD)
    assert framing.next_answer() == ANSWER
    assert len(framing._buffer) == 0


def test_what_came_before_the_request_is_void():
    framing = asked()
    framing.feed(GOOD)
    framing.expire()
    framing.feed(GOOD)
    assert framing.next_answer() is None, "nothing is awaited"
    framing.encode(UNIT, READ)
    assert framing.next_answer() is None
    framing.feed(GOOD)
    assert framing.next_answer() == ANSWER


def test_an_echo_is_learnt_from_a_read_and_then_expected_of_writes():
    write = pdu.write_register_request(1, b"\0\3")
    echo = seal(UNIT, write)
    framing = asked()
    framing.feed(seal(UNIT, READ) + GOOD)
    assert framing.next_answer() == ANSWER
    framing.encode(UNIT, write)
    framing.feed(echo)
    assert framing.next_answer() is None, "the adapter heard itself; the device has said nothing"
    framing.feed(echo)
    assert framing.next_answer() == write


def test_an_echo_that_stays_away_is_unlearnt():
    write = pdu.write_register_request(1, b"\0\3")
    framing = asked()
    framing.feed(seal(UNIT, READ) + GOOD)
    framing.next_answer()
    framing.encode(UNIT, READ)
    framing.feed(GOOD)
    assert framing.next_answer() == ANSWER
    framing.encode(UNIT, write)
    framing.feed(seal(UNIT, write))
    assert framing.next_answer() == write


def test_a_dead_device_behind_an_echo_stays_dead():
    framing = asked()
    framing.feed(seal(UNIT, READ))
    assert framing.next_answer() is None
    assert framing.expire() is None
    framing.encode(UNIT, pdu.write_coil_request(1, True))
    framing.feed(seal(UNIT, pdu.write_coil_request(1, True)))
    assert framing.next_answer() is None
    assert framing.expire() is None


def test_an_echo_may_be_certain_or_excluded():
    write = pdu.write_register_request(1, b"\0\3")
    for echo, expected in (("yes", None), ("no", write), ("auto", write)):
        framing = asked(write, echo=echo)
        framing.feed(seal(UNIT, write))
        assert framing.next_answer() == expected, echo


def test_an_echo_whose_bytes_look_like_a_begun_answer():
    request = pdu.read_request(3, 0x1400, 10)
    answer = b"\3\x14" + bytes(20)
    for data in (seal(UNIT, answer), seal(UNIT, b"\x83\2")):
        framing = asked(request)
        framing.feed(seal(UNIT, request)[:6])
        assert framing.next_answer() is None
        framing.feed(seal(UNIT, request)[6:] + data)
        assert framing.next_answer() == data[1:-2]


def test_the_wire_s_own_time():
    assert RtuFraming().wire_ms(READ) == 0
    assert RtuFraming(9600).wire_ms(READ) == 22, "19 characters of 11 bits"
