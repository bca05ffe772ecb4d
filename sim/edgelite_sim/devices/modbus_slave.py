"""Simulated Modbus slaves, from a register map (edgelite_sim.devices.modbus_map says how it is written):

    python -m edgelite_sim.devices.modbus_slave MAP.toml --listen tcp:127.0.0.1:5020
    python -m edgelite_sim.devices.modbus_slave MAP.toml --listen pty [--framing ascii]

Prints "ready" and the address or the terminal's path, then serves until it is interrupted. A pseudo terminal does not
pace by a baud rate.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable
from pathlib import Path

from edgelite_drivers.modbus_server.answers import answer_all
from edgelite_drivers.modbus_server.framings import AsciiRequests, RtuRequests, TcpRequests
from edgelite_drivers.modbus_server.server import Server
from edgelite_drivers.modbus_server.unit import Unit, Units
from edgelite_sim.devices.modbus_map import Fault, SlaveMap, SlaveRange, SlaveUnit, parse_map
from edgelite_sim.devices.serving import Serving, parse_listen, run_as_program

FRAMINGS = ("tcp", "rtu", "ascii")
REQUESTS_KEPT = 100_000  # of the list that tests look at


class Slaves:
    """The slaves of one map: shared by all connections to them. `requests` notes (unit, pdu) as they came."""

    def __init__(self, slave_map: SlaveMap, framing: str, silence_ms: int = 0) -> None:
        self.map = slave_map
        self.framing = framing
        self.silence_ms = silence_ms
        self.requests: list[tuple[int, bytes]] = []
        self.draw = random.Random(slave_map.seed)
        units: dict[int, Unit] = dict(slave_map.units)
        self.units = Units(units, framing != "tcp", slave_map.absent if framing == "tcp" else 0)

    def channel(self) -> SlaveChannel:
        return SlaveChannel(self)

    def note(self, number: int, pdu: bytes) -> list[Fault]:
        """The faults that strike this request."""
        if len(self.requests) < REQUESTS_KEPT:
            self.requests.append((number, pdu))
        return [fault for fault in self.map.faults if fault.strikes(number, self.draw)]


class SlaveChannel(Server):
    """Answers later, wrongly, twice or not at all, as the map says."""

    def __init__(self, slaves: Slaves) -> None:
        mine: dict[int, object] = dict(slaves.map.units)
        framings: dict[str, Callable[[], TcpRequests | RtuRequests | AsciiRequests]] = {
            "tcp": TcpRequests,
            "rtu": lambda: RtuRequests(mine),
            "ascii": AsciiRequests,
        }
        super().__init__(framings[slaves.framing](), slaves.units, slaves.silence_ms)
        self._slaves = slaves
        self._later: list[tuple[int, bytes]] = []  # (when, what), in the order of the requests

    def step(self, now_ms: int) -> int | None:
        due = [data for due_ms, data in self._later if due_ms <= now_ms]
        self._later = [row for row in self._later if row[0] > now_ms]
        for data in due:
            self._reply(data, now_ms)
        deadlines = [due_ms for due_ms, _ in self._later]
        silence_ms = super().step(now_ms)
        return min(deadlines + ([] if silence_ms is None else [silence_ms]), default=None)

    def _take(self, request: tuple[int, int, bytes], now_ms: int) -> None:
        tag, number, pdu = request
        faults = {fault.kind: fault for fault in self._slaves.note(number, pdu)}
        unit = self._slaves.units.find(number)
        if isinstance(unit, SlaveUnit):
            unit.touched.clear()
        answer = answer_all(self._slaves.units, number, pdu, now_ms)
        if answer is None or "silent" in faults or _is_dead(unit):
            return
        if "exception" in faults:
            answer = bytes([pdu[0] | 0x80, faults["exception"].code])
        if "wrong_transaction" in faults:
            tag = (tag + 0x5A5A) & 0xFFFF
        if "wrong_unit" in faults:
            number = (number + 1) & 255
        data = self._harmed(self._framing.frame(tag, number, answer), faults)
        delay_ms = _delay_ms(unit) + (faults["late"].delay_ms if "late" in faults else 0)
        if delay_ms:
            self._later.append((now_ms + delay_ms, data))
        else:
            self._reply(data, now_ms)

    def _harmed(self, frame: bytes, faults: dict[str, Fault]) -> bytes:
        draw = self._slaves.draw
        if "bad_crc" in faults:
            frame = frame[:-1] + bytes([frame[-1] ^ 0x55])
        if "short" in faults:
            frame = frame[: max(1, len(frame) // 2)]
        if "twice" in faults:
            frame += frame
        if "noise" in faults:
            frame = draw.randbytes(draw.randrange(1, 8)) + frame
        if "drop" in faults:
            self.close_reason = "as the map says"
        return frame


def _is_dead(unit: Unit | None) -> bool:
    if not isinstance(unit, SlaveUnit):
        return False
    return unit.is_dead or any(isinstance(one, SlaveRange) and one.is_dead for one in unit.touched)


def _delay_ms(unit: Unit | None) -> int:
    if not isinstance(unit, SlaveUnit):
        return 0
    return unit.delay_ms + max((one.delay_ms for one in unit.touched if isinstance(one, SlaveRange)), default=0)


class RunningSlaves(Serving):
    """Slaves in a thread of this process: for tests.

    with RunningSlaves(TOML, "tcp:127.0.0.1:0") as slaves:
        ... slaves.port, slaves.requests ...
    """

    def __init__(self, toml: str, listen: str, framing: str = "") -> None:
        target = parse_listen(listen)
        self.slaves = Slaves(parse_map(toml), framing or ("rtu" if target is None else "tcp"))
        super().__init__(target, self.slaves.channel)

    def __enter__(self) -> RunningSlaves:
        super().__enter__()
        return self

    @property
    def requests(self) -> list[tuple[int, bytes]]:
        return self.slaves.requests


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="edgelite_sim.devices.modbus_slave", description="Simulated Modbus slaves, from a register map."
    )
    parser.add_argument("map", type=Path, metavar="MAP.toml")
    parser.add_argument("--listen", default="tcp:127.0.0.1:5020", metavar="tcp:HOST:PORT|pty")
    parser.add_argument("--framing", choices=FRAMINGS, help="tcp on a TCP port and rtu on a pty, if not said")
    options = parser.parse_args(arguments)
    return run_as_program(
        "edgelite_sim.devices.modbus_slave",
        lambda: RunningSlaves(options.map.read_text(), options.listen, options.framing or ""),
        lambda serving: serving.address,
    )


if __name__ == "__main__":
    sys.exit(main())
