"""Simulated instruments on a serial line: a GPS receiver, a weighing scale, an electricity meter with an optical head.

    python -m edgelite_sim.devices.instruments gps /tmp/gps       the line's name, a link to a pseudo terminal
    python -m edgelite_sim.devices.instruments scale /tmp/scale
    python -m edgelite_sim.devices.instruments scale-continuous /tmp/scale
    python -m edgelite_sim.devices.instruments meter /tmp/meter

The same with values of one's own, from a file: `edgelite sim device gps.toml --listen pty`.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from edgelite_sim.devices.gps import Gps
from edgelite_sim.devices.instrument import Instrument
from edgelite_sim.devices.meter62056 import Meter
from edgelite_sim.devices.pty_line import SimulatedLine
from edgelite_sim.devices.scale import Scale

__all__ = ["Gps", "Instrument", "Meter", "Scale", "SimulatedLine"]

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
