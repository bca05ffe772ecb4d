"""Frames in what comes over a line: whole, byte by byte, with noise, cut short, too long, damaged."""

from edgelite.driver import ConfigurationError
from edgelite_drivers.serial import checksum, framing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NMEA = {"start": "$", "end": "\r\n", "maxBytes": 40}
NMEA_SUM = {"name": "xor", "encoding": "hex", "from": 1, "to": -5, "at": -4}


def make(config: "dict[str, Any] | None", sum: object = None) -> framing.Framer:
    made = framing.check(config, "framing")
    if sum is not None:
        made.checksum = checksum.check(sum, "checksum")
    return framing.Framer(made)


def frames(framer: framing.Framer, data: bytes, piece_bytes: int = 4096) -> "list[bytes]":
    found = []
    for offset in range(0, len(data), piece_bytes):
        framer.feed(data[offset : offset + piece_bytes], 0)
        content = framer.next_frame(0)
        while content is not None:
            found.append(content)
            content = framer.next_frame(0)
    return found


def sentence(text: bytes) -> bytes:
    total = 0
    for byte in text:
        total ^= byte
    return b"$%s*%02X\r\n" % (text, total)


def both_ways(config: "dict[str, Any] | None", sum: object, data: bytes, wanted: "list[bytes]") -> None:
    for piece_bytes in (4096, 1, 3):
        assert frames(make(config, sum), data, piece_bytes) == wanted, piece_bytes


def test_lines_of_either_end() -> None:
    both_ways(None, None, b"one\r\ntwo\nthree", [b"one", b"two"])


def test_noise_before_a_frame_is_none() -> None:
    both_ways(NMEA, NMEA_SUM, b"\xff\0noise\r\n" + sentence(b"A,1") + b"x" + sentence(b"B,2"), [b"A,1*5C", b"B,2*5C"])


def test_a_false_beginning_takes_nothing_with_it() -> None:
    both_ways(NMEA, NMEA_SUM, b"$GPG" + sentence(b"A,1"), [b"A,1*5C"])


def test_a_wrong_checksum_is_said() -> None:
    framer = make(NMEA, NMEA_SUM)
    assert frames(framer, b"$A,1*00\r\n") == []
    assert framer.fault == "wrong checksum"
    assert frames(framer, sentence(b"A,1")) == [b"A,1*5C"]
    assert framer.fault == ""


def test_a_checksum_that_is_no_number_is_wrong() -> None:
    both_ways(NMEA, NMEA_SUM, b"$A,1*ZZ\r\n$\r\n$*\r\n", [])


def test_a_frame_without_end_is_bounded() -> None:
    framer = make(NMEA)
    assert frames(framer, b"$" + b"x" * 10_000, 100) == []
    assert framer.fault == "a frame of more than 40 bytes"
    assert frames(framer, b"\r\n$ok\r\n")[-1] == b"ok"


def test_start_end_and_what_comes_behind() -> None:
    config = {"start": "\x02", "end": "\x03", "trailer": 1}
    sum = {"name": "xor", "from": 1}
    both_ways(config, sum, b"\x02AB\x03\x00\x02\x41\x03\x42", [b"AB", b"A"])
    both_ways(config, sum, b"\x02AB\x03\x07", [])


def test_fixed_length() -> None:
    both_ways({"length": 3}, None, b"abcdefg", [b"abc", b"def"])
    both_ways({"length": 4, "start": "\xaa"}, "sum", b"\x01\xaa\x01\x02\xad\xaa\xaa\x01\x02\xad", [b"\x01\x02\xad"] * 2)


def test_a_frame_is_found_behind_noise_without_a_beginning_to_go_by() -> None:
    both_ways({"length": 3}, "sum", b"\x55" * 40 + b"\x01\x02\x03", [b"\x01\x02\x03"])


def test_endless_false_frames_take_bounded_time() -> None:
    framer = make({"length": 4096, "maxBytes": 8192}, "crc16-modbus")
    assert frames(framer, b"\x55" * 8192) == []
    assert framer.fault == "wrong checksum"


def test_length_field() -> None:
    config = {"start": "\xaa", "lengthField": {"at": 1, "size": 2, "order": "little", "add": 3}, "maxBytes": 16}
    both_ways(config, None, b"\xaa\x02\0hi\xaa\x00\0\xaa\x01\0!", [b"\x02\0hi", b"\0\0", b"\x01\0!"])
    framer = make(config)
    assert frames(framer, b"\xaa\xff\xff" + b"\xaa\x02\0hi") == [b"\x02\0hi"], "too long is no frame"


def test_silence_ends_a_frame() -> None:
    framer = make({"idleGapMs": 20})
    assert framer.deadline_ms() is None
    framer.feed(b"ab", 100)
    framer.feed(b"c", 110)
    assert framer.next_frame(120) is None and framer.deadline_ms() == 130
    assert framer.next_frame(130) == b"abc"
    assert framer.next_frame(1000) is None


def test_checksums_and_framings_that_cannot_be() -> None:
    for config, path in (
        ({"end": "\n", "length": 3}, "framing.length"),
        ({"length": 0}, "framing.length"),
        ({"end": ["\n"] * 5}, "framing.end"),
        ({"length": 3, "trailer": 1}, "framing.trailer"),
        ({"lengthField": {"size": 1}}, "framing.lengthField.at"),
        ({"start": "\u20ac"}, "framing.start"),
        ("lines", "framing"),
    ):
        must_refuse(path, framing.check, config, "framing")
    for config, path in (
        ("crc16", "checksum.name"),
        ({"width": 12, "polynomial": 1}, "checksum.width"),
        ({"width": 8, "polynomial": 256}, "checksum.polynomial"),
        ({"name": "crc32", "width": 32}, "checksum.width"),
        ({"name": "crc32", "at": -2}, "checksum.at"),
        ({"name": "xor", "encoding": "octal"}, "checksum.encoding"),
    ):
        must_refuse(path, checksum.check, config, "checksum")


def must_refuse(path: str, check: "Any", *arguments: object) -> None:
    try:
        check(*arguments)
    except ConfigurationError as error:
        assert error.path == path, error.path
        return
    raise AssertionError(arguments)
