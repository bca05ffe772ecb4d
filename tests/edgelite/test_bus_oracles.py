"""The bus' parsers beside other ones: topic filters against a search by brute force, JSON against CPython's,
the client's codec against the protocol's."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from edgelite.bus import json_text, topics
from edgelite_ports.common import bus_client
from edgelite_protocol import cbor
from edgelite_protocol.errors import ProtocolError

LEVEL = st.sampled_from(["", "a", "b", "$a", "+", "#", "a+", "ab"])
TEXT = st.lists(LEVEL, min_size=1, max_size=5).map("/".join)


def pattern_of(wanted: str) -> re.Pattern[str] | None:
    """A filter as a regular expression, written from section 4.7 alone; None where it is no filter."""
    if not re.fullmatch(r"(([^+#/]*|\+)/)*([^+#/]*|\+|#)", wanted) or not wanted:
        return None
    lead = r"(?!\$)" if wanted[0] in "+#" else ""
    body = "/".join("[^/]*" if level == "+" else re.escape(level) for level in wanted.split("/") if level != "#")
    if wanted == "#":
        return re.compile(lead + r"[\s\S]*")
    if wanted.endswith("/#"):
        return re.compile(lead + body + r"(/[\s\S]*)?")
    return re.compile(lead + body)


@given(TEXT, TEXT)
@example("a/#", "a")
@example("#", "$a")
@example("+/a", "/a")
def test_filters_match_as_the_standard_says(wanted: str, topic: str) -> None:
    pattern = pattern_of(wanted)
    try:
        levels = topics.filter_levels(wanted)
    except ProtocolError:
        assert pattern is None
        return
    assert pattern is not None
    try:
        of_topic = topics.topic_levels(topic)
    except ProtocolError:
        assert not topic or re.search("[+#]", topic)
        return
    assert topics.matches(levels, of_topic) == bool(pattern.fullmatch(topic))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.text(max_size=8)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def refuse(_: str) -> Any:
    raise ValueError("no JSON")


def no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key comes twice")
    return dict(pairs)


def finite(text: str) -> float:
    value = float(text)
    return value if value - value == 0 else refuse(text)


def peer(data: bytes) -> Any:
    """CPython's, made as strict as ours. ValueError."""
    value = json.loads(data.decode(), parse_constant=refuse, object_pairs_hook=no_twins, parse_float=finite)
    json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate has no encoding
    return value


@given(JSON)
def test_what_the_other_writes_is_read_alike(value: Any) -> None:
    data = json.dumps(value, allow_nan=False).encode()
    try:
        read = json_text.decode(data)
    except ProtocolError as error:
        assert re.search("surrogate|bytes, where|inside one another|not finite|too large|values, keys", error.text), (
            error
        )
        return
    assert read == peer(data)


@given(
    st.text(alphabet='{}[]":,\\u0123456789eE+-. \ntrufalsn\x01\u00e9\ud83d', max_size=40).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    )
    | st.binary(max_size=24)
)
def test_both_take_and_refuse_the_same(data: bytes) -> None:
    try:
        expected = peer(data)
    except (ValueError, RecursionError):
        expected = refuse
    try:
        read = json_text.decode(data)
    except ProtocolError as error:
        assert expected is refuse or re.search("inside one another|more than 32 characters|values, keys", error.text), (
            error
        )
        return
    assert read == expected and type(read) is type(expected)


WRITABLE = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(WRITABLE)
def test_the_other_reads_what_is_written(value: Any) -> None:
    try:
        data = json_text.encode(value)
    except UnicodeError:
        return  # a lone surrogate
    assert json.loads(data) == value


FIELDS = st.dictionaries(
    st.integers(0, 30), st.integers(0, 2**32 - 1) | st.binary(max_size=300) | st.text(max_size=80) | st.booleans()
)


@given(FIELDS)
def test_the_clients_own_codec_is_the_agents(fields: dict[int, object]) -> None:
    data = cbor.encode(fields)
    assert bus_client._encode(fields) == data
    assert bus_client._decode(data, 0) == (fields, len(data))
