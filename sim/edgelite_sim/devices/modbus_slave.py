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
from edgelite_sim.devices.condition import DEAD, EXCEPTIONS, NOISE, RESTART, SLOW, Condition
from edgelite_sim.devices.modbus_map import FRAMINGS, Fault, SlaveMap, SlaveRange, SlaveUnit, parse_map
from edgelite_sim.devices.serving import Serving, monotonic_ms, parse_listen, run_as_program, unix_ms_at_zero

REQUESTS_KEPT = 100_000  # of the list that tests look at
READS = (1, 2, 3, 4, 23)  # functions whose answers have values
MODBUS_FAULTS = (DEAD, SLOW, NOISE, RESTART, EXCEPTIONS)
GARBAGE_BYTES_MAX = 8
Told = Callable[[dict[str, object], int], object]


class Slaves:
    """The slaves of one map: shared by all connections to them. `requests` notes (unit, pdu) as they came, at most
    `requests_kept`; `on_answered` is called with what an answer's registers say when it leaves."""

    def __init__(
        self, slave_map: SlaveMap, framing: str, silence_ms: int = 0, requests_kept: int = REQUESTS_KEPT
    ) -> None:
        self.map = slave_map
        self.framing = framing
        self.silence_ms = silence_ms
        self.requests: list[tuple[int, bytes]] = []
        self.requests_kept = requests_kept
        self.on_answered: Told | None = None
        self.draw = random.Random(slave_map.seed)
        self.condition = Condition(MODBUS_FAULTS, self.draw)
        units: dict[int, Unit] = dict(slave_map.units)
        self.units = Units(units, framing != "tcp", slave_map.absent if framing == "tcp" else 0)
        self.channels: list[SlaveChannel] = []  # that are open

    def channel(self) -> SlaveChannel:
        return SlaveChannel(self)

    def strikes(self, number: int) -> list[Fault]:
        """The faults that strike this request."""
        return [fault for fault in self.map.faults if fault.strikes(number, self.draw)]

    def told(self, number: int, unit: SlaveUnit) -> dict[str, object]:
        """The values that the request under way has read, by name; of several slaves with their number before it."""
        prefix = f"{number}/" if len(self.map.units) > 1 else ""
        return {prefix + one.name: one.told() for one in unit.read}


class SlaveChannel(Server):
    """Answers later, wrongly, twice or not at all, as the map and the device's condition say. `on_ready` is called when
    something that was not received has changed: `step` it."""

    on_ready: Callable[[], object] | None = None

    def __init__(self, slaves: Slaves) -> None:
        mine: dict[int, object] = dict(slaves.map.units)
        framings: dict[str, Callable[[], TcpRequests | RtuRequests | AsciiRequests]] = {
            "tcp": TcpRequests,
            "rtu": lambda: RtuRequests(mine),
            "ascii": AsciiRequests,
        }
        super().__init__(framings[slaves.framing](), slaves.units, slaves.silence_ms)
        self._slaves = slaves
        self._condition = slaves.condition
        # (when, what, the values in it), in the order of the requests
        self._later: list[tuple[int, bytes, dict[str, object]]] = []

    def opened(self, now_ms: int) -> None:
        super().opened(now_ms)
        open_ones = [one for one in self._slaves.channels if not one.close_reason]
        self._slaves.channels = [*open_ones, self]

    def closed(self, reason: str, now_ms: int) -> None:
        super().closed(reason, now_ms)
        self._later.clear()
        if self in self._slaves.channels:
            self._slaves.channels.remove(self)

    def restart(self) -> None:
        """The device loses power for a moment, and with it what it was about to say and its connections."""
        self._later.clear()
        self._output = self._waiting = b""
        if not self._slaves.units.is_serial:
            self.close_reason = "the device restarts"
        self.ready()

    def ready(self) -> None:
        if self.on_ready is not None:
            self.on_ready()

    def step(self, now_ms: int) -> int | None:
        if not self._later:
            return super().step(now_ms)
        due = [row for row in self._later if row[0] <= now_ms]
        self._later = [row for row in self._later if row[0] > now_ms]
        for _, data, values in due:
            self._leave(data, values, now_ms)
        deadlines = [row[0] for row in self._later]
        silence_ms = super().step(now_ms)
        return min(deadlines + ([] if silence_ms is None else [silence_ms]), default=None)

    def _take(self, request: tuple[int, int, bytes], now_ms: int) -> None:
        tag, number, pdu = request
        slaves, condition = self._slaves, self._condition
        faults = {fault.kind: fault for fault in slaves.strikes(number)} if slaves.map.faults else _NONE
        if len(slaves.requests) < slaves.requests_kept:
            slaves.requests.append((number, pdu))
        if not condition.is_well and condition.is_silent(now_ms, number):
            return
        unit = slaves.units.find(number)
        if isinstance(unit, SlaveUnit):
            if unit.is_dead:
                return
            unit.begin(now_ms)
        elif slaves.units.is_broadcast(number):
            for one in slaves.map.units.values():
                one.begin(now_ms)
        answer = answer_all(slaves.units, number, pdu, now_ms)
        if answer is None or "silent" in faults or _is_dead(unit):
            return
        code = faults["exception"].code if "exception" in faults else 0
        code = code or (0 if condition.is_well else condition.refusal(number))
        if code:
            answer = bytes([pdu[0] | 0x80, code])
        values = self._count(number, unit, answer)
        if faults:
            tag, number = _mistaken(tag, number, faults)
        data = self._framing.frame(tag, number, answer)
        data = self._harmed(data, faults) if faults or not condition.is_well else data
        delay_ms = _delay_ms(unit) + (faults["late"].delay_ms if "late" in faults else 0)
        delay_ms += 0 if condition.is_well else condition.delay_ms(request[1])
        if delay_ms:
            self._later.append((now_ms + delay_ms, data, values))
        else:
            self._leave(data, values, now_ms)

    def _count(self, number: int, unit: Unit | None, answer: bytes) -> dict[str, object]:
        """The reads that are answered now; their values, where somebody wants to know them."""
        if answer[0] not in READS or not isinstance(unit, SlaveUnit):
            return _NOTHING
        values = self._slaves.told(number, unit) if self._slaves.on_answered is not None else _NOTHING
        for one in unit.read:
            one.reads += 1
        return values

    def _leave(self, data: bytes, values: dict[str, object], now_ms: int) -> None:
        self._reply(data, now_ms)
        if values and self._slaves.on_answered is not None:
            self._slaves.on_answered(values, now_ms)

    def _harmed(self, frame: bytes, faults: dict[str, Fault]) -> bytes:
        draw = self._slaves.draw
        if "bad_crc" in faults:
            frame = frame[:-1] + bytes([frame[-1] ^ 0x55])
        if "short" in faults:
            frame = frame[: max(1, len(frame) // 2)]
        if "twice" in faults:
            frame += frame
        if "noise" in faults:
            frame = draw.randbytes(draw.randrange(1, GARBAGE_BYTES_MAX)) + frame
        if "drop" in faults:
            self.close_reason = "as the map says"
        harmed = self._condition.harmed(frame)
        if harmed != frame and not self._slaves.units.is_serial:
            # TCP has a checksum, so no bit of it turns unseen; a gateway hands on what it has heard before the answer.
            return draw.randbytes(draw.randrange(1, GARBAGE_BYTES_MAX)) + frame
        return harmed


_NONE: dict[str, Fault] = {}
_NOTHING: dict[str, object] = {}


def _mistaken(tag: int, number: int, faults: dict[str, Fault]) -> tuple[int, int]:
    if "wrong_transaction" in faults:
        tag = (tag + 0x5A5A) & 0xFFFF
    if "wrong_unit" in faults:
        number = (number + 1) & 255
    return tag, number


def _is_dead(unit: Unit | None) -> bool:
    if not isinstance(unit, SlaveUnit) or unit.is_plain:
        return False
    return any(isinstance(one, SlaveRange) and one.is_dead for one in unit.touched)


def _delay_ms(unit: Unit | None) -> int:
    if not isinstance(unit, SlaveUnit):
        return 0
    if unit.is_plain:
        return unit.delay_ms
    return unit.delay_ms + max((one.delay_ms for one in unit.touched if isinstance(one, SlaveRange)), default=0)


class RunningSlaves(Serving):
    """Slaves in a thread of this process: for tests.

    with RunningSlaves(TOML, "tcp:127.0.0.1:0") as slaves:
        ... slaves.port, slaves.requests ...
    """

    def __init__(self, toml: str, listen: str, framing: str = "", folder: Path | None = None) -> None:
        target = parse_listen(listen)
        slave_map = parse_map(toml, folder)
        slave_map.clock.started_ms = monotonic_ms()
        slave_map.clock.unix_ms = unix_ms_at_zero()
        self.slaves = Slaves(slave_map, framing or slave_map.framing or ("rtu" if target is None else "tcp"))
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
        lambda: RunningSlaves(options.map.read_text(), options.listen, options.framing or "", options.map.parent),
        lambda serving: serving.address,
    )


if __name__ == "__main__":
    sys.exit(main())
