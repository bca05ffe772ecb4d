"""RTU, ASCII and TCP frames against pymodbus' framers, a second implementation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.framer import FramerAscii, FramerRTU, FramerSocket
from pymodbus.pdu.decoders import DecodePDU

from edgelite_drivers.modbus import pdu
from edgelite_drivers.modbus.ascii import AsciiFraming
from edgelite_drivers.modbus.framing import Framing
from edgelite_drivers.modbus.rtu import RtuFraming
from edgelite_drivers.modbus.tcp import TcpFraming

EXAMPLES = settings(max_examples=200, deadline=None)
PAIRS: dict[str, tuple[type[Framing], Any]] = {
    "tcp": (TcpFraming, FramerSocket),
    "rtu": (RtuFraming, FramerRTU),
    "ascii": (AsciiFraming, FramerAscii),
}
UNITS = st.integers(1, 247)
TRANSACTION = 1  # of a framing's first request


def exchanges() -> st.SearchStrategy[tuple[bytes, bytes]]:
    """A request and a right answer, or a refusal."""

    def read(function: int, address: int, count: int, seed: bytes) -> tuple[bytes, bytes]:
        size = (count + 7) // 8 if function <= 2 else 2 * count
        return pdu.read_request(function, address, count), bytes([function, size]) + (seed * 250)[:size]

    def write(address: int, data: bytes) -> tuple[bytes, bytes]:
        request = pdu.write_registers_request(address, data * 2)
        return request, request[:5]

    reads = st.builds(read, st.integers(1, 4), st.integers(0, 60000), st.integers(1, 125), st.binary(min_size=1))
    writes = st.builds(write, st.integers(0, 60000), st.binary(min_size=1, max_size=120))
    refusals = st.builds(lambda request, code: (request, bytes([request[0] | 0x80, code])), reads.map(first), CODES)
    return reads | writes | refusals


def first(pair: tuple[bytes, bytes]) -> bytes:
    return pair[0]


CODES = st.integers(1, 11)


def theirs(framer: Any, unit: int, data: bytes) -> bytes | None:
    """The PDU that pymodbus' client takes from the bytes."""
    while data:
        try:
            used, found_unit, transaction, frame = framer(DecodePDU(False)).decode(data)
        except Exception:  # noqa: BLE001 - whatever it trips over, it has found none
            return None
        if frame and found_unit == unit and transaction in (0, TRANSACTION):
            return bytes(frame)
        if not used:
            return None
        data = data[used:]
    return None


@pytest.mark.parametrize("name", PAIRS)
@EXAMPLES
@given(exchange=exchanges(), unit=UNITS)
def test_requests_are_framed_alike(name: str, exchange: tuple[bytes, bytes], unit: int) -> None:
    ours, framer = PAIRS[name]
    assert ours().encode(unit, exchange[0]) == framer(DecodePDU(False)).encode(exchange[0], unit, TRANSACTION)


@pytest.mark.parametrize("name", PAIRS)
@EXAMPLES
@given(exchange=exchanges(), unit=UNITS, cut=st.integers(0, 300))
def test_answers_are_taken_alike(name: str, exchange: tuple[bytes, bytes], unit: int, cut: int) -> None:
    ours, framer = PAIRS[name]
    request, answer = exchange
    data = framer(DecodePDU(False)).encode(answer, unit, TRANSACTION)
    framing = ours()
    framing.encode(unit, request)
    framing.feed(data[:cut])
    taken = framing.next_answer()
    assert (taken is None) == (cut < len(data))
    framing.feed(data[cut:])
    assert (taken or framing.next_answer()) == answer == theirs(framer, unit, data)


@pytest.mark.parametrize("name", ["rtu", "ascii"])
@EXAMPLES
@given(exchange=exchanges(), unit=UNITS, place=st.integers(0, 10_000), change=st.integers(1, 255))
def test_one_changed_byte_is_never_taken(
    name: str, exchange: tuple[bytes, bytes], unit: int, place: int, change: int
) -> None:
    ours, framer = PAIRS[name]
    request, answer = exchange
    data = bytearray(framer(DecodePDU(False)).encode(answer, unit, 0))
    place %= len(data)
    if name == "ascii" and chr(data[place] ^ change).upper() == chr(data[place]):
        return  # the same digit in lower case
    data[place] ^= change
    framing = ours()
    framing.encode(unit, request)
    framing.feed(bytes(data))
    found = framing.next_answer() or framing.expire()
    assert found is None
