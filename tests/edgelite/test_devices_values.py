"""Property values as text, both ways."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.values import FLOAT32_MAX, from_text, to_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (-3, "-3"),
        (50.0, "50.0"),
        (struct.unpack(">f", struct.pack(">f", 230.1))[0], "230.1"),
        (0.1, "0.1"),
        (1e20, "1e+20"),
        (-0.0, "-0.0"),
        ("SDM630", "SDM630"),
        (b"\x00\xff\x10", "00ff10"),
    ],
)
def test_text(value: int | float | str | bool | bytes, text: str) -> None:
    assert to_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False) | st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_comes_back_from_its_text(value: float) -> None:
    if abs(value) <= FLOAT32_MAX and struct.unpack(">f", struct.pack(">f", value))[0] == value:
        again = struct.unpack(">f", struct.pack(">f", float(to_text(value))))[0]
    else:
        again = float(to_text(value))
    assert again == value and math.copysign(1, again) == math.copysign(1, value)


@given(st.sampled_from(["INT", "FLOAT", "DOUBLE", "BOOLEAN", "BYTES", "STRING"]), st.text(max_size=30))
def test_any_text_gives_a_value_or_the_typed_error(property_type: str, text: str) -> None:
    try:
        value = from_text(property_type, text)
    except ProtocolError as error:
        assert error.code == "property_value"
    else:
        assert from_text(property_type, to_text(value)) == value


@pytest.mark.parametrize(
    ("property_type", "text"),
    [
        ("INT", ""),
        ("INT", "-"),
        ("INT", "1.0"),
        ("INT", "\u0661"),
        ("INT", "9" * 21),
        ("FLOAT", "nan"),
        ("FLOAT", "inf"),
        ("DOUBLE", "1e999"),
        ("BOOLEAN", "True"),
        ("BYTES", "abc"),
        ("BYTES", "zz"),
    ],
)
def test_what_is_no_value_is_refused(property_type: str, text: str) -> None:
    with pytest.raises(ProtocolError):
        from_text(property_type, text)
