"""Any bytes of a gateway, at the hub's real logic on a store in memory: refused or waited for, and nothing of a node
changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edgelite_hub.model.objects import NODES
from edgelite_hub.nodes.relayed import RelayedConnection
from edgelite_hub.security import oscore_keys
from edgelite_protocol import relay
from edgelite_protocol.frames import encode_frame
from edgelite_protocol.oscore.ends import encode_begin
from tests.hub.hub_world import World, run_work

KINDS = st.sampled_from([relay.RELAY, relay.MESSAGE, relay.CREDIT, relay.END, 0, 0xDF, 0xFF])
PAYLOADS = st.one_of(
    st.binary(max_size=260),
    st.just(b"\1\4"),
    st.just(b"\1"),
    st.builds(lambda rest: b"\0\6\x09\0" + rest, st.binary(max_size=60)),
    st.just("known kid"),
    st.just("unknown kid"),
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Any, bytes]:
    folder: Path = tmp_path_factory.mktemp("world")
    world = World(folder)
    gateway = world.join("gateway")
    world.store.transact(lambda tx: oscore_keys.provision(tx, world.environment, "attic"))
    kid = world.store.read(lambda tx: tx.get_meta("oscore/node/attic"))
    assert kid is not None
    return world, gateway.identity, kid


@example(frames=[(relay.MESSAGE, "known kid"), (relay.RELAY, b"\1\4")], begins=True, cut=400, garbage=b"")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    frames=st.lists(st.tuples(KINDS, PAYLOADS), max_size=12), begins=st.booleans(), cut=st.integers(1, 400),
    garbage=st.binary(max_size=20),
)  # fmt: skip
def test_any_frames(
    stage: tuple[World, Any, bytes], frames: list[tuple[int, Any]], begins: bool, cut: int, garbage: bytes
) -> None:
    world, identity, kid = stage
    openings = {"known kid": encode_begin(kid, 1, bytes(8)), "unknown kid": encode_begin(b"none", 1, bytes(8))}
    before = world.get(NODES, "attic")
    connection = RelayedConnection(world.fleet, identity, "192.0.2.1", world.now_ms)
    data = relay.begin(4) if begins else b""
    data += b"".join(encode_frame(kind, openings.get(payload, payload)) for kind, payload in frames) + garbage
    sent = b""
    for at in range(0, len(data), cut):
        connection.receive(data[at : at + cut], world.now_ms)
        while (work := connection.next_work(world.now_ms)) is not None:
            run_work(world.store, connection, work, world.now_ms)
        sent += connection.data_to_send(1 << 14)
    said = list(relay.RelayReader().frames(sent)) if sent else []
    assert [kind for kind, _ in said] in ([], [relay.MESSAGE], [relay.END], [relay.MESSAGE, relay.END])
    assert connection.identity is None, "nobody has shown any keys"
    assert world.get(NODES, "attic") == before
    world.unix_ms += 61_000  # so that one run's failures do not count for the next one
    connection.abandon(world.now_ms)
