"""Simulated instruments on a serial line: a GPS receiver, a weighing scale, an electricity meter with an optical head.

    python -m edgelite_sim.devices.instruments gps /tmp/gps       the line's name, a link to a pseudo terminal
    python -m edgelite_sim.devices.instruments scale /tmp/scale
    python -m edgelite_sim.devices.instruments scale-continuous /tmp/scale
    python -m edgelite_sim.devices.instruments meter /tmp/meter

A pseudo terminal does not pace, and carries 8 bits whatever it is set to. Its settings can be seen, though: the meter
says nothing to whoever speaks at another baud rate than its own.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from types import TracebackType

READ_BYTES = 4096
TICK_S = 0.02
SPEEDS = {termios.B300: 300, termios.B2400: 2400, termios.B4800: 4800, termios.B9600: 9600, termios.B19200: 19200}
METER_BAUD = 9600
METER_CODE = "5"  # IEC 62056-21, 6.3.2: 9600 baud
METER_PATIENCE_S = 2.0


def xor(data: bytes) -> int:
    return reduce(lambda one, other: one ^ other, data, 0)


class Instrument:
    """`write` is given by the line; `baud()` tells what the other end has set."""

    period_s: float | None = None  # how often `tick` is called

    def __init__(self) -> None:
        self.write: Callable[[bytes], None] = lambda data: None
        self.baud: Callable[[], int] = lambda: 0
        self._received = b""

    def tick(self) -> None:
        return

    def receive(self, data: bytes) -> None:
        """Whole lines go to `line`."""
        self._received = (self._received + data)[-READ_BYTES:]
        while b"\n" in self._received:
            text, _, self._received = self._received.partition(b"\n")
            self.line(text.rstrip(b"\r"))

    def line(self, text: bytes) -> None:
        return


class Gps(Instrument):
    """NMEA 0183 at one fix a `period_s`; without a fix, its fields are empty."""

    def __init__(self, period_s: float = 1.0) -> None:
        super().__init__()
        self.period_s = period_s
        self.latitude, self.longitude = 48.117300, 11.516667
        self.has_fix = True
        self.is_damaged = False  # every checksum is wrong
        self.count = 0

    def sentence(self, text: str) -> bytes:
        data = text.encode()
        return b"$%s*%02X\r\n" % (data, xor(data) ^ (1 if self.is_damaged else 0))

    def place(self) -> str:
        if not self.has_fix:
            return ",,,"
        return ",".join(
            (
                *_degrees(self.latitude, 2, "NS"),
                *_degrees(self.longitude, 3, "EW"),
            )
        )

    def tick(self) -> None:
        self.count += 1
        now = time.strftime("%H%M%S.00", time.gmtime())
        date = time.strftime("%d%m%y", time.gmtime())
        if self.has_fix:
            rest = "1,08,0.9,545.4,M,46.9,M,,"
        else:
            rest = "0,00,99.9,,,,,,"
        self.write(self.sentence(f"GPGGA,{now},{self.place()},{rest}"))
        status, speed = ("A", "022.4,084.4") if self.has_fix else ("V", ",")
        self.write(self.sentence(f"GPRMC,{now},{status},{self.place()},{speed},{date},003.1,W"))
        course = "084.4,T,081.3,M,022.4,N,041.5,K" if self.has_fix else ",T,,M,,N,,K"
        self.write(self.sentence(f"GPVTG,{course}"))


class Scale(Instrument):
    """`ST,GS,+  1.234kg`: stable or not, gross, weight. Asked by "READ"; or by itself, each `period_s`. "TARGET,1.500"
    sets a target weight, and "TARGET?" tells it."""

    def __init__(self, period_s: float | None = None) -> None:
        super().__init__()
        self.period_s = period_s
        self.weight_kg = 1.234
        self.target_kg = 2.0
        self.is_stable = True

    def tick(self) -> None:
        state = "ST" if self.is_stable else "US"
        sign = "-" if self.weight_kg < 0 else "+"
        self.write(b"%s,GS,%s%7.3fkg\r\n" % (state.encode(), sign.encode(), abs(self.weight_kg)))

    def line(self, text: bytes) -> None:
        command, _, value = text.partition(b",")
        if command == b"READ":
            self.tick()
        elif command == b"TARGET?":
            self.write(b"TG,%.3fkg\r\n" % self.target_kg)
        elif command == b"TARGET" and value.replace(b".", b"", 1).isdigit():
            self.target_kg = float(value)
            self.write(b"TG,OK\r\n")
        else:
            self.write(b"??\r\n")


class Meter(Instrument):
    """IEC 62056-21, mode C, data readout: signs on at 300 baud, sends its data at 9600. `bauds` are those at which it
    was spoken to."""

    period_s = TICK_S

    def __init__(self) -> None:
        super().__init__()
        self.energy_kwh = 1234.5
        self.bauds: list[int] = []
        self.readouts = 0
        self._sends_until_s = 0.0

    def line(self, text: bytes) -> None:
        self.bauds.append(self.baud())
        text = text.lstrip(b"\0")  # what wakes up a battery's optical head
        if self.bauds[-1] != 300:
            return
        if text.startswith(b"/?") and text.endswith(b"!"):
            self.write(b"/EDL%sSIMULATED-1\r\n" % METER_CODE.encode())
        elif text == b"\x060%s0" % METER_CODE.encode():
            self._sends_until_s = time.monotonic() + METER_PATIENCE_S

    def tick(self) -> None:
        """The data goes out once the other end has the baud rate that was agreed on."""
        if self._sends_until_s < time.monotonic() or self.baud() != METER_BAUD:
            return
        self._sends_until_s = 0.0
        self.bauds.append(self.baud())
        self.readouts += 1
        rows = [
            "F.F(00000000)",
            "0.0.0(12345678)",
            f"1-0:1.8.0*255({self.energy_kwh:010.3f}*kWh)",
            "1-0:1.8.0*01(001000.000*kWh)",
            "2.8.0(000017.250*kWh)",
            "32.7.0(229.8*V)",
            "0-1:24.2.1(211121120000W)(00042.125*m3)",
        ]
        data = ("\r\n".join(rows) + "\r\n!\r\n").encode() + b"\x03"
        self.write(b"\x02" + data + bytes([xor(data)]))


class SimulatedLine:
    """Runs an instrument on a pseudo terminal that `link` names. `unplug` and `plug` are what befalls USB adapters."""

    def __init__(self, instrument: Instrument, link: Path) -> None:
        self.instrument = instrument
        self.link = link
        self._lock = threading.RLock()
        self._ours = self._theirs = -1
        self._stops = threading.Event()
        instrument.write = self._write
        instrument.baud = self.baud
        self.plug()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> SimulatedLine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def plug(self) -> None:
        """A new terminal under the same name."""
        with self._lock:
            self._ours, self._theirs = os.openpty()
            tty.setraw(self._theirs)
            os.set_blocking(self._ours, False)
            self.link.symlink_to(os.ttyname(self._theirs))

    def unplug(self) -> None:
        """Whoever has it open sees it hang up."""
        with self._lock:
            self.link.unlink(missing_ok=True)
            for descriptor in (self._theirs, self._ours):
                if descriptor >= 0:
                    os.close(descriptor)
            self._ours = self._theirs = -1

    def baud(self) -> int:
        """What the line is set to; 0 for a rate that no instrument here has."""
        return SPEEDS.get(termios.tcgetattr(self._ours)[5], 0) if self._ours >= 0 else 0

    def settings(self) -> list[object]:
        return list(termios.tcgetattr(self._theirs))

    def close(self) -> None:
        self._stops.set()
        self._thread.join(10)
        self.unplug()

    def _write(self, data: bytes) -> None:
        if self._ours >= 0:
            with contextlib.suppress(OSError):  # nobody reads, and the terminal is full
                os.write(self._ours, data)

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._stops.wait(0 if self._readable() else TICK_S / 2):
            with self._lock:
                if self._readable():
                    self._receive()
                if self.instrument.period_s is not None and time.monotonic() >= due_s:
                    due_s = time.monotonic() + self.instrument.period_s
                    self.instrument.tick()

    def _readable(self) -> bool:
        with self._lock:
            return self._ours >= 0 and bool(select.select([self._ours], [], [], 0)[0])

    def _receive(self) -> None:
        with contextlib.suppress(OSError):
            self.instrument.receive(os.read(self._ours, READ_BYTES))


def _degrees(value: float, digits: int, letters: str) -> tuple[str, str]:
    whole = math.floor(abs(value))
    minutes = (abs(value) - whole) * 60
    return f"{whole:0{digits}d}{minutes:07.4f}", letters[0 if value >= 0 else 1]


KINDS: dict[str, Callable[[], Instrument]] = {
    "gps": Gps,
    "scale": Scale,
    "scale-continuous": lambda: Scale(0.2),
    "meter": Meter,
}


def main(arguments: list[str]) -> int:
    if len(arguments) != 2 or arguments[0] not in KINDS:
        sys.stderr.write(f"usage: python -m edgelite_sim.devices.instruments {'|'.join(KINDS)} PATH\n")
        return 2
    try:
        made = SimulatedLine(KINDS[arguments[0]](), Path(arguments[1]))
    except OSError as error:
        sys.stderr.write(f"edgelite_sim.devices.instruments: cannot make {arguments[1]}: {error.strerror}\n")
        return 2
    with made as line:
        sys.stdout.write(f"{arguments[0]} is on {line.link}\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
