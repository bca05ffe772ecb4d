"""One Modbus client that reads 10 holding registers as fast as it goes, in a process of its own:

    python device_clients.py ours|ours-idle|pymodbus|pymodbus-async tcp PORT
    python device_clients.py ours|ours-idle|pymodbus|pymodbus-async rtu PATH

Each line "MILLISECONDS" on its standard input is a round; it prints "READS CPU_MICROSECONDS" for it. "ours-idle" keeps
the silence of 3.5 characters before each request on a line, as a real one needs; the others, and libmodbus, do not.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import sys
import time
import tty
from collections.abc import Callable
from typing import Any

UNIT = 1
COUNT = 10
BAUD = 115200
LOST_S = 2.0


def our_reader(medium: str, address: str, keeps_idle: bool) -> Callable[[], None]:
    from edgelite_drivers.modbus.client import Client
    from edgelite_drivers.modbus.pdu import READ_HOLDING_REGISTERS, read_request
    from edgelite_drivers.modbus.rtu import RtuFraming
    from edgelite_drivers.modbus.tcp import TcpFraming

    request = read_request(READ_HOLDING_REGISTERS, 0, COUNT)
    if medium == "tcp":
        line = socket.create_connection(("127.0.0.1", int(address)))
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = Client(TcpFraming())
        send, receive = line.sendall, line.recv

        def read() -> None:
            send(client.ask(UNIT, request))
            while client.take(receive(512)) is None:
                pass

        return read
    descriptor = os.open(address, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(descriptor)
    client = Client(RtuFraming(BAUD if keeps_idle else 0))
    idle_s = client.framing.idle_ms / 1000
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)

    def read_line() -> None:
        if idle_s:
            time.sleep(idle_s)
        os.write(descriptor, client.ask(UNIT, request))
        data = None
        while data is None:
            if not poll.poll(LOST_S * 1000):
                raise TimeoutError("no answer")
            data = client.take(os.read(descriptor, 512))

    return read_line


def pymodbus_reader(medium: str, address: str) -> Callable[[], None]:
    from pymodbus.client import ModbusSerialClient, ModbusTcpClient

    client: Any = ModbusTcpClient("127.0.0.1", port=int(address)) if medium == "tcp" else None
    client = client or ModbusSerialClient(address, baudrate=BAUD)
    assert client.connect()

    def read() -> None:
        assert len(client.read_holding_registers(0, count=COUNT, device_id=UNIT).registers) == COUNT

    return read


async def pymodbus_rounds(medium: str, address: str) -> None:
    from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient

    client: Any = AsyncModbusTcpClient("127.0.0.1", port=int(address)) if medium == "tcp" else None
    client = client or AsyncModbusSerialClient(address, baudrate=BAUD)
    assert await client.connect()
    for line in sys.stdin:
        reads, begun_s, end_s = 0, time.process_time(), time.monotonic() + int(line) / 1000
        while time.monotonic() < end_s:
            assert len((await client.read_holding_registers(0, count=COUNT, device_id=UNIT)).registers) == COUNT
            reads += 1
        tell(reads, time.process_time() - begun_s)
    client.close()


def rounds(read: Callable[[], None]) -> None:
    for line in sys.stdin:
        reads, begun_s, end_s = 0, time.process_time(), time.monotonic() + int(line) / 1000
        while time.monotonic() < end_s:
            read()
            reads += 1
        tell(reads, time.process_time() - begun_s)


def tell(reads: int, cpu_s: float) -> None:
    sys.stdout.write(f"{reads} {round(cpu_s * 1e6)}\n")
    sys.stdout.flush()


def main() -> None:
    kind, medium, address = sys.argv[1:]
    if kind == "pymodbus-async":
        asyncio.run(pymodbus_rounds(medium, address))
    elif kind == "pymodbus":
        rounds(pymodbus_reader(medium, address))
    else:
        rounds(our_reader(medium, address, kind == "ours-idle"))


if __name__ == "__main__":
    main()
