"""protocol/vectors/driver_*.json: what an agent and the program of a driver say, as both ends here read it."""

import json
from binascii import hexlify, unhexlify

from edgelite_drivers import driver_frames as frames
from edgelite_protocol import cbor
from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.frames import FrameReader

_VECTORS = __file__.replace("\\", "/").rsplit("/", 4)[0] + "/protocol/vectors/"
_NAMES = {"hello": 1, "request": 2, "listen": 3, "ignore": 4, "result": 5, "ping": 6, "pong": 7}


def load(name):
    with open(_VECTORS + name) as file:
        rows = json.load(file)
    assert rows, name + " is empty"
    return rows


def greeted():
    messages = frames.Messages("far", 16384)
    messages.feed(frames.hello("far", 16384))
    assert messages.next()[frames.TYPE] == frames.HELLO
    return messages


def error_of(data, cut):
    messages = greeted()
    try:
        for offset in range(0, len(data), cut):
            messages.feed(data[offset : offset + cut])
            while messages.next() is not None:
                pass
    except ProtocolError as error:
        return error.code
    return ""


def test_valid_ones_are_taken_and_made_the_same():
    for row in load("driver_valid.json"):
        data = unhexlify(row["hex"])
        messages = frames.Messages("far", 16384) if row["name"] == "hello" else greeted()
        messages.feed(data)
        message = messages.next()
        assert message[frames.TYPE] == _NAMES[row["name"]]
        assert messages.next() is None
        assert hexlify(frames.encode(message)).decode() == row["hex"]


def test_malformed_ones_are_refused_by_name_however_they_are_cut():
    for row in load("driver_malformed.json"):
        data = unhexlify(row["hex"])
        assert error_of(data, len(data)) == row["error"], row
        assert error_of(data, 1) == row["error"], row


def test_a_valid_one_behind_garbage_is_not_reached():
    for row in load("driver_malformed.json"):
        assert error_of(unhexlify(row["hex"]) + frames.numbered(frames.PONG, 1), 1000) == row["error"], row


def test_the_frames_are_those_of_every_byte_stream():
    reader = FrameReader(16384)
    for row in load("driver_valid.json"):
        reader.feed(unhexlify(row["hex"]))
        stream, payload = reader.next_frame()
        assert stream == 0 and isinstance(cbor.decode(payload), dict)
