"""An instrument on a pseudo terminal, in a thread of its own. What it says and when is the instrument's; this carries
it, and hands in the time.

A pseudo terminal does not pace, and carries 8 bits whatever it is set to. Its settings can be seen, though.
"""

from __future__ import annotations

import contextlib
import os
import select
import termios
import threading
import tty
from pathlib import Path
from types import TracebackType

from edgelite_sim.devices.instrument import Instrument, InstrumentChannel
from edgelite_sim.devices.serving import monotonic_ms, unix_ms_at_zero

READ_BYTES = 4096
TICK_S = 0.02
SPEEDS = {
    termios.B300: 300,
    termios.B600: 600,
    termios.B1200: 1200,
    termios.B2400: 2400,
    termios.B4800: 4800,
    termios.B9600: 9600,
    termios.B19200: 19200,
}


def speed_of(descriptor: int) -> int:
    """What the line is set to; 0 for a rate that no instrument here has."""
    return SPEEDS.get(termios.tcgetattr(descriptor)[5], 0)


class SimulatedLine:
    """Runs an instrument on a pseudo terminal that `link` names. `unplug` and `plug` are what befalls USB adapters."""

    def __init__(self, instrument: Instrument, link: Path) -> None:
        self.instrument = instrument
        self.link = link
        self._lock = threading.RLock()
        self._ours = self._theirs = -1
        self._stops = threading.Event()
        instrument.clock.started_ms = monotonic_ms()
        instrument.clock.unix_ms = unix_ms_at_zero()
        self._channel = InstrumentChannel(instrument)
        self._channel.line_baud = self.baud
        self._channel.opened(monotonic_ms())
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
        return speed_of(self._ours) if self._ours >= 0 else 0

    def settings(self) -> list[object]:
        return list(termios.tcgetattr(self._theirs))

    def close(self) -> None:
        self._stops.set()
        self._thread.join(10)
        self.unplug()

    def _run(self) -> None:
        while not self._stops.wait(0 if self._readable() else TICK_S / 2):
            with self._lock:
                if self._readable():
                    self._receive()
                self._channel.step(monotonic_ms())
                self._write()

    def _write(self) -> None:
        data = self._channel.data_to_send(READ_BYTES)
        while data:
            if self._ours >= 0:
                with contextlib.suppress(OSError):  # nobody reads, and the terminal is full
                    os.write(self._ours, data)
            data = self._channel.data_to_send(READ_BYTES)

    def _readable(self) -> bool:
        with self._lock:
            return self._ours >= 0 and bool(select.select([self._ours], [], [], 0)[0])

    def _receive(self) -> None:
        with contextlib.suppress(OSError):
            self._channel.received(os.read(self._ours, READ_BYTES), monotonic_ms())
