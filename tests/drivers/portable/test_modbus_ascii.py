"""ASCII framing: LRC, lines, noise, echoes."""

from edgelite_drivers.modbus import pdu
from edgelite_drivers.modbus.ascii import AsciiFraming, seal

READ = pdu.read_request(3, 0x6B, 3)
ANSWER = bytes.fromhex("0306022b00000064")
GOOD = seal(17, ANSWER)


def asked(request=READ, **options):
    framing = AsciiFraming(**options)
    framing.encode(17, request)
    return framing


def test_a_line():
    assert seal(17, READ) == b":1103006B00037E\r\n"
    assert AsciiFraming().encode(17, READ) == b":1103006B00037E\r\n"


def test_whole_and_byte_by_byte_and_with_noise_around():
    for data in (GOOD, b"\0\xff:11" + GOOD, b":110306\r\n" + GOOD + b":", GOOD.lower(), b"\r\n\r\n" + GOOD):
        framing = asked()
        framing.feed(data)
        assert framing.next_answer() == ANSWER, data
        assert framing.next_answer() is None
    framing = asked()
    for byte in GOOD:
        assert framing.next_answer() is None
        framing.feed(bytes([byte]))
    assert framing.next_answer() == ANSWER


def test_no_answer_is_made_of_what_is_none():
    for data in (
        GOOD[:-2],
        GOOD[:-4] + b"00\r\n",  # bad LRC
        GOOD[:5] + GOOD[6:],  # a character lost
        GOOD.replace(b"2B", b"2G"),
        seal(18, ANSWER),
        seal(17, b"\4" + ANSWER[1:]),
        b":\r\n",
        b":" * 5000,
    ):
        framing = asked()
        framing.feed(data)
        assert framing.next_answer() is None, data
        assert framing.has_noise()
        assert framing.expire() is None
        assert len(framing._buffer) <= 1026


def test_an_echo_is_passed_over():
    write = pdu.write_register_request(1, b"\0\3")
    framing = asked()
    framing.feed(seal(17, READ) + GOOD)
    assert framing.next_answer() == ANSWER
    framing.encode(17, write)
    framing.feed(seal(17, write))
    assert framing.next_answer() is None
    framing.feed(seal(17, write))
    assert framing.next_answer() == write


def test_a_refusal():
    framing = asked()
    framing.feed(seal(17, b"\x83\2"))
    assert framing.next_answer() == b"\x83\2"
