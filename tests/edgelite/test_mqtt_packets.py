"""What umqtt writes in memory, and what the reader cuts, against a codec written for these tests (mqtt_world.py)."""

from __future__ import annotations

import itertools
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as some
from mqtt_world import heard, message, packet

from edgelite.driver import ConfigurationError
from edgelite.mqtt import frames, umqtt_client
from edgelite.mqtt.frames import PacketReader
from edgelite.mqtt.umqtt_client import FILTER_BYTES_MAX, UmqttClient
from edgelite_protocol.errors import ProtocolError

TEXTS = some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\0+#"), min_size=1, max_size=40)
PAYLOADS = some.binary(max_size=300)
NUMBERS = some.integers(1, 0xFFFF)


@given(TEXTS, some.one_of(some.none(), some.tuples(TEXTS, some.binary(max_size=40))), TEXTS, PAYLOADS)
def test_connect(name: str, login: tuple[str, bytes] | None, topic: str, will: bytes) -> None:
    user, password = login or ("", b"")
    (said,) = heard(UmqttClient(name, 77, user, b"p" + password.hex().encode(), (topic, will.hex().encode())).connect())
    assert (said.client, said.keepalive_s, said.is_clean) == (name, 77, True)
    assert said.will == (topic, will.hex())
    assert (said.user, said.password) == ((user, "p" + password.hex()) if login else (None, None))


@given(TEXTS, some.integers(0, 40_000), some.booleans(), some.integers(0, 0xFFFF))
def test_publish(topic: str, size_bytes: int, retain: bool, number: int) -> None:
    client = UmqttClient("n", 60)
    payload = bytes(size_bytes)
    (said,) = heard(client.publish(topic, payload, retain, number))
    assert (said.topic, said.payload, said.number) == (topic, payload, number)
    assert (said.qos, bool(said.first & 1)) == (1 if number else 0, retain)
    if number:
        client.published(topic, payload, retain, number, packet(0x40, number.to_bytes(2, "big")))


@given(TEXTS, NUMBERS)
def test_subscribe(text: str, number: int) -> None:
    client = UmqttClient("n", 60)
    if len(text.encode()) > FILTER_BYTES_MAX:
        return
    (said,) = heard(client.subscribe(text, number))
    assert (said.topic, said.number, said.qos) == (text, number, 1)
    client.subscribed(text, number, packet(0x90, number.to_bytes(2, "big") + b"\1"))


def test_without_umqtt_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(umqtt_client, "_MODULE", "edgelite.vendored.gone")
    monkeypatch.setitem(sys.modules, "ustruct", sys)
    with pytest.raises(ConfigurationError, match=r"umqtt is missing here: in a checkout, \./dev setup fetches it"):
        umqtt_client.load()
    assert sys.modules["ustruct"] is sys
    assert "usocket" not in sys.modules


def test_the_longest_filter() -> None:
    client = UmqttClient("n", 60)
    assert heard(client.subscribe("x" * FILTER_BYTES_MAX, 1))[0].topic == "x" * FILTER_BYTES_MAX
    with pytest.raises(ProtocolError, match="at most 122 bytes"):  # umqtt would have no byte for its length
        client.subscribe("x" * (FILTER_BYTES_MAX + 1), 1)


@given(some.lists(some.tuples(TEXTS, PAYLOADS, some.integers(0, 1), NUMBERS), max_size=5), some.data())
def test_messages_cut_anywhere_come_whole(rows: list[tuple[str, bytes, int, int]], data: some.DataObject) -> None:
    stream = b"".join(message(topic, payload, qos, number) for topic, payload, qos, number in rows)
    client, reader = UmqttClient("n", 60), PacketReader()
    got = []
    while stream:
        cut = data.draw(some.integers(1, len(stream)))
        reader.feed(stream[:cut])
        stream = stream[cut:]
        while (one := reader.next_packet()) is not None:
            assert one.kind == frames.PUBLISH
            topic, payload, answer = client.message(one.data)
            got.append((topic, payload, int(bool(answer)), one.number))
            assert answer == (packet(0x40, one.number.to_bytes(2, "big")) if one.number else b"")
    assert got == [(topic, payload, qos, number if qos else 0) for topic, payload, qos, number in rows]
    assert reader.buffered_bytes == 0


@given(some.integers(1, 4), some.integers(0, 1), NUMBERS, some.lists(some.integers(0, 33_000), max_size=6))
def test_a_long_message_is_passed_over_wherever_it_is_cut(more: int, qos: int, number: int, cuts: list[int]) -> None:
    stream = message("t", bytes(frames.PAYLOAD_BYTES_MAX + more), qos, number) + message("next", b"x")
    reader = PacketReader()
    got = []
    bounds = [0, *sorted(cuts), len(stream)]
    for start, end in itertools.pairwise(bounds):
        reader.feed(stream[start:end])
        while (one := reader.next_packet()) is not None:
            got.append((one.data, one.number))
        assert reader.buffered_bytes <= 16, "no byte of it is kept"
    assert got == [(b"", number if qos else 0), (message("next", b"x"), 0)]


def test_a_length_in_more_bytes_than_it_needs() -> None:
    """umqtt asserts the length of an acknowledgement in one byte."""
    reader = PacketReader()
    reader.feed(b"\x40\x82\0\0\1")
    with pytest.raises(ProtocolError, match="no packet of a broker"):
        reader.next_packet()
    reader = PacketReader()
    reader.feed(b"\x30\x84\x80\0\0\1tx")
    one = reader.next_packet()
    assert one is not None
    assert UmqttClient("n", 60).message(one.data) == ("t", b"x", b"")


@given(some.binary(max_size=64))
def test_what_passes_the_reader_breaks_no_assertion(data: bytes) -> None:
    """Each is a packet that umqtt takes, and takes whole."""
    client, reader = UmqttClient("n", 60), PacketReader()
    reader.feed(data)
    try:
        while (one := reader.next_packet()) is not None:
            if one.kind == frames.PUBLISH and one.data:
                client.message(one.data)
            elif one.kind == frames.PUBACK:
                client.published("t", b"", False, one.number, one.data)
            elif one.kind == frames.SUBACK:
                client.subscribed("t", one.number, one.data)
            elif one.kind == frames.CONNACK:
                client.connected(one.data)
            elif one.kind == frames.PINGRESP:
                client.ponged(one.data)
    except ProtocolError:
        return
