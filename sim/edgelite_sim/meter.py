"""A simulated energy meter: pymodbus' Modbus TCP server with the published register map of Eastron's SDM630.

    python -m edgelite_sim.meter --listen 127.0.0.1:5020 --log reads.log

Input registers hold IEEE 754 floats of two registers each, high register first, as the maker's table lists them.
Three things are ours, outside that table:

    input 0x0200 (uint32)    counts the reads of itself that were answered; each is a line "count unix_ms" in the
                             log, written before the answer leaves, so that the log is the truth to judge others by
    input 0x0202 and others  answer exception 2, illegal data address, as undefined registers do
    any unit but 1           answers exception 11, as a gateway does for a slave that is not there
"""

import argparse
import asyncio
import math
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

UNIT = 1
READ_INPUT_REGISTERS = 4
COUNTER_ADDRESS = 0x0200
COUNT_MODULUS = 1 << 32

VOLTAGE_V = 230.0
FREQUENCY_HZ = 50.0
POWER_W = 420.0
ENERGY_KWH = 1234.5
PHASES = 3

# Holding registers, written by function 16: address, value
SETTINGS = ((0x0002, 60.0), (0x000A, 3.0), (0x000C, 100.0), (0x0014, 1.0))


class Log:
    """The answered reads, one line each. A meter that starts again counts on from its last line."""

    def __init__(self, path: Path) -> None:
        lines = path.read_text().splitlines() if path.exists() else []
        self.count = int(lines[-1].split()[0]) if lines else 0
        self._file: BinaryIO = path.open("ab", buffering=0)

    def next_read(self, unix_ms: int) -> int:
        self.count = (self.count + 1) % COUNT_MODULUS
        self._file.write(b"%d %d\n" % (self.count, unix_ms))
        return self.count


def phase_values(phase: int, seconds: float) -> dict[int, float]:
    """Voltage, current, powers and power factor of one phase (0 to 2), by address."""
    swing = math.sin(seconds / 7.0 + phase * 2.0)
    voltage = VOLTAGE_V + 1.5 * swing
    power = POWER_W + 60.0 * math.sin(seconds / 5.0 + phase)
    factor = 0.95 + 0.02 * swing
    apparent = power / factor
    reactive = math.sqrt(apparent * apparent - power * power)
    pair = 2 * phase
    return {
        0x0000 + pair: voltage,
        0x0006 + pair: apparent / voltage,
        0x000C + pair: power,
        0x0012 + pair: apparent,
        0x0018 + pair: reactive,
        0x001E + pair: factor,
    }


def measured(seconds: float) -> dict[int, float]:
    """All input registers of the maker's table that this meter has, by address, after `seconds` of running."""
    values: dict[int, float] = {}
    for phase in range(PHASES):
        values.update(phase_values(phase, seconds))
    energy = ENERGY_KWH + POWER_W * PHASES * seconds / 3.6e6
    values[0x0034] = sum(values[0x000C + 2 * phase] for phase in range(PHASES))
    values[0x0046] = FREQUENCY_HZ + 0.02 * math.sin(seconds / 11.0)
    values[0x0048] = energy
    values[0x004A] = 0.0
    values[0x0156] = energy
    return values


def float_registers(value: float) -> tuple[int, int]:
    high, low = struct.unpack(">HH", struct.pack(">f", value))
    return high, low


def build_device(log: Log, clock: Callable[[], float]) -> SimDevice:
    """The meter; `clock` gives Unix seconds."""
    started = clock()

    async def refresh(
        function: int, start: int, address: int, count: int, registers: list[int], new: list[int] | list[bool] | None
    ) -> ExcCodes | None:
        """pymodbus calls this with each request that it is about to answer."""
        if function != READ_INPUT_REGISTERS:
            return None
        now = clock()
        for place, value in measured(now - started).items():
            registers[place - start : place - start + 2] = float_registers(value)
        if address <= COUNTER_ADDRESS and address + count >= COUNTER_ADDRESS + 2:
            answered = log.next_read(int(now * 1000))
            registers[COUNTER_ADDRESS - start : COUNTER_ADDRESS - start + 2] = divmod(answered, 0x10000)
        return None

    inputs = [SimData(place, values=value, datatype=DataType.FLOAT32) for place, value in measured(0.0).items()]
    inputs.append(SimData(COUNTER_ADDRESS, values=0, datatype=DataType.UINT32))
    settings = [SimData(place, values=value, datatype=DataType.FLOAT32) for place, value in SETTINGS]
    coils = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
    contacts = [SimData(0, values=[True] * 16, datatype=DataType.BITS)]
    return SimDevice(UNIT, (coils, contacts, settings, inputs), action=refresh)


async def absent(
    function: int, start: int, address: int, count: int, registers: list[int], new: list[int] | list[bool] | None
) -> ExcCodes:
    return ExcCodes.GATEWAY_NO_RESPONSE


async def serve(host: str, port: int, log: Log) -> None:
    others = SimDevice(0, SimData(0, count=0x10000, datatype=DataType.REGISTERS), action=absent)
    server = ModbusTcpServer([build_device(log, time.time), others], address=(host, port))
    await server.serve_forever(background=True)
    listener = server.transport
    if not isinstance(listener, asyncio.Server):
        raise RuntimeError("pymodbus listens on something else than an asyncio server")
    sys.stdout.write(f"ready {listener.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serving


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="edgelite_sim.meter", description="Serve a simulated energy meter.")
    parser.add_argument("--listen", default="127.0.0.1:5020", metavar="HOST:PORT", help="port 0 takes any free one")
    parser.add_argument("--log", type=Path, required=True, metavar="FILE", help="where answered reads are noted")
    options = parser.parse_args(arguments)
    host, _, port = options.listen.rpartition(":")
    try:
        asyncio.run(serve(host, int(port), Log(options.log)))
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
