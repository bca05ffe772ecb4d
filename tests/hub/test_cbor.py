"""The hub's codec (cbor2) and the device's (portable) accept and refuse the same, with the same names."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelite_hub import cbor as hub
from edgelite_protocol import cbor as portable
from edgelite_protocol.errors import MisuseError

sys.path.insert(0, str(Path(__file__).parents[1] / "protocol"))
from strategies import GARBAGE, VALUES, damaged

VECTORS = Path(__file__).parents[2] / "protocol" / "vectors"
DATA = Path(__file__).parents[1] / "protocol" / "data"


def rows() -> list[str]:
    files = (VECTORS / "cbor_valid.json", VECTORS / "cbor_malformed.json", DATA / "rfc8949_appendix_a.json")
    return [row["hex"] for file in files for row in json.loads(file.read_text())]


def outcome(codec: Any, data: bytes) -> str:
    """What decoding gives, told apart by type, sign and order; or the error's code."""
    try:
        return repr(codec.decode(data))
    except portable.CborError as error:
        return error.code


def encoded(codec: Any, value: object) -> bytes | str:
    try:
        result: bytes = codec.encode(value)
    except MisuseError as error:
        return str(error)
    return result


@pytest.mark.parametrize("data", rows())
def test_vectors(data: str) -> None:
    for size in range(len(data) // 2 + 1) if len(data) < 200 else [len(data) // 2]:
        cut = bytes.fromhex(data)[:size]
        assert outcome(hub, cut) == outcome(portable, cut)
        assert outcome(hub, cut + b"\x00") == outcome(portable, cut + b"\x00")


@given(st.one_of(GARBAGE, damaged(), st.binary(max_size=40)))
@settings(max_examples=400)
def test_any_input(data: bytes) -> None:
    assert outcome(hub, data) == outcome(portable, data)


@given(VALUES)
def test_any_value(value: object) -> None:
    assert encoded(hub, value) == encoded(portable, value)
    assert outcome(hub, portable.encode(value)) == outcome(portable, portable.encode(value))


LOOP: list[object] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    "value",
    [
        2**64,
        -(2**64) - 1,
        {2**64: 0},
        {-1: 0, 24: 0},
        {1: 0, "a": 0, 1000: 0},
        {True: 0},
        {None: 0},
        {1.0: 0},
        {b"": 0},
        {(1,): 0},
        object(),
        set(),
        "\ud800",
        {"\udfff": 0},
        (1, (2,)),
        bytearray(b"ab"),
        memoryview(b"ab"),
        LOOP,
        [LOOP],
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_the_two_codecs_could_disagree_on(value: object) -> None:
    assert encoded(hub, value) == encoded(portable, value)


@pytest.mark.parametrize("depth", [15, 16, 17])
def test_depth(depth: int) -> None:
    data = b"\x81" * (depth - 1) + b"\x80"
    assert outcome(hub, data) == outcome(portable, data)
    assert (outcome(hub, data) == "cbor_depth") == (depth > 16)


def test_any_buffer_is_taken() -> None:
    assert hub.decode(memoryview(b"\x01\x02")[:1]) == hub.decode(bytearray(b"\x01")) == 1


def test_our_messages_are_done_by_cbor2(monkeypatch: pytest.MonkeyPatch) -> None:
    message = {0: 18, 1: 1, 2: 7, 3: [[1000, {0: 3, 1: "default/meter", 2: [1760000000000, 1], 3: {"voltage": 230.1}}]]}
    data = portable.encode(message)
    monkeypatch.setattr(portable, "encode", None)
    monkeypatch.setattr(portable, "decode", None)
    assert hub.encode(message) == data
    assert hub.decode(data) == message
