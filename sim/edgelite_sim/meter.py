"""A simulated energy meter: a Modbus TCP server with the published register map of Eastron's SDM630.

    python -m edgelite_sim.meter --listen 127.0.0.1:5020 --log reads.log

Input registers hold IEEE 754 floats of two registers each, high register first, as the maker's table lists them.
Three things are ours, outside that table:

    input 0x0200 (uint32)    counts the reads of itself that were answered; each is a line "count unix_ms" in the
                             log, written before the answer leaves, so that the log is the truth to judge others by
    input 0x0202 and others  answer exception 2, illegal data address, as undefined registers do
    any unit but 1           answers exception 11, as a gateway does for a slave that is not there
"""

import argparse
import math
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from edgelite_drivers.modbus.pdu import EXCEPTION_GATEWAY_TARGET_SILENT
from edgelite_drivers.modbus_server.framings import TcpRequests
from edgelite_drivers.modbus_server.server import Server
from edgelite_drivers.modbus_server.table_unit import Range, TableUnit
from edgelite_drivers.modbus_server.unit import Units
from edgelite_sim.devices.serving import Serving, parse_listen, run_as_program

UNIT = 1
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


def float_bytes(value: float) -> bytes:
    return struct.pack(">f", value)


class Meter(TableUnit):
    """The registers; the measured ones are made at each read. `clock` gives Unix seconds."""

    def __init__(self, log: Log, clock: Callable[[], float]) -> None:
        settings = [Range(3, place, float_bytes(value), True) for place, value in SETTINGS]
        super().__init__([Range(1, 0, bytes(16), True), Range(2, 0, b"\1" * 16), *settings])
        self._log = log
        self._clock = clock
        self._started = clock()
        self._counter = Range(4, COUNTER_ADDRESS, bytes(4))
        self._inputs = [Range(4, place, float_bytes(value)) for place, value in measured(0.0).items()]
        self.ranges = sorted([*self.ranges, *self._inputs, self._counter], key=lambda one: (one.table, one.address))

    def read_registers(self, table: int, address: int, count: int) -> bytes:
        touched = self.parts(table, address, count)
        if table == 4:
            now = self._clock()
            values = measured(now - self._started)
            for one in self._inputs:
                one.data[:] = float_bytes(values[one.address])
            whole = address <= COUNTER_ADDRESS and address + count >= COUNTER_ADDRESS + 2
            if whole and self._counter in touched:
                self._counter.data[:] = struct.pack(">I", self._log.next_read(int(now * 1000)))
        return super().read_registers(table, address, count)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="edgelite_sim.meter", description="Serve a simulated energy meter.")
    parser.add_argument("--listen", default="127.0.0.1:5020", metavar="HOST:PORT", help="port 0 takes any free one")
    parser.add_argument("--log", type=Path, required=True, metavar="FILE", help="where answered reads are noted")
    options = parser.parse_args(arguments)

    def make() -> Serving:
        units = Units({UNIT: Meter(Log(options.log), time.time)}, False, EXCEPTION_GATEWAY_TARGET_SILENT)
        return Serving(parse_listen("tcp:" + options.listen), lambda: Server(TcpRequests(), units))

    return run_as_program("edgelite_sim.meter", make, lambda serving: serving.port)


if __name__ == "__main__":
    sys.exit(main())
