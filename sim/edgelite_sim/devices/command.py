"""`edgelite sim device`: a simulated device for real nodes: a TCP port, a pseudo terminal, or a driver's process."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edgelite.driver import ConfigurationError
from edgelite_cli import output
from edgelite_cli.live import TREND_WIDTH, Screen, Trends, is_screen
from edgelite_cli.main import EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE
from edgelite_sim.devices.condition import PARAMETERS
from edgelite_sim.devices.library import find, folder, names
from edgelite_sim.devices.running import RunningDevice, real_device
from edgelite_sim.devices.source import DeviceSource

if TYPE_CHECKING:
    from edgelite_sim.devices.ble_source import BleSource

NAME = "edgelite sim device"
DRAW_MS = 500
TCP_DEFAULT = "tcp:127.0.0.1:5020"
DRIVER = "driver"
EPILOG = """examples:
  edgelite sim device                                               those that come with it
  edgelite sim device energy-meter --listen tcp:127.0.0.1:5020
  edgelite sim device tank --listen pty --link /tmp/tank            give serialPort: /tmp/tank to the node
  edgelite sim device meter.toml --fault slow:delay_ms=1500 --fault noise:chance=0.05
  edgelite sim device ble-thermometer --listen driver               as a node's driver_python, for Bluetooth
  edgelite sim device meter.toml --check

Faults: """ + "; ".join(f"{kind} ({', '.join(names)})" for kind, names in PARAMETERS.items())


def main(arguments: list[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    try:
        if given.file is None:
            return _say_library()
        file = find(given.file)
        source = real_device(file, given.seed, given.framing or _framing(given.listen, file))
        for text in given.fault:
            kind, parameters = parse_fault(text)
            source.fail(kind, **parameters)
        if given.check:
            return _say_checked(file, source)
        return _serve(source, given)
    except (ConfigurationError, ValueError) as error:
        sys.stderr.write(f"{NAME}: {error}\n")
        return EXIT_USAGE
    except OSError as error:
        sys.stderr.write(f"{NAME}: {error.filename or given.listen}: {error.strerror}\n")
        return EXIT_USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=NAME,
        description="A simulated device for real nodes: Modbus slaves, serial instruments, Bluetooth peripherals.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="docs/simulated-devices.md; or the name of one that comes with it"
    )
    parser.add_argument("--listen", metavar="tcp:HOST:PORT|pty|driver", help="port 0 takes any free one")
    parser.add_argument("--framing", choices=("tcp", "rtu", "ascii"), help="of Modbus, in place of the file's")
    parser.add_argument("--link", default="", metavar="PATH", help="a name for the pseudo terminal")
    parser.add_argument("--seed", type=int, metavar="N", help="of random walks, in place of the file's")
    parser.add_argument("--fault", action="append", default=[], metavar="KIND[:NAME=VALUE,...]", help="from the start")
    parser.add_argument("--check", action="store_true", help="only say whether the file holds")
    return parser


def _framing(listen: str | None, file: Path) -> str:
    """RTU on a line, where neither the file nor the command says another; "" leaves it to the file."""
    if listen != "pty":
        return ""
    source = real_device(file)
    return "rtu" if source.kind == "modbus" and source.framing == "tcp" else ""


def parse_fault(text: str) -> tuple[str, dict[str, object]]:
    """ "slow:delay_ms=1500,unit=2". ValueError says how it is written."""
    kind, _, rest = text.partition(":")
    parameters: dict[str, object] = {}
    for part in rest.split(",") if rest else []:
        name, sign, value = part.partition("=")
        try:
            parameters[name] = float(value) if "." in value else int(value)
        except ValueError as error:
            raise ValueError(f"--fault {text}: {part!r} is no NAME=NUMBER") from error
        if not sign or not name:
            raise ValueError(f"--fault {text}: {part!r} is no NAME=NUMBER")
    return kind, parameters


def _say_library() -> int:
    sys.stdout.write(f"usage: {NAME} FILE [OPTION ...]\n\nDevices that come with it, in {folder()}:\n")
    for name in names():
        head = (folder() / f"{name}.toml").read_text("utf-8").splitlines()[0]
        sys.stdout.write(f"  {name:<16} {head.lstrip('# ')}\n")
    return EXIT_USAGE


def _say_checked(file: Path, source: DeviceSource) -> int:
    names = source.current(source.clock.started_ms)
    framing = f", {source.framing}" if source.framing else ""
    sys.stdout.write(f"{file}: {source.kind}{framing}, {len(names)} values: {', '.join(names)}\n")
    return EXIT_OK


def _serve(source: DeviceSource, given: argparse.Namespace) -> int:
    listen = given.listen or _usual(source)
    if source.kind == "ble":
        return _be_driver(source, listen)  # type: ignore[arg-type]
    if listen == DRIVER:
        raise ValueError(f"--listen {DRIVER} is for Bluetooth; a {source.kind} device has tcp:HOST:PORT and pty")
    if given.link and listen != "pty":
        raise ValueError("--link names a pseudo terminal, which --listen pty makes")
    shown = Shown(source)
    running = RunningDevice(source, listen, shown.turn, given.link)
    sys.stdout.write(f"ready {given.link or running.address}\n")
    sys.stdout.flush()
    try:
        running.run()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return EXIT_OK


def _usual(source: DeviceSource) -> str:
    if source.kind == "ble":
        return DRIVER
    return "pty" if source.is_serial else TCP_DEFAULT


def _be_driver(source: BleSource, listen: str) -> int:
    from edgelite_ports.linux.ble.main import run_program
    from edgelite_sim.devices.ble_driver import run

    if listen != DRIVER:
        raise ValueError(f"--listen {listen}: a Bluetooth device is reached through a node's driver: --listen {DRIVER}")
    shown = Shown(source)
    return run_program(NAME, run(source, on_turn=shown.turn))


class Shown:
    """Live values: on a terminal a table that is drawn over, elsewhere a line for each answered reading."""

    def __init__(self, source: DeviceSource, now: Callable[[], float] = time.time) -> None:
        self._source = source
        self._now = now
        self._screen = Screen() if is_screen() else None
        self._trends = Trends()
        self._told: dict[str, tuple[object, int]] = {}  # what was answered last, and how often
        self._due_ms = 0
        self._answers = 0
        source.on_answered = self.answered

    def answered(self, values: dict[str, object], now_ms: int) -> None:
        self._answers += 1
        for name, value in values.items():
            self._told[name] = (value, self._told.get(name, (None, 0))[1] + 1)
        if self._screen is None:
            moment = time.strftime("%H:%M:%S", time.localtime(self._now()))
            sys.stdout.write(f"{moment} " + " ".join(f"{name}={_text(value)}" for name, value in values.items()) + "\n")
            sys.stdout.flush()

    def turn(self, now_ms: int) -> int | None:
        if self._screen is None:
            return None
        if now_ms >= self._due_ms:
            self._due_ms = now_ms + DRAW_MS
            self._screen.draw(self._table(now_ms))
        return self._due_ms

    def _table(self, now_ms: int) -> str:
        rows = []
        for name, value in self._source.current(now_ms).items():
            self._trends.add(name, value)
            told, count = self._told.get(name, ("-", 0))
            rows.append([name, _text(value), self._trends.of(name), _text(told), str(count)])
        header = ("VALUE", "NOW", "COURSE".ljust(TREND_WIDTH), "ANSWERED", "TIMES")
        return (
            output.table(header, rows, (12, 12, TREND_WIDTH, 12)) + f"{self._answers} readings answered{self._ills()}\n"
        )

    def _ills(self) -> str:
        kinds = sorted({kind for kind, _ in self._source.condition.active})
        return f"; {', '.join(kinds)}" if kinds else ""


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
