"""Floats in their shortest exact form (RFC 8949 section 4.2.1): 16, 32 or 64 bits.

The conversions between widths work on integers, so they are exact on targets whose floats have 32 bits too.
"""

import struct

# A binary format as (exponent bits, fraction bits), IEEE 754.
HALF = (5, 10)
SINGLE = (8, 23)
DOUBLE = (11, 52)

HALF_NAN = 0x7E00  # the only NaN: payloads would be 2**52 encodings of one value


def narrowed(bits: int, wide: "tuple[int, int]", narrow: "tuple[int, int]") -> int:
    """The same number in the narrower binary format, or -1 where it does not fit exactly. Formats are
    (exponent bits, fraction bits); NaN must not come here."""
    exponent_bits, fraction_bits = wide
    narrow_exponent_bits, narrow_fraction_bits = narrow
    fraction = bits & ((1 << fraction_bits) - 1)
    exponent = (bits >> fraction_bits) & ((1 << exponent_bits) - 1)
    sign = (bits >> (fraction_bits + exponent_bits)) << (narrow_fraction_bits + narrow_exponent_bits)
    narrow_top = (1 << narrow_exponent_bits) - 1
    if exponent == (1 << exponent_bits) - 1:
        return sign | (narrow_top << narrow_fraction_bits)  # infinity
    if exponent == 0:
        return sign if fraction == 0 else -1  # the narrower format has no room for a wider one's subnormals
    narrow_exponent = exponent - ((1 << (exponent_bits - 1)) - 1) + (narrow_top >> 1)
    dropped_bits = fraction_bits - narrow_fraction_bits
    if narrow_exponent >= narrow_top:
        return -1
    if narrow_exponent <= 0:  # becomes a subnormal: the leading one turns explicit
        fraction |= 1 << fraction_bits
        dropped_bits += 1 - narrow_exponent
        narrow_exponent = 0
    if fraction & ((1 << dropped_bits) - 1):
        return -1
    return sign | (narrow_exponent << narrow_fraction_bits) | (fraction >> dropped_bits)


def is_nan(bits: int, width: "tuple[int, int]") -> bool:
    exponent_bits, fraction_bits = width
    top = (1 << exponent_bits) - 1
    return (bits >> fraction_bits) & top == top and bits & ((1 << fraction_bits) - 1) != 0


def half_to_float(bits: int) -> float:
    """struct's "e" is not in every MicroPython build, so by hand; exact, also where floats have 32 bits."""
    exponent = (bits >> 10) & 31
    fraction = bits & 0x3FF
    if exponent == 31:
        magnitude = float("inf")
    elif exponent == 0:
        magnitude = fraction * 2.0**-24
    else:
        magnitude = (fraction + 1024) * 2.0 ** (exponent - 25)
    return -magnitude if bits >> 15 else magnitude


def shortest(value: float) -> bytes:
    """The initial byte and the 2, 4 or 8 bytes behind it."""
    if value != value:
        return b"\xf9\x7e\x00"
    double = struct.pack(">d", value)
    if double[7] or double[6] or double[5] or double[4] & 0x1F:
        return b"\xfb" + double  # the common case: digits that 32 bits cannot hold
    single = narrowed(int.from_bytes(double, "big"), DOUBLE, SINGLE)
    if single < 0:
        return b"\xfb" + double
    half = narrowed(single, SINGLE, HALF)
    if half < 0:
        return b"\xfa" + single.to_bytes(4, "big")
    return b"\xf9" + half.to_bytes(2, "big")


def from_half(data: bytes) -> "float | None":
    """None where it is a NaN other than the one that stands for all."""
    bits = int.from_bytes(data, "big")
    if is_nan(bits, HALF):
        return float("nan") if bits == HALF_NAN else None
    return half_to_float(bits)


def from_single(data: bytes) -> "float | None":
    """None where 16 bits would do."""
    bits = int.from_bytes(data, "big")
    if is_nan(bits, SINGLE) or narrowed(bits, SINGLE, HALF) >= 0:
        return None
    return float(struct.unpack(">f", data)[0])


def from_double(data: bytes) -> "float | None":
    """None where 32 bits would do."""
    if data[7] or data[6] or data[5] or data[4] & 0x1F:  # the common case, as in `shortest`
        if data[0] & 0x7F == 0x7F and data[1] >= 0xF0:
            return None  # NaN: an infinity has no low bits
    else:
        bits = int.from_bytes(data, "big")
        if is_nan(bits, DOUBLE) or narrowed(bits, DOUBLE, SINGLE) >= 0:
            return None
    return float(struct.unpack(">d", data)[0])


READERS = (from_half, from_single, from_double)  # by additional information 25, 26, 27
