"""protocol/vectors/bus_*.json: a session of a local process, as the agent, the client and the codec have it."""

import json
from binascii import hexlify, unhexlify

from edgelite.bus import frames, local
from edgelite.bus.bus import MessageBus
from edgelite_ports.common import bus_client
from edgelite_protocol import cbor

_VECTORS = __file__.replace("\\", "/").rsplit("/", 4)[0] + "/protocol/vectors/"


def load(name):
    with open(_VECTORS + name) as file:
        rows = json.load(file)
    assert rows, name + " is empty"
    return rows


def new_session():
    server = local.LocalServer(MessageBus(), "bus.sock", "kitchen", lambda effect: None, lambda count: bytes(count))
    return server, server.accept("", 0)


def said(session):
    data = b""
    piece = session.data_to_send(4096)
    while piece:
        data += piece
        piece = session.data_to_send(4096)
    return data


def test_the_agent_says_what_the_vectors_say():
    for cut in (1, 1000):
        server, session = new_session()
        expected = b""
        for row in load("bus_valid.json"):
            data = unhexlify(row["hex"])
            if row["from"] == "agent":
                expected += data
                continue
            assert said(session) == expected
            expected = b""
            for offset in range(0, len(data), cut):
                session.received(data[offset : offset + cut], 0)
            server.step(0)
        assert said(session) == expected != b""


def test_the_client_writes_and_reads_the_same():
    for row in load("bus_valid.json"):
        payload = unhexlify(row["hex"])[3:]
        item = cbor.decode(payload)
        assert bus_client._decode(payload, 0) == (item, len(payload)), row
        if row["from"] == "process":
            assert bus_client._encode(item) == payload, row


def test_malformed_ones_are_refused_by_name_however_they_are_cut():
    hello = frames.encode(frames.HELLO, {frames.PROTOCOL_VERSION: 1})
    for row in load("bus_malformed.json"):
        for cut in (1, 1000):
            server, session = new_session()
            data = hello + unhexlify(row["hex"])
            for offset in range(0, len(data), cut):
                session.received(data[offset : offset + cut], 0)
                server.step(0)
            server.step(0)
            heard = said(session)
            assert hexlify(row["error"].encode()) in hexlify(heard) and session.state != local.READY, row
