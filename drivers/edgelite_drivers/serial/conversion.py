"""From the bytes of one field to a value, and from a value to bytes: what stands behind the colon of a pattern's field.

    int float           a decimal number: blanks, sign, blanks, digits (`comma`: a decimal comma)
    hex                 hexadecimal digits, an unsigned number
    bcd                 two decimal digits a byte
    ddmm                degrees and minutes as NMEA 0183 has them, 4807.038, to degrees
    sign                one letter: N E + and a blank leave the value as it is, S W - negate it
    text bytes          as it stands; text without the blanks around it
    u8 i8 u16 ... i64   a binary integer, f32 f64 a float by IEEE 754
    le                  low byte first, of bcd and binary numbers

Times are linear in the bytes, and no field is longer than its frame.
"""

import struct
from binascii import hexlify

from edgelite.driver import ConfigurationError
from edgelite_protocol.values import FLOAT32_MAX, is_finite, is_number, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BINARY = {"f32": 4, "f64": 8}
for _bits in (8, 16, 24, 32, 64):
    BINARY["u%d" % _bits] = BINARY["i%d" % _bits] = _bits // 8
WORDS = ("int", "float", "hex", "bcd", "ddmm", "sign", "text", "bytes") + tuple(sorted(BINARY))  # noqa: RUF005 - no syntax of MicroPython
SCANNED = ("int", "float", "hex", "ddmm", "sign")  # end where their digits end
NUMBER_BYTES_MAX = 40
POSITIVE, NEGATIVE = b"NE+ ", b"SW-"


class ValueRefused(ValueError):
    """The field holds no value of this kind; the text says why."""


class Conversion:
    def __init__(self, word: str, is_little: bool, has_comma: bool, decimals: "int | None") -> None:
        self.word = word
        self.is_little = is_little
        self.has_comma = has_comma
        self.decimals = decimals  # of a float that is written

    def value(self, data: bytes) -> "Any":
        """ValueRefused where it holds none; of `sign` 1 or -1."""
        if self.word == "text":
            return _text(data).strip()
        if self.word == "bytes":
            return data
        if self.word == "sign":
            return _sign(data)
        if self.word == "bcd":
            return _digits(str(hexlify(self._ordered(data)), "ascii"), 10)
        if self.word in BINARY:
            return self._binary(self._ordered(data))
        text = _text(data).replace(" ", "")
        if self.word == "hex":
            return _digits(text, 16)
        if self.has_comma:
            text = text.replace(",", ".")
        if self.word == "ddmm":
            return _degrees(text)
        return _number(text, self.word == "int")

    def data(self, value: "Any", width: int) -> bytes:
        """The bytes that hold it; `width` 0 where any will do. ConfigurationError where they cannot."""
        if self.word in ("int", "float", "hex", "bcd") or self.word in BINARY:
            if not is_number(value) or not is_finite(value):
                raise ConfigurationError("value", "must be a number")
            data = self._number_data(value, width)
        elif self.word == "bytes" and isinstance(value, bytes):
            data = value
        else:
            data = encoded(to_text(value))
        if width and len(data) > width:
            raise ConfigurationError("value", "%s does not fit %d bytes" % (to_text(value), width))
        return data

    def _number_data(self, value: "int | float", width: int) -> bytes:
        if self.word == "float":
            text = _shortest(float(value)) if self.decimals is None else "%.*f" % (self.decimals, value)
            return encoded(text.replace(".", ",") if self.has_comma else text)
        if self.word == "f32" or self.word == "f64":
            return self._ordered(_packed_float(self.word, float(value)))
        number = value if isinstance(value, int) else round(value)
        if self.word == "int":
            return encoded("%0*d" % (width, number))
        if self.word == "bcd" or self.word == "hex":
            return self._digit_data(number, width)
        size_bytes = BINARY[self.word]
        lowest = -(1 << (8 * size_bytes - 1)) if self.word[0] == "i" else 0
        if not lowest <= number < lowest + (1 << (8 * size_bytes)):
            raise ConfigurationError("value", "%d does not fit %s" % (number, self.word))
        number &= (1 << (8 * size_bytes)) - 1
        return self._ordered(number.to_bytes(size_bytes, "big"))

    def _digit_data(self, number: int, width: int) -> bytes:
        if number < 0:
            raise ConfigurationError("value", "must not be negative")
        if self.word == "hex":
            return encoded("%0*X" % (width, number))
        text = "%0*d" % (2 * width, number)
        if len(text) > 2 * width:
            raise ConfigurationError("value", "%d has more than %d digits" % (number, 2 * width))
        return self._ordered(bytes([int(text[index : index + 2], 16) for index in range(0, len(text), 2)]))

    def _binary(self, data: bytes) -> "int | float":
        if self.word[0] == "f":
            value: float = struct.unpack(">f" if len(data) == 4 else ">d", data)[0]
            if not is_finite(value):
                raise ValueRefused("the field holds no number")
            return value
        number = int.from_bytes(data, "big")
        if self.word[0] == "i" and data[0] & 0x80:
            number -= 1 << (8 * len(data))
        return number

    def _ordered(self, data: bytes) -> bytes:
        """Its own inverse."""
        if not self.is_little:
            return data
        return bytes([data[index] for index in range(len(data) - 1, -1, -1)])


def scan(word: str, has_comma: bool, data: bytes, start: int) -> int:
    """Where the number that begins at `start` ends; `start` itself where none begins there."""
    end = min(len(data), start + NUMBER_BYTES_MAX)
    if word == "sign":
        return _skip(data, start, min(end, start + 1), POSITIVE + NEGATIVE)
    index = _skip(data, start, end, b" ")
    if word == "hex":
        last = _skip(data, index, end, b"0123456789abcdefABCDEF")
        return last if last > index else start
    if index < end and data[index] in b"+-":
        index = _skip(data, index + 1, end, b" ")
    last = _skip(data, index, end, b"0123456789")
    digits = last - index
    if word != "int" and last < end and data[last] == (0x2C if has_comma else 0x2E):
        index = last + 1
        last = _skip(data, index, end, b"0123456789")
        digits += last - index
    if not digits:
        return start
    return _exponent(data, last, end) if word == "float" else last


def encoded(text: str) -> bytes:
    """A character a byte; ConfigurationError where it has none."""
    for character in text:
        if ord(character) > 0xFF:
            raise ConfigurationError("value", "must be text with a byte for each character")
    return bytes([ord(character) for character in text])


def _skip(data: bytes, index: int, end: int, among: bytes) -> int:
    while index < end and data[index] in among:
        index += 1
    return index


def _exponent(data: bytes, start: int, end: int) -> int:
    if start >= end or data[start] not in b"eE":
        return start
    index = start + 1
    if index < end and data[index] in b"+-":
        index += 1
    last = _skip(data, index, end, b"0123456789")
    return last if last > index else start


def _text(data: bytes) -> str:
    for byte in data:
        if not 0x20 <= byte <= 0x7E:
            raise ValueRefused("the field holds no printable ASCII text")
    return str(data, "ascii")


def _sign(data: bytes) -> int:
    if len(data) == 1 and data in POSITIVE:
        return 1
    if len(data) == 1 and data in NEGATIVE:
        return -1
    raise ValueRefused("the field holds no sign" if data else "the field is empty")


def _digits(text: str, base: int) -> int:
    for character in text:
        if character not in "0123456789abcdefABCDEF"[: 10 if base == 10 else 22]:
            raise ValueRefused("the field holds no number")
    if not text:
        raise ValueRefused("the field is empty")
    return int(text, base)


def _number(text: str, is_integer: bool) -> "int | float":
    data = text.encode()
    if not data or scan("int" if is_integer else "float", False, data, 0) != len(data):
        raise ValueRefused("the field holds no number" if data else "the field is empty")
    value = int(text) if is_integer else float(text)
    if not is_finite(value):
        raise ValueRefused("the field holds no number")
    return value


def _degrees(text: str) -> float:
    point = text.find(".")
    whole = text if point < 0 else text[:point]
    if len(whole) < 3:
        raise ValueRefused("the field holds no degrees and minutes" if text else "the field is empty")
    minutes = _number(text[len(whole) - 2 :], False)
    if not 0 <= minutes < 60:
        raise ValueRefused("the field holds no degrees and minutes")
    return _digits(whole[:-2], 10) + minutes / 60


def _shortest(value: float) -> str:
    """The fewest digits that mean this very number: `to_text` takes those of a 32-bit float where it is one."""
    text = ""
    for digits in (6, 9, 12, 15, 17):
        text = "%.*g" % (digits, value)
        if float(text) == value:
            break
    return text


def _packed_float(word: str, value: float) -> bytes:
    if word == "f64":
        return struct.pack(">d", value)
    if not -FLOAT32_MAX <= value <= FLOAT32_MAX:
        raise ConfigurationError("value", "%s does not fit f32" % to_text(value))
    return struct.pack(">f", value)
