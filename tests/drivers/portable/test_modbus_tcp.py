"""MBAP framing: whole, byte by byte, with garbage before and behind; strict and lenient transaction ids."""

from edgelite_drivers.modbus.tcp import TcpFraming, seal
from edgelite_protocol.errors import ProtocolError

READ = bytes.fromhex("0300000002")
ANSWER = bytes.fromhex("030400010002")
BROKEN = ("000100010005", "000101000005", "000100000000", "000100000001", "0001000000ff", "00010000ffff")


LONGEST = b"\3\xfb" + b"\x42" * 251


def asked(is_strict=True, unit=17):
    """A framing whose request has the id 8."""
    framing = TcpFraming(7, is_strict)
    framing.encode(unit, READ)
    return framing


def test_encode_counts_transactions_and_wraps():
    framing = TcpFraming(0xFFFE)
    assert framing.encode(17, b"\3\0\x6b\0\3") == bytes.fromhex("ffff00000006110300" + "6b0003")
    assert framing.encode(17, READ)[:2] == b"\0\0"


def test_answers_whole_and_byte_by_byte_and_joined():
    for answer in (ANSWER, b"\x83\2", b"\3", LONGEST):
        framing = asked()
        framing.feed(memoryview(seal(8, 17, answer)))
        assert framing.next_answer() == answer
        assert framing.next_answer() is None
        framing = asked()
        for byte in seal(8, 17, answer):
            assert framing.next_answer() is None
            framing.feed(bytes([byte]))
        assert framing.next_answer() == answer


def test_late_doubled_and_foreign_answers_are_passed_over():
    framing = asked()
    late, foreign, right = seal(7, 17, ANSWER), seal(8, 16, ANSWER), seal(8, 17, ANSWER)
    framing.feed(late + foreign + right + right)
    assert framing.next_answer() == ANSWER
    assert framing.next_answer() is None
    assert framing.foreign_answers == 3


def test_a_lenient_one_takes_any_id_of_the_right_unit_and_function():
    framing = asked(is_strict=False)
    framing.feed(seal(0, 16, ANSWER) + seal(0, 17, b"\4\2\0\0") + seal(0x1234, 17, b"\x83\2"))
    assert framing.next_answer() == b"\x83\2"
    assert framing.foreign_answers == 2
    assert not framing.identifies_answers


def test_after_the_timeout_nothing_is_an_answer():
    framing = asked()
    assert framing.expire() is None
    framing.feed(seal(8, 17, ANSWER))
    assert framing.next_answer() is None


def test_garbage_behind_a_frame_comes_after_it():
    for garbage in BROKEN:
        framing = asked()
        framing.feed(seal(8, 17, ANSWER) + bytes.fromhex(garbage))
        assert framing.next_answer() == ANSWER
        try:
            framing.next_answer()
        except ProtocolError as error:
            assert error.code == "modbus_header"
        else:
            raise AssertionError(garbage + " was taken")


def test_256_bytes_of_pdu_are_not_waited_for():
    framing = asked()
    framing.feed(bytes.fromhex("000800000100"))
    try:
        framing.next_answer()
    except ProtocolError:
        return
    raise AssertionError("they were announced and waited for")


def test_reset_forgets_the_old_connection():
    framing = asked()
    framing.feed(seal(8, 17, ANSWER)[:9])
    framing.reset()
    framing.encode(17, READ)
    framing.feed(seal(9, 17, ANSWER))
    assert framing.next_answer() == ANSWER
