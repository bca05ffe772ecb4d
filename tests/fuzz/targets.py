"""Every decoder of bytes that a peer, a wire or a file gives, for the fuzzers.

To add one, append a Target to TARGETS:

    name      for the table that is printed
    prepare   imports what is fuzzed, and gives `function(data: bytes)`. The function feeds the data to the decoder,
              catches the typed errors that the decoder documents (nothing wider), and asserts what must always hold.
              Whatever else comes out of it is a bug. It must be quick: some ten thousand calls a second.
    seeds     a few inputs that the decoder takes, so that the fuzzers find its depths
    weight    its share of the inputs

Both fuzzers run all of them: Hypothesis (test_targets.py), and atheris, which is guided by coverage (test_atheris.py).
Try one alone:  python tests/fuzz/run_atheris.py NAME --runs 100000
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Function = Callable[[bytes], None]


@dataclass(frozen=True)
class Target:
    name: str
    prepare: Callable[[], Function]
    seeds: tuple[bytes, ...]
    weight: int = 1


def hexes(*texts: str) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(text) for text in texts)


# ---- Modbus, the client's side: what a device answers

REQUESTS = hexes(
    "0100000009", "020005000a", "0300000002", "0400000004", "050000ff00", "0600000102", "07", "0800001234",
    "0f00000009020101", "100003000204ffff0000", "11", "16000000f20025", "1700000002000100020400010002", "2b0e0100",
)  # fmt: skip


def modbus_parse() -> Function:
    from edgelite_drivers.modbus import diagnosis, pdu
    from edgelite_protocol.errors import ProtocolError

    parsers: dict[int, Callable[[bytes], object]] = {
        7: diagnosis.parse_exception_status,
        17: diagnosis.parse_server_id,
        43: diagnosis.parse_identification,
    }

    def function(data: bytes) -> None:
        request = REQUESTS[data[0] % len(REQUESTS)] if data else REQUESTS[0]
        try:
            found = pdu.parse_answer(request, data[1:])
            if request[0] in parsers:
                parsers[request[0]](found)
            elif request[0] == 8:
                diagnosis.parse_diagnostics(request, found)
        except ProtocolError:
            return
        assert data[1] == request[0]

    return function


def modbus_client(name: str) -> Function:
    from edgelite_drivers.modbus.ascii import AsciiFraming
    from edgelite_drivers.modbus.client import Client
    from edgelite_drivers.modbus.rtu import RtuFraming
    from edgelite_drivers.modbus.tcp import TcpFraming
    from edgelite_protocol.errors import ProtocolError

    make: Any = {"tcp": TcpFraming, "rtu": RtuFraming, "ascii": AsciiFraming}[name]

    def function(data: bytes) -> None:
        """The first byte chooses the request, the second where the rest is cut in two."""
        client = Client(make())
        client.ask(1, REQUESTS[data[0] % len(REQUESTS)] if data else REQUESTS[0])
        cut = 2 + data[1] if len(data) > 1 else 2
        found = None
        try:
            for piece in (data[2:cut], data[cut:]):
                found = client.take(piece) if found is None else found
            if found is None:
                client.give_up()
        except ProtocolError:
            return

    return function


def modbus_values() -> Function:
    from edgelite.driver import ConfigurationError
    from edgelite_drivers.modbus import check_visitor
    from edgelite_drivers.modbus.values import TYPES, ValueRefused, decode, encode
    from edgelite_protocol.messages import PROPERTY_TYPE

    visitors: list[Any] = []
    for kind in TYPES:
        property_type = {"bool": "BOOLEAN", "string": "STRING", "bytes": "BYTES"}.get(kind, "DOUBLE")
        for options in ({}, {"isSwap": True}, {"isRegisterSwap": True}, {"scale": 0.1}):
            config = {"register": "HoldingRegister", "offset": 0, "type": kind, **options}
            if kind in ("string", "bytes"):
                config["limit"] = 4
            try:
                visitors.append(check_visitor(config, {PROPERTY_TYPE: property_type}))
            except ConfigurationError:
                continue  # no scale for what is no number

    def function(data: bytes) -> None:
        visitor = visitors[data[0] % len(visitors)] if data else visitors[0]
        size_bytes = 2 * visitor.count
        registers = data[1 : 1 + size_bytes].ljust(size_bytes, b"\0")
        try:
            value = decode(visitor, registers)
        except ValueRefused:
            return
        try:
            encode(visitor, value)
        except ConfigurationError:
            assert visitor.type in ("int64", "uint64"), (
                "what was read can be written"
            )  # these may round beyond their end

    return function


# ---- Modbus, the server's side: what a client asks


def _units() -> Any:
    from edgelite_drivers.modbus_server.table_unit import Range, TableUnit
    from edgelite_drivers.modbus_server.unit import Units

    ranges = [Range(1, 0, bytes(40), True), Range(2, 3, bytes(40)), Range(3, 0, bytes(99 * 2), True)]
    return Units({1: TableUnit([*ranges, Range(4, 65530, bytes(12))]), 2: TableUnit([], True)}, True)


def modbus_requests() -> Function:
    from edgelite_drivers.modbus_server.answers import answer_all

    units = _units()

    def function(data: bytes) -> None:
        units.units[1].listens_only = False
        answer = answer_all(units, data[0] % 4 if data else 0, data[1:], 0)
        assert answer is None or 2 <= len(answer) <= 253 or len(data) > 254

    return function


def modbus_server(name: str) -> Function:
    from edgelite_drivers.modbus_server.framings import AsciiRequests, RtuRequests, TcpRequests
    from edgelite_drivers.modbus_server.server import OUTPUT_BYTES_MAX, Server

    units = _units()
    make: Any = {"tcp": TcpRequests, "rtu": lambda: RtuRequests(units.units), "ascii": AsciiRequests}[name]

    def function(data: bytes) -> None:
        """The first byte says where the rest is cut in two."""
        server = Server(make(), units)
        cut = 1 + data[0] if data else 1
        for now_ms, piece in enumerate((data[1:cut], data[cut:])):
            server.received(piece, now_ms)
            server.step(now_ms)
        assert len(server.data_to_send(1 << 20)) <= OUTPUT_BYTES_MAX

    return function


# ---- the local bus


def bus_json() -> Function:
    from edgelite.bus import json_text
    from edgelite_protocol.errors import ProtocolError

    def function(data: bytes) -> None:
        try:
            json_text.decode(data)
        except ProtocolError:
            return

    return function


def bus_frames() -> Function:
    from edgelite.bus import frames
    from edgelite_protocol.errors import ProtocolError

    def function(data: bytes) -> None:
        try:
            frames.decode(data)
        except ProtocolError:
            return

    return function


RTU_SEEDS = hexes("ff010300000002c40b", "03010230000200024809010300000002c40b", "ff01100003000204ffff00003f9d")
ASCII_SEEDS = (b"\xff:010300000002FA\r\n", b"\x05:0107F8\r\n:01110EE\r\n")

TARGETS: tuple[Target, ...] = (
    Target("modbus answers parsed", modbus_parse, hexes("02030400010002", "0d2b0e010100000100024142"), 6),
    Target("modbus tcp client", lambda: modbus_client("tcp"), hexes("020400010000000701030400010002"), 4),
    Target("modbus rtu client", lambda: modbus_client("rtu"), hexes("0204010304000100022a32"), 3),
    Target("modbus ascii client", lambda: modbus_client("ascii"), (b"\x02\x04:01030400010002F5\r\n",), 4),
    Target("modbus values", modbus_values, hexes("0012345678", "0bffffffffffffffff"), 4),
    Target("modbus requests answered", modbus_requests, tuple(b"\1" + request for request in REQUESTS), 6),
    Target("modbus tcp server", lambda: modbus_server("tcp"), hexes("ff000100000006010300000002"), 4),
    Target("modbus rtu server", lambda: modbus_server("rtu"), RTU_SEEDS, 3),
    Target("modbus ascii server", lambda: modbus_server("ascii"), ASCII_SEEDS, 4),
    Target("bus json", bus_json, (b'{"twin": {"t": {"expected": {"value": "1"}}}, "n": [1, -2.5e3, true, null]}',), 2),
    Target("bus frames", bus_frames, hexes("a1000101", "a20001016161"), 4),
)
