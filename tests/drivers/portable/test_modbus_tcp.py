"""MBAP framing: whole, byte by byte, with garbage behind."""

from edgelite_drivers.modbus.tcp import TcpFraming
from edgelite_protocol.errors import ProtocolError

FRAMES = (
    (bytes.fromhex("0001000000050104020000"), (1, 1, bytes.fromhex("04020000"))),
    (bytes.fromhex("ffff00000003f78302"), (0xFFFF, 0xF7, bytes.fromhex("8302"))),
    (bytes.fromhex("0a0b000000020005"), (0x0A0B, 0, b"\5")),
    (bytes.fromhex("000700000100") + b"\1" + b"\x42" * 255, None),
)
BROKEN = ("000100010005", "000101000005", "000100000000", "000100000001", "0001000000ff", "00010000ffff")


def answers(framing):
    found = []
    answer = framing.next_answer()
    while answer is not None:
        found.append(answer)
        answer = framing.next_answer()
    return found


def test_encode_counts_transactions_and_wraps():
    framing = TcpFraming(0xFFFE)
    tag, frame = framing.encode(17, b"\3\0\x6b\0\3")
    assert (tag, frame) == (0xFFFF, bytes.fromhex("ffff00000006110300" + "6b0003"))
    assert framing.encode(17, b"\3\0\x6b\0\3")[0] == 0


def test_frames_whole_and_byte_by_byte_and_joined():
    for frame, expected in FRAMES[:3]:
        framing = TcpFraming()
        framing.feed(frame)
        assert answers(framing) == [expected]
        for byte in frame:
            assert framing.next_answer() is None
            framing.feed(bytes([byte]))
        assert answers(framing) == [expected]
    framing = TcpFraming()
    framing.feed(memoryview(b"".join([frame for frame, _ in FRAMES[:3]])))
    assert answers(framing) == [expected for _, expected in FRAMES[:3]]


def test_garbage_behind_a_frame_comes_after_it():
    for garbage in BROKEN:
        framing = TcpFraming()
        framing.feed(FRAMES[0][0] + bytes.fromhex(garbage))
        assert framing.next_answer() == FRAMES[0][1]
        try:
            framing.next_answer()
        except ProtocolError as error:
            assert error.code == "modbus_header"
        else:
            raise AssertionError(garbage + " was taken")


def test_the_longest_frame_is_taken_and_one_more_is_not():
    framing = TcpFraming()
    framing.feed(bytes.fromhex("0001000000fe01") + b"\3" * 253)
    assert framing.next_answer() == (1, 1, b"\3" * 253)
    framing.feed(FRAMES[3][0])
    try:
        framing.next_answer()
    except ProtocolError:
        return
    raise AssertionError("256 bytes were announced and waited for")


def test_reset_forgets_the_old_connection():
    framing = TcpFraming()
    framing.feed(FRAMES[0][0][:9])
    framing.reset()
    framing.feed(FRAMES[1][0])
    assert answers(framing) == [FRAMES[1][1]]
