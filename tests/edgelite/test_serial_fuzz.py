"""Whatever comes over a line, or from a hub over a relay: it ends a connection or is dropped, raises nothing, and makes
nobody hold more than they may."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from serial_world import World

from edgelite import gateway
from edgelite_protocol import line, relay
from edgelite_protocol.cobs import encode_packet
from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.frames import encode_frame

KINDS = st.sampled_from([1, 2, 3, 4, 5, 0x81, 0x83, 0x84, 6, 0])
HEADS = st.tuples(st.integers(0, 3), KINDS, st.sampled_from([0, 1000, 1001, 7]), st.integers(0, 3), st.integers(0, 3))
DATA = st.one_of(st.binary(max_size=line.MESSAGE_BYTES_MAX), st.sampled_from([b"\1", b"", b"\2" + bytes(16)]))
PACKETS = st.tuples(HEADS, DATA)
FRAMES = st.tuples(st.sampled_from([0xE0, 0xE1, 0xE2, 0xE3, 0, 1]), st.binary(max_size=260))


def packet(head: tuple[int, int, int, int, int], data: bytes) -> bytes:
    address, kind, incarnation, sequence, acknowledged = head
    return encode_packet(bytes([address, kind, incarnation >> 8, incarnation & 0xFF, sequence, acknowledged]) + data)


def held(world: Any) -> None:
    one_line = world.gateway.line
    assert len(one_line._attached) + len(one_line._leaving) <= gateway.NODES_MAX
    assert len(one_line._answers) <= gateway.NODES_MAX
    for one in one_line._all():
        assert len(one._downward) <= relay.CREDIT_MAX
        assert len(one.end._arrived) <= line.QUEUE_MAX + 1 and len(one.end._packets) <= line.PACKETS_MAX


@given(st.lists(PACKETS, max_size=40), st.integers(0, 400))
def test_any_packets_at_a_gateway(packets: list[Any], wait_ms: int) -> None:
    world = World(1)
    world.open_all()
    world.run(lambda: False, wait_ms)
    for head, data in packets:
        if world._open.get(world.gateway.line, 0) is None:
            world.gateway.line.received(packet(head, data), world.now_ms)
            held(world)
        try:
            world.run(lambda: False, 20)
        except ProtocolError:  # of the hub's end, which is the test's own here: the gateway carries what it is given
            return


@given(st.lists(PACKETS, max_size=30), st.integers(0, 400))
def test_any_packets_at_a_node(packets: list[Any], wait_ms: int) -> None:
    world = World(1)
    world.open_all()
    world.run(lambda: False, wait_ms)
    link = world.nodes[0].link
    for head, data in packets:
        if link in world._open:
            link.received(packet(head, data), world.now_ms)
        for _ in range(3):
            world.nodes[0].step(world.now_ms)
            world._effects(world.nodes[0].effects)
            world.now_ms += 10
    assert world.nodes[0].upper.got == b"", "nothing of it was the hub's"


@given(st.binary(max_size=3000), st.booleans())
def test_any_bytes_on_the_wire(data: bytes, at_gateway: bool) -> None:
    world = World(1)
    world.open_all()
    assert world.run(lambda: "opened" in world.nodes[0].upper.events)
    channel = world.gateway.line if at_gateway else world.nodes[0].link
    channel.received(data, world.now_ms)
    world.nodes[0].upper.to_say = b"still here"
    assert world.run(lambda: world.relays[0].got == b"still here"), "noise harms nobody"


@given(st.lists(FRAMES, max_size=20), st.binary(max_size=5))
def test_any_frames_from_a_hub(frames: list[tuple[int, bytes]], rest: bytes) -> None:
    world = World(1)
    world.open_all()
    assert world.run(lambda: "opened" in world.nodes[0].upper.events)
    channel = next(one for one in world._open if world._open[one] is not None)
    channel.received(b"".join(encode_frame(kind, payload) for kind, payload in frames) + rest, world.now_ms)
    held(world)
    world.run(lambda: False, 3_000)
    assert world.nodes[0].upper.got == b""
    assert len(world.nodes[0].upper.events) <= 2
