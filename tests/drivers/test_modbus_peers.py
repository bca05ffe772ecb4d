"""Our client and server against libmodbus' and pymodbus', over TCP and lines, in every function that both have."""

from __future__ import annotations

import asyncio
import os
import random
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import AsyncModbusTcpClient, ModbusSerialClient, ModbusTcpClient
from pymodbus.framer import FramerType

sys.path.append(str(Path(__file__).parents[1]))

from peers import libmodbus, terminals

from edgelite_drivers.modbus import pdu
from edgelite_drivers.modbus.client import Client
from edgelite_drivers.modbus.rtu import RtuFraming
from edgelite_drivers.modbus.tcp import TcpFraming
from edgelite_drivers.modbus_server.table_unit import Range
from edgelite_sim.devices.modbus_slave import RunningSlaves

WAIT_S = 10.0
ADDRESSES = 2000
UNIT = 1
FUNCTIONS = {0: "Illegal function", 1: "Illegal function", 2: "Illegal data address", 3: "Illegal data value"}


class OurClient:
    """`ask` speaks libmodbus' client's own language, so that both can be given the same commands."""

    def __init__(self, descriptor: int, framing: Any) -> None:
        self._descriptor = descriptor
        self._client = Client(framing)
        self._idle_s = framing.idle_ms / 1000

    def exchange(self, request: bytes) -> bytes:
        time.sleep(self._idle_s)
        os.write(self._descriptor, self._client.ask(UNIT, request))
        end = time.monotonic() + WAIT_S
        data = None
        while data is None:
            assert select.select([self._descriptor], [], [], max(0.0, end - time.monotonic()))[0], "no answer"
            data = self._client.take(os.read(self._descriptor, 4096))
        return data

    def ask(self, function: int, *numbers: int) -> list[int] | str:
        try:
            data = self.exchange(request_of(function, numbers))
        except pdu.ExceptionAnswer as refusal:
            return FUNCTIONS[refusal.number]
        return values_of(function, numbers, data)


def request_of(function: int, numbers: tuple[int, ...]) -> bytes:
    if function <= 4:
        return pdu.read_request(function, *numbers)
    if function == 5:
        return pdu.write_coil_request(numbers[0], numbers[1] != 0)
    if function == 6:
        return pdu.write_register_request(numbers[0], struct.pack(">H", numbers[1]))
    if function == 15:
        return pdu.write_coils_request(numbers[0], [number != 0 for number in numbers[1:]])
    if function == 16:
        return pdu.write_registers_request(numbers[0], struct.pack(f">{len(numbers) - 1}H", *numbers[1:]))
    if function == 22:
        return pdu.mask_write_request(*numbers)
    if function == 23:
        data = struct.pack(f">{len(numbers) - 3}H", *numbers[3:])
        return pdu.read_write_request(numbers[0], numbers[1], numbers[2], data)
    return bytes([function])


def values_of(function: int, numbers: tuple[int, ...], data: bytes) -> list[int]:
    if function <= 2:
        return [data[index >> 3] >> (index & 7) & 1 for index in range(numbers[1])]
    if function in (3, 4, 23):
        return list(struct.unpack(f">{len(data) // 2}H", data))
    return []


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def our_slaves(listen: str, framing: str = "") -> RunningSlaves:
    """Our server with what libmodbus_server.c holds."""
    running = RunningSlaves(f"[[unit]]\nnumber = {UNIT}", listen, framing)
    bits = bytes(1 if n % 3 == 0 else 0 for n in range(ADDRESSES))
    words = struct.pack(f">{ADDRESSES}H", *range(ADDRESSES))
    inverse = struct.pack(f">{ADDRESSES}H", *(65535 - n for n in range(ADDRESSES)))
    unit = running.slaves.map.units[UNIT]
    unit.ranges = [Range(1, 0, bits, True), Range(2, 0, bits), Range(3, 0, words, True), Range(4, 0, inverse)]
    return running


def serve(stack: ExitStack, server: str, medium: str) -> str:
    """The port or the path that a client opens."""
    if server == "ours":
        running = stack.enter_context(our_slaves("tcp:127.0.0.1:0" if medium == "tcp" else "pty"))
        return str(running.port) if medium == "tcp" else running.address
    if medium == "tcp":
        return libmodbus.address_of(stack.enter_context(libmodbus.server("tcp", "0")))
    one, other = stack.enter_context(terminals.pair())
    libmodbus.address_of(stack.enter_context(libmodbus.server("rtu", one, str(libmodbus.BAUD), str(UNIT))))
    return other


def our_client(stack: ExitStack, medium: str, address: str) -> OurClient:
    if medium == "tcp":
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", int(address))))
        return OurClient(connection.fileno(), TcpFraming())
    descriptor = os.open(address, os.O_RDWR | os.O_NOCTTY)
    stack.callback(os.close, descriptor)
    return OurClient(descriptor, RtuFraming(libmodbus.BAUD))


def their_client(stack: ExitStack, medium: str, address: str) -> libmodbus.Client:
    more = () if medium == "tcp" else (str(libmodbus.BAUD),)
    return stack.enter_context(libmodbus.client(medium, address, *more, str(UNIT)))


COMMANDS: list[tuple[int, ...]] = [
    *((1, 0, 9), (1, 3, 2000 - 3), (2, 5, 1), (3, 0, 1), (3, 1875, 125), (4, 7, 3)),
    *((5, 1, 1), (5, 0, 0), (1, 0, 3), (6, 7, 65535), (3, 6, 3)),
    *((15, 2, 1, 0, 1, 1, 0, 0, 1, 0, 1, 1), (1, 0, 13), (16, 100, 1, 2, 3), (3, 99, 5)),
    *((22, 100, 0xF2, 0x25), (3, 100, 1), (23, 100, 4, 101, 9, 8), (3, 100, 3)),
    *((3, 1999, 2), (1, 1999, 2), (4, 2000, 1), (5, 2000, 1), (6, 65535, 1), (16, 1999, 1, 2), (15, 1999, 1, 1)),
    *((22, 2000, 1, 1), (23, 0, 1, 1999, 1, 2), (23, 1999, 2, 0, 1)),
]


@pytest.mark.parametrize("medium", ["tcp", "rtu"])
@pytest.mark.parametrize("server", ["ours", "libmodbus"])
def test_both_clients_get_the_same_of_both_servers(stack: ExitStack, server: str, medium: str) -> None:
    """Four pairs that must agree in each answer. A line has one master at a time, so each has a line of its own."""
    clients: list[Any] = [make(stack, medium, serve(stack, server, medium)) for make in (our_client, their_client)]
    found = [[client.ask(*command) for command in COMMANDS] for client in clients]
    for command, ours, theirs in zip(COMMANDS, *found, strict=True):
        assert ours == theirs, command
    assert found[0][0] == [1, 0, 0, 1, 0, 0, 1, 0, 0]
    assert found[0][COMMANDS.index((3, 100, 3))] == [5, 9, 8]
    assert found[0][-3:] == ["Illegal data address"] * 3


def drawn_commands(seed: int, count: int) -> Iterator[tuple[int, ...]]:
    """Valid ones, with addresses and counts on both sides of what is there."""
    draw = random.Random(seed)

    def address() -> int:
        return draw.choice((draw.randrange(ADDRESSES), draw.randrange(1990, 2010), draw.randrange(65536)))

    def words(most: int) -> list[int]:
        return [draw.randrange(65536) for _ in range(draw.choice((1, 2, draw.randint(1, most))))]

    for _ in range(count):
        function = draw.choice((1, 2, 3, 4, 5, 6, 15, 16, 22, 23))
        if function <= 4:
            most = 2000 if function <= 2 else 125
            place = address()
            yield function, place, draw.randint(1, max(1, min(most, 65536 - place)))
        elif function == 5:
            yield function, address(), draw.randrange(2)
        elif function == 6:
            yield function, address(), draw.randrange(65536)
        elif function == 15:
            yield function, min(address(), 60000), *(word & 1 for word in words(1968))
        elif function == 16:
            yield function, min(address(), 65000), *words(123)
        elif function == 22:
            yield function, address(), draw.randrange(65536), draw.randrange(65536)
        else:
            yield function, min(address(), 65000), draw.randint(1, 125), min(address(), 65000), *words(121)


def test_our_server_answers_a_thousand_requests_as_libmodbus_does(stack: ExitStack) -> None:
    ours = our_client(stack, "tcp", serve(stack, "ours", "tcp"))
    theirs = our_client(stack, "tcp", serve(stack, "libmodbus", "tcp"))
    for command in drawn_commands(20, 1000):
        assert ours.ask(*command) == theirs.ask(*command), command


def raw(client: OurClient, request: bytes) -> str:
    try:
        return client.exchange(request).hex()
    except pdu.ExceptionAnswer as refusal:
        return f"exception {refusal.number}"


@pytest.mark.parametrize(
    "request_hex",
    ["0100000000", "01000007d1", "0300000000", "030000007e", "0400000000", "05000012ff", "0f0000000000", "100000000000",
     "1700000000000000010200ff", "63"],
)  # fmt: skip
def test_our_server_refuses_what_libmodbus_refuses(stack: ExitStack, request_hex: str) -> None:
    found = []
    for server in ("ours", "libmodbus"):
        found.append(raw(our_client(stack, "tcp", serve(stack, server, "tcp")), bytes.fromhex(request_hex)))
    assert found[0] == found[1] and found[0].startswith("exception")


def test_our_client_reads_libmodbus_server_id(stack: ExitStack) -> None:
    client = our_client(stack, "tcp", serve(stack, "libmodbus", "tcp"))
    assert b"LMB" in client.exchange(b"\x11")


# ---- pymodbus' client


def pymodbus_tcp(running: RunningSlaves, framer: FramerType) -> Any:
    return ModbusTcpClient("127.0.0.1", port=running.port, framer=framer, timeout=WAIT_S)


def pymodbus_serial(running: RunningSlaves, framer: FramerType) -> Any:
    return ModbusSerialClient(running.address, framer=framer, baudrate=libmodbus.BAUD, timeout=WAIT_S)


@pytest.mark.parametrize(
    ("listen", "framing", "framer", "make"),
    [
        ("tcp:127.0.0.1:0", "tcp", FramerType.SOCKET, pymodbus_tcp),
        ("tcp:127.0.0.1:0", "rtu", FramerType.RTU, pymodbus_tcp),
        ("tcp:127.0.0.1:0", "ascii", FramerType.ASCII, pymodbus_tcp),
        ("pty", "rtu", FramerType.RTU, pymodbus_serial),
        ("pty", "ascii", FramerType.ASCII, pymodbus_serial),
    ],
)
def test_pymodbus_is_served(
    stack: ExitStack, listen: str, framing: str, framer: FramerType, make: Callable[[RunningSlaves, FramerType], Any]
) -> None:
    running = stack.enter_context(our_slaves(listen, framing))
    running.slaves.map.units[UNIT].identification = {0: b"Example", 1: b"M-1", 2: b"1.2", 4: b"Meter"}
    client = make(running, framer)
    stack.callback(client.close)
    assert client.connect()
    one: Any = {"device_id": UNIT}
    assert client.read_coils(0, count=7, **one).bits[:7] == [True, False, False, True, False, False, True]
    assert client.read_discrete_inputs(5, count=2, **one).bits[:2] == [False, True]
    assert client.read_holding_registers(10, count=3, **one).registers == [10, 11, 12]
    assert client.read_input_registers(0, count=2, **one).registers == [65535, 65534]
    assert not client.write_coil(1, True, **one).isError()
    assert not client.write_register(10, 77, **one).isError()
    assert not client.write_coils(2, [True, True], **one).isError()
    assert not client.write_registers(11, [78, 79], **one).isError()
    assert client.read_coils(0, count=4, **one).bits[:4] == [True] * 4
    assert client.read_holding_registers(10, count=3, **one).registers == [77, 78, 79]
    assert not client.mask_write_register(address=10, and_mask=0xF0, or_mask=0x05, **one).isError()
    written = client.readwrite_registers(read_address=10, read_count=2, write_address=11, values=[5], **one)
    assert written.registers == [0x45, 5]
    assert client.read_exception_status(**one).status == 0
    assert client.diag_query_data(b"\xa5\x37", **one).message == b"\xa5\x37"
    assert client.report_device_id(**one).identifier == b"edgelite"
    information = client.read_device_information(read_code=2, **one).information
    assert information == {0: b"Example", 1: b"M-1", 2: b"1.2", 4: b"Meter"}
    assert client.read_holding_registers(1999, count=2, **one).exception_code == 2


def test_many_clients_at_once_are_served(stack: ExitStack) -> None:
    """pymodbus' asynchronous clients, each on a connection of its own, each writing a register of its own."""
    running = stack.enter_context(our_slaves("tcp:127.0.0.1:0"))

    async def one(number: int) -> list[int]:
        client: Any = AsyncModbusTcpClient("127.0.0.1", port=running.port, timeout=WAIT_S)
        assert await client.connect()
        found = []
        for value in range(20):
            assert not (await client.write_register(number, value, device_id=UNIT)).isError()
            found += (await client.read_holding_registers(number, count=1, device_id=UNIT)).registers
        client.close()
        return found

    async def all_of_them() -> list[list[int]]:
        return await asyncio.gather(*(one(number) for number in range(20)))

    assert asyncio.run(all_of_them()) == [list(range(20))] * 20
