"""The portable codec against Hypothesis, against cbor2, and against struct for the widths of floats."""

import json
import math
import re
import struct
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cbor_diagnostic import diagnostic
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import FLOATS, GARBAGE, VALUES, damaged

from edgelite_protocol import cbor, cbor_float, utf8

PROTOCOL = Path(__file__).parents[2] / "protocol"
SPECIFICATION = (PROTOCOL / "SPEC.md").read_text()
VALID: list[dict[str, Any]] = json.loads((PROTOCOL / "vectors" / "cbor_valid.json").read_text())
MALFORMED: list[dict[str, Any]] = json.loads((PROTOCOL / "vectors" / "cbor_malformed.json").read_text())
CODES = {row["error"] for row in MALFORMED}


@pytest.mark.parametrize("row", VALID, ids=lambda row: row["hex"][:32])
def test_valid_vectors_mean_what_they_say(row: dict[str, Any]) -> None:
    assert diagnostic(cbor.decode(bytes.fromhex(row["hex"]))) == row["diagnostic"]


@pytest.mark.parametrize("row", VALID, ids=lambda row: row["hex"][:32])
def test_cbor2_reads_the_valid_vectors_the_same(row: dict[str, Any]) -> None:
    assert diagnostic(cbor2.loads(bytes.fromhex(row["hex"]))) == row["diagnostic"]


def test_every_error_of_the_specification_has_a_vector() -> None:
    assert set(re.findall(r"^\| `(cbor_\w+)` \|", SPECIFICATION, re.MULTILINE)) == CODES


def code_of(data: bytes) -> str:
    """The error's code, "" where it is accepted; any other exception passes through and fails the test."""
    try:
        value = cbor.decode(data)
    except cbor.CborError as error:
        return error.code
    assert cbor.encode(value) == data, "accepted, though it is not the one encoding of its value"
    return ""


def same(one: object, other: object) -> bool:
    """Equal in value, type and sign of zero; diagnostic notation tells them apart, and NaN from nothing else."""
    return diagnostic(one) == diagnostic(other)


def in_wire_order(value: object) -> object:
    """The same value with its maps in the order of their keys' encodings."""
    if isinstance(value, dict):
        return {key: in_wire_order(value[key]) for key in sorted(value, key=cbor.encode)}
    if isinstance(value, list):
        return [in_wire_order(item) for item in value]
    return value


@given(VALUES)
def test_round_trip(value: object) -> None:
    data = cbor.encode(value)
    assert same(cbor.decode(data), in_wire_order(value))
    assert cbor.encode(cbor.decode(data)) == data


@given(VALUES)
def test_cbor2_reads_what_we_write(value: object) -> None:
    assert same(cbor2.loads(cbor.encode(value)), in_wire_order(value))


@given(st.one_of(FLOATS, st.integers(-(2**64), 2**64 - 1), st.text(st.characters(exclude_categories=["Cs"]))))
def test_we_write_what_cbor2_writes(value: object) -> None:
    # Maps are left out: cbor2's canonical form sorts keys shorter first (RFC 7049), see the next test.
    assert cbor.encode([value, {1: value}]) == cbor2.dumps([value, {1: value}], canonical=True)


@given(st.dictionaries(st.integers(0, 2**64 - 1), st.none()), st.dictionaries(st.text("abc\u00fc"), st.none()))
def test_we_sort_as_cbor2_where_both_orders_agree(integers: dict[int, None], texts: dict[str, None]) -> None:
    assert cbor.encode([integers, texts]) == cbor2.dumps([integers, texts], canonical=True)


@given(VALUES)
def test_we_read_what_cbor2_writes_or_refuse_its_order(value: object) -> None:
    data = cbor2.dumps(value, canonical=True)
    assert code_of(data) in ("", "cbor_key_order")


@given(st.one_of(GARBAGE, damaged(), st.binary(max_size=40)))
@settings(max_examples=400)
def test_garbage_is_accepted_as_itself_or_refused_by_a_known_name(data: bytes) -> None:
    assert code_of(data) in CODES | {""}


@given(VALUES, st.binary(min_size=1, max_size=5))
@settings(max_examples=50)
def test_every_cut_and_every_tail_is_refused(value: object, tail: bytes) -> None:
    data = cbor.encode(value)
    for size in range(len(data)):
        assert code_of(data[:size]) == "cbor_truncated"
    assert code_of(data + tail) == "cbor_trailing_bytes"


@given(st.binary(max_size=12))
@settings(max_examples=400)
def test_utf8_by_hand_agrees_with_cpython(data: bytes) -> None:
    assert utf8.is_utf8(data) == is_utf8_for_cpython(data)


def test_utf8_by_hand_agrees_with_cpython_on_all_leads_and_edges() -> None:
    edges = (0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xE0, 0xFF)
    for lead in range(256):
        for second in edges:
            for tail in (b"", b"\x80", b"\x80\x80", b"\xbf\xbf", b"\x80\xc0", b"\x7f\x80", b"\x80\x80\x80"):
                data = bytes([lead, second]) + tail
                assert utf8.is_utf8(data) == is_utf8_for_cpython(data), data.hex()


def is_utf8_for_cpython(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_all_halves_are_read_as_struct_reads_them() -> None:
    for bits in range(0x10000):
        data = bits.to_bytes(2, "big")
        expected = struct.unpack(">e", data)[0]
        value = cbor_float.from_half(data)
        if math.isnan(expected):
            assert (value is None) == (bits != cbor_float.HALF_NAN)
        else:
            assert value is not None
            assert struct.pack(">d", value) == struct.pack(">d", expected)
            assert cbor_float.shortest(value) == b"\xf9" + data


@given(FLOATS)
@settings(max_examples=500)
def test_floats_take_the_first_width_that_struct_brings_back(value: float) -> None:
    assert cbor.encode(value) == (b"\xf9\x7e\x00" if math.isnan(value) else shortest_by_struct(value))


@given(FLOATS)
@settings(max_examples=500)
def test_floats_of_more_bits_than_they_need_are_refused(value: float) -> None:
    for initial, width in ((b"\xf9", ">e"), (b"\xfa", ">f"), (b"\xfb", ">d")):
        try:
            data = initial + struct.pack(width, value)
        except OverflowError:
            continue
        exact = struct.unpack(width, data[1:])[0]
        assert code_of(data) == ("" if data == cbor.encode(exact) else "cbor_not_deterministic")


def shortest_by_struct(value: float) -> bytes:
    for initial, width in ((b"\xf9", ">e"), (b"\xfa", ">f")):
        try:
            packed = struct.pack(width, value)
        except OverflowError:
            continue
        if struct.unpack(width, packed)[0] == value:
            return initial + packed
    return b"\xfb" + struct.pack(">d", value)
