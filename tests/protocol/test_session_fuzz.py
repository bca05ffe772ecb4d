"""Hostile peers: whatever arrives, in whatever state, no session raises, and each ends by a documented name."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import cbor2
from cddl_rules import refusal
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelite_protocol import cbor
from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.events import Ended
from edgelite_protocol.frames import encode_frame
from edgelite_protocol.hub_session import HUB_TABLE
from edgelite_protocol.join_session import JOIN_TABLE
from edgelite_protocol.message import decode_message
from edgelite_protocol.node_session import NODE_TABLE
from edgelite_protocol.session import ENDED, Session

sys.path.insert(0, str(Path(__file__).parent / "portable"))
from session_pair import take_events
from test_session_states_portable import hub_in, join_in, node_in

PROTOCOL = Path(__file__).parents[2] / "protocol"
VALID = [bytes.fromhex(row["hex"]) for row in json.loads((PROTOCOL / "vectors/messages_valid.json").read_text())]
CODES = set(re.findall(r"^\| `(\w+)` \|", (PROTOCOL / "SPEC.md").read_text(), re.MULTILINE))

SCALARS = st.one_of(
    st.integers(-(2**64), 2**64 - 1),
    st.integers(-2, 130),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.binary(max_size=40),
    st.sampled_from([bytes(8), bytes(16), bytes(32)]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.integers(-1, 12), st.text(max_size=3)), inner, max_size=3),
    ),
    max_leaves=6,
)
STREAMS = st.one_of(st.integers(0, 6), st.integers(0, 255))
STATES = st.sampled_from(
    [(node_in, state) for state in NODE_TABLE]
    + [(hub_in, state) for state in HUB_TABLE]
    + [(join_in, state) for state in JOIN_TABLE]
)


@st.composite
def broken_messages(draw: st.DrawFn) -> bytes:
    """A valid message with one value, at any depth, replaced, added or removed."""
    message: Any = cbor2.loads(draw(st.sampled_from(VALID)))
    place = message
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw(st.sampled_from(keys)) if keys else None
        if key is None or not isinstance(place[key], (dict, list)) or draw(st.booleans()):
            break
        place = place[key]
    how = draw(st.sampled_from(["replace", "add", "remove"]))
    if how == "remove" and key is not None:
        del place[key]
    elif how == "add" and isinstance(place, dict):
        place[draw(st.one_of(st.integers(-3, 15), st.text(max_size=3)))] = draw(VALUES)
    elif key is not None:
        place[key] = draw(VALUES)
    return cbor.encode(message)


def check_session(session: Session, data: bytes, piece_bytes: int) -> None:
    for start in range(0, len(data), piece_bytes):
        session.receive(data[start : start + piece_bytes], 1)
        for event in take_events(session):
            if isinstance(event, Ended) and not event.by_peer:
                assert event.code in CODES, event.code
        session.step(2)
        session.data_to_send(100)
    session.receive_eof(3)
    take_events(session)
    assert session.state == ENDED


@settings(max_examples=400, deadline=None)
@given(
    STATES, st.lists(st.tuples(STREAMS, broken_messages()), min_size=1, max_size=4), st.sampled_from([1, 7, 100_000])
)
def test_broken_messages_never_raise(where: Any, messages: list[tuple[int, bytes]], piece_bytes: int) -> None:
    make, state = where
    data = b"".join(encode_frame(stream, payload) for stream, payload in messages if len(payload) < 4000)
    check_session(make(state), data, piece_bytes)


@settings(max_examples=300, deadline=None)
@given(STATES, st.lists(st.tuples(STREAMS, st.sampled_from(VALID)), min_size=1, max_size=8))
def test_valid_messages_in_any_order_never_raise(where: Any, messages: list[tuple[int, bytes]]) -> None:
    make, state = where
    check_session(make(state), b"".join(encode_frame(stream, payload) for stream, payload in messages), 100_000)


@settings(max_examples=200, deadline=None)
@given(STATES, st.binary(max_size=300), st.sampled_from([1, 7, 100_000]))
def test_garbage_never_raises(where: Any, data: bytes, piece_bytes: int) -> None:
    make, state = where
    check_session(make(state), data, piece_bytes)


@settings(max_examples=400, deadline=None)
@given(broken_messages())
def test_what_the_tables_take_the_grammar_takes(payload: bytes) -> None:
    """The grammar is closed where the tables skip what is newer, so what is newer is set aside first."""
    try:
        message = decode_message(payload)
    except ProtocolError as error:
        assert error.code in CODES
        return
    rule = refusal(payload)
    assert rule is None or is_newer(message), rule


def is_newer(message: Any) -> bool:
    """Whether the message has what version 1.0 does not: unknown keys, types, report kinds, purposes."""
    original = [cbor2.loads(payload) for payload in VALID]
    same_type = [row for row in original if row.get(0) == message[0]]
    if not same_type or (message[0] == 5 and message[2] not in (1, 2)) or message[0] == 18:
        return True
    known = {key for row in same_type for key in all_keys(row)}
    return not all_keys(message) <= known


def all_keys(value: Any) -> set[str]:
    """The paths of all keys, with array places left out."""
    if isinstance(value, dict):
        return {f"{key}"[:4] for key in value} | {
            f"{key}.{inner}" for key, item in value.items() for inner in all_keys(item)
        }
    if isinstance(value, list):
        return {inner for item in value for inner in all_keys(item)}
    return set()
