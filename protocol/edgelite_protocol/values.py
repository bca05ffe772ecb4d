"""Property values and their text: twins hold text, telemetry holds typed values, and both ends must agree.

    INT                 12, -3
    FLOAT, DOUBLE       the fewest digits that give the same number back: "230.1", "50.0", "1e+20"
    BOOLEAN             true, false
    STRING              itself
    BYTES               hexadecimal, "00ff10"

A float that a 32-bit float holds exactly is written with the digits that such a float needs: what a meter sent as
230.1 reads 230.1, not 230.10000610351562.
"""

import struct
from binascii import hexlify, unhexlify

from edgelite_protocol.errors import ProtocolError

FLOAT32_MAX = 3.4028234663852886e38
INTEGER_DIGITS_MAX = 20  # of an unsigned 64-bit integer


def is_number(value: object) -> bool:
    """True for int and float, never for bool (which is an int on one runtime and not on the other)."""
    return value is not True and value is not False and isinstance(value, (int, float))


def is_finite(value: float) -> bool:
    return value - value == 0


def to_text(value: "int | float | str | bool | bytes") -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, bytes):
        return str(hexlify(value), "ascii")
    return str(value)


def _float_text(value: float) -> str:
    if not is_finite(value):
        return str(value)
    if _is_float32(value):
        for digits in (6, 7, 8, 9):
            text = "%.*g" % (digits, value)
            if struct.unpack(">f", struct.pack(">f", float(text)))[0] == value:
                return _with_point(text)
    for digits in (15, 16, 17):
        text = "%.*g" % (digits, value)
        if float(text) == value:
            break
    return _with_point(text)


def _is_float32(value: float) -> bool:
    return -FLOAT32_MAX <= value <= FLOAT32_MAX and struct.unpack(">f", struct.pack(">f", value))[0] == value


def _with_point(text: str) -> str:
    return text if "." in text or "e" in text else text + ".0"


def from_text(property_type: str, text: str) -> "int | float | str | bool | bytes":
    """The typed value of `text`; ProtocolError("property_value") says what would be right."""
    if property_type == "INT":
        return _integer(text)
    if property_type in ("FLOAT", "DOUBLE"):
        return _float(text)
    if property_type == "BOOLEAN":
        if text not in ("true", "false"):
            raise ProtocolError("property_value", "a BOOLEAN is true or false, not %s" % _quoted(text))
        return text == "true"
    if property_type == "BYTES":
        return _bytes(text)
    return text


def _integer(text: str) -> int:
    digits = text[1:] if text[:1] == "-" else text
    if not 1 <= len(digits) <= INTEGER_DIGITS_MAX or not all("0" <= digit <= "9" for digit in digits):
        raise ProtocolError("property_value", "an INT is a decimal integer, not %s" % _quoted(text))
    return int(text)


def _float(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not is_finite(value):
        raise ProtocolError("property_value", "a FLOAT or DOUBLE is a finite decimal number, not %s" % _quoted(text))
    return value


def _bytes(text: str) -> bytes:
    if len(text) % 2 or not all(digit in "0123456789abcdefABCDEF" for digit in text):
        raise ProtocolError("property_value", "BYTES are hexadecimal digits in pairs, not %s" % _quoted(text))
    return unhexlify(text)


def _quoted(text: str) -> str:
    return '"' + text[:40] + '"'
