"""A line with 20 slaves of 50 properties each, and the agent's devices on it, in virtual time: the same each time.

The line is RTU at 19200 baud: each byte takes its time, frames have their silences, and a slave takes 10 ms to answer.
The properties are 32-bit floats in four blocks, as energy meters have them.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "edgelite" / "portable"))

from device_fakes import Recorder, device_map, property_row

from edgelite.devices import Devices
from edgelite.devices.devices import load_driver
from edgelite.effects import Close, Open
from edgelite_drivers.modbus_server.framings import RtuRequests
from edgelite_drivers.modbus_server.server import Server
from edgelite_drivers.modbus_server.table_unit import Range, TableUnit
from edgelite_drivers.modbus_server.unit import Unit, Units
from edgelite_protocol import messages

SLAVES = 20
DEAD = 3
OFFSETS = (*range(0, 60, 2), *range(72, 80, 2), *range(200, 216, 2), *range(342, 358, 2))
BAUD = 19200
BITS_PER_BYTE = 11
SLAVE_MS = 10.0
CYCLE_MS = 10_000
UNPLANNED = {"maxRegisters": 2, "maxGap": 0}  # one request for each property


@dataclass(slots=True)
class Outcome:
    requests: int
    readings: int  # values of properties
    seconds: float

    @property
    def requests_per_sweep(self) -> float:
        """For all properties once."""
        return self.requests * SLAVES * len(OFFSETS) / self.readings


class Counted(Recorder):  # type: ignore[misc]
    """Counts the values that are reported, by device."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[Any, int] = {}

    def _report(self, lane: int, body: dict[int, Any], coalesce_key: Any) -> None:
        if body[messages.REPORT] == messages.REPORT_TELEMETRY:
            key = body.get(messages.TELEMETRY_DEVICE)
            self.values[key] = self.values.get(key, 0) + len(body[messages.TELEMETRY_VALUES])


class Line:
    """The devices, the slaves and the time between them."""

    def __init__(self, dead: int, options: dict[str, Any]) -> None:
        self.recorder = Counted()
        self.devices = Devices(self.recorder.context, load_driver)
        units: dict[int, Unit] = {1 + number: slave() for number in range(SLAVES - dead)}
        mine: dict[int, Any] = units
        self.server = Server(RtuRequests(mine), Units(units, True))
        self.channel: Any = None
        self.now_ms = 0.0
        self.under_way: list[tuple[float, Any, bytes]] = []  # (when, who receives, what)
        for number in range(SLAVES):
            protocol = {"serialPort": "/dev/ttyS0", "baudRate": BAUD, "slaveID": SLAVES - number, **options}
            rows = [row(offset) for offset in OFFSETS]
            self.devices.set_desired(f"default/m{number}", device_map(rows, "modbus", protocol, f"u-{number}"), 0)

    def run(self, duration_ms: int) -> Outcome:
        while self.now_ms < duration_ms:
            self.arrive()
            deadline_ms = self.devices.step(int(self.now_ms))
            self.carry_out()
            if self.channel is not None:
                self.send(self.channel.data_to_send(4096), self.server, 0.0)
            times = [when for when, _, _ in self.under_way] + ([] if deadline_ms is None else [deadline_ms])
            self.now_ms = max(min(times, default=duration_ms), self.now_ms)
        (bus,) = self.devices.buses()
        return Outcome(bus.exchanges, sum(self.recorder.values.values()), duration_ms / 1000)

    def carry_out(self) -> None:
        effects, self.recorder.effects[:] = list(self.recorder.effects), []
        for effect in effects:
            if isinstance(effect, Open):
                self.channel = effect.channel
                self.channel.opened(int(self.now_ms))
            elif isinstance(effect, Close):
                self.channel = None
                effect.channel.closed("closed", int(self.now_ms))

    def send(self, data: bytes, receiver: Any, delay_ms: float) -> None:
        if data:
            wire_ms = len(data) * BITS_PER_BYTE * 1000 / BAUD
            self.under_way.append((self.now_ms + delay_ms + wire_ms, receiver, data))

    def arrive(self) -> None:
        due = [one for one in self.under_way if one[0] <= self.now_ms]
        self.under_way = [one for one in self.under_way if one[0] > self.now_ms]
        for _, receiver, data in due:
            receiver.received(data, int(self.now_ms))
            if receiver is self.server:
                self.send(self.server.data_to_send(4096), self.channel, SLAVE_MS)


def slave() -> TableUnit:
    blocks = ((0, 60), (72, 80), (200, 216), (342, 358))
    return TableUnit([Range(4, first, struct.pack(">f", 1.5) * ((end - first) // 2)) for first, end in blocks])


def row(offset: int) -> Any:
    visitor = {"register": "InputRegister", "offset": offset, "type": "float32"}
    return property_row(f"p{offset}", "FLOAT", visitor=visitor, collect_ms=CYCLE_MS)


def outcomes(minutes: int) -> dict[str, Outcome]:
    duration_ms = minutes * 60_000
    return {
        "planned": Line(0, {}).run(duration_ms),
        "unplanned": Line(0, UNPLANNED).run(duration_ms),
        "with dead slaves": Line(DEAD, {}).run(duration_ms),
    }


def lost(found: dict[str, Outcome]) -> float:
    """Of the readings of those that answer, the part that the dead slaves cost."""
    expected = found["planned"].readings * (SLAVES - DEAD) / SLAVES
    return 1 - found["with dead slaves"].readings / expected
