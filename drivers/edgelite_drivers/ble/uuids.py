"""Bluetooth UUIDs as text: lower case, with dashes, always of 128 bits, so that two of them can be compared.

A UUID of 16 or 32 bits is short for one on the Bluetooth base UUID (Core Specification, Vol 3, Part B, 2.5.1).
"""

from binascii import hexlify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite_drivers.fields import Fields

_BASE = "-0000-1000-8000-00805f9b34fb"
_DIGITS = "0123456789abcdef"


def parse_uuid(text: str) -> str:
    """ "2A6E", "0x2A6E", "00002a6e", 32 digits with or without dashes; "" for what is none."""
    digits = text.lower()
    if digits[:2] == "0x":
        digits = digits[2:]
    digits = digits.replace("-", "")
    for digit in digits:
        if digit not in _DIGITS:
            return ""
    if len(digits) == 4:
        return "0000" + digits + _BASE
    if len(digits) == 8:
        return digits + _BASE
    return _dashed(digits) if len(digits) == 32 else ""


def from_bytes(data: bytes) -> str:
    """Of 2, 4 or 16 bytes in the order of the air, the low one first; "" for any other length."""
    return parse_uuid(str(hexlify(bytes(reversed(data))), "ascii")) if len(data) in (2, 4, 16) else ""


def beacon_uuid(data: bytes) -> str:
    """Of 16 bytes, the high one first, as an iBeacon has it."""
    return _dashed(str(hexlify(data), "ascii"))


def uuid_field(fields: "Fields", name: str, default: str = "") -> str:
    """A field of a configuration; `default` "" makes it required."""
    text = fields.text(name, 36, default or None)
    uuid = parse_uuid(text)
    if not uuid:
        raise fields.refuse(name, "must be a UUID of 4, 8 or 32 hexadecimal digits")
    return uuid


def _dashed(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
