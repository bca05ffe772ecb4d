"""Hypothesis strategies for values of the CBOR profile, and for bytes that nearly are."""

import struct

from hypothesis import strategies as st

from edgelite_protocol import cbor

INTEGERS = st.one_of(
    st.integers(-(2**64), 2**64 - 1),
    st.sampled_from([edge + offset for edge in (0, 24, 2**8, 2**16, 2**32) for offset in (-1, 0, 1)]),
    st.sampled_from([-1 - edge - offset for edge in (24, 2**8, 2**16, 2**32, 2**64 - 2) for offset in (-1, 0, 1)]),
)
FLOATS = st.one_of(
    st.floats(width=64),
    st.floats(width=32),
    st.floats(width=16),
    st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack(">d", bits.to_bytes(8, "big"))[0]),
    st.integers(0, 2**32 - 1).map(lambda bits: struct.unpack(">f", bits.to_bytes(4, "big"))[0]),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
SCALARS = st.one_of(st.none(), st.booleans(), INTEGERS, FLOATS, TEXTS, st.binary(max_size=300))
KEYS = st.one_of(INTEGERS, TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=20,
)

# Every head there is, with arguments that are short, long and too long: garbage that gets past the first byte.
_HEADS = st.integers(0, 255).map(lambda initial: bytes([initial]))
_ARGUMENTS = st.one_of(st.just(b""), st.binary(min_size=1, max_size=9), st.integers(0, 60).map(lambda n: bytes([n])))
GARBAGE = st.lists(st.one_of(_HEADS, _ARGUMENTS, SCALARS.map(cbor.encode)), max_size=12).map(b"".join)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good encoding with a few bytes changed, taken out or put in."""
    data = bytearray(cbor.encode(draw(VALUES)))
    for _ in range(draw(st.integers(1, 3))):
        position = draw(st.integers(0, len(data)))
        taken = draw(st.integers(0, 2))
        data[position : position + taken] = draw(st.one_of(st.just(b""), _HEADS, _ARGUMENTS))
    return bytes(data)
