"""`edgelite serial list|sniff`: which serial lines there are, and what goes over one. Nothing is ever sent."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from edgelite_cli import options, output
from edgelite_cli.durations import seconds
from edgelite_cli.failure import Failure, reporting
from edgelite_cli.main import EXIT_FAILED, EXIT_OK
from edgelite_cli.serial_ports import opened
from edgelite_cli.sniffing import Piece, Splitter, describe, score

BY_ID = Path("/dev/serial/by-id")
# Most devices in the field, the commonest first.
GUESSES = tuple((baud, mode) for mode in ("8N1", "8E1", "7E1") for baud in (9600, 19200, 115200, 38400, 4800, 2400))
GUESS_GOOD = 0.9
READ_BYTES = 512
GAP_MS_DEFAULT = 30  # USB adapters hand over what came in 16 ms at once

EPILOG = """examples:
  edgelite serial list
  edgelite serial sniff /dev/ttyUSB0 --baud 9600
  edgelite serial sniff /dev/ttyUSB0 --guess          which settings make sense
  edgelite serial sniff /dev/ttyUSB0 --baud 300 --mode 7E1 --text"""


def names_by_id() -> dict[str, str]:
    """The stable name of each line that has one: USB adapters keep it wherever they are plugged in."""
    if not BY_ID.is_dir():
        return {}
    return {str(link.resolve()): str(link) for link in sorted(BY_ID.iterdir())}


def show_list(given: argparse.Namespace) -> int:
    from serial.tools import list_ports

    stable = names_by_id()
    rows = [
        [port.device, port.description or "", stable.get(port.device, "")]
        for port in sorted(list_ports.comports())
        if given.all or port.hwid != "n/a"
    ]
    if not rows:
        sys.stderr.write("No serial lines found (--all lists those too that the system has no device for).\n")
        return EXIT_OK
    output.say(output.table(("LINE", "DEVICE", "STABLE NAME"), rows))
    return EXIT_OK


def now_ms() -> int:
    return int(time.monotonic() * 1000)


def listen(line: Any, until_s: float | None, take: Callable[[bytes], None]) -> None:
    """Hand over what comes, b"" when nothing does, until the time is over."""
    import serial

    while until_s is None or time.monotonic() < until_s:
        try:
            data = line.read(min(READ_BYTES, line.in_waiting) or 1)
        except (serial.SerialException, OSError) as error:
            raise Failure(f"{line.port} is gone: {error}") from error
        take(data)


def tell(piece: Piece, style: str) -> None:
    time_of_day = datetime.now().strftime("%H:%M:%S.%f")[:-3]
    output.say(f"{time_of_day} {'+' + str(piece.quiet_ms) + ' ms':>10}  {describe(piece, style)}\n")


def sniff(given: argparse.Namespace) -> int:
    until_s = time.monotonic() + seconds(given.time, "--time") if given.time else None
    if given.guess:
        return guess(given)
    style = "hex" if given.hex else "text" if given.text else "auto"
    splitter = Splitter(given.gap_ms, given.text)
    received = 0

    def take(data: bytes) -> None:
        nonlocal received
        received += len(data)
        for piece in splitter.feed(data, now_ms()) if data else splitter.expire(now_ms()):
            tell(piece, style)

    with opened(given.line, given.baud, given.mode) as line:
        sys.stderr.write(f"listening on {given.line}, {given.baud} baud, {given.mode} (Ctrl-C ends)\n")
        listen(line, until_s, take)
    for piece in splitter.expire(now_ms() + given.gap_ms):
        tell(piece, style)
    if not received:
        sys.stderr.write(
            "edgelite: nothing was heard: is the line connected, A and B not swapped, and somebody talking?\n"
        )
    return EXIT_OK if received else EXIT_FAILED


def guess(given: argparse.Namespace) -> int:
    """Listen with one setting after the other, and tell which bytes make sense."""
    listen_s = seconds(given.time, "--time") if given.time else 2
    best: tuple[float, str] = (0.0, "")
    for baud, mode in GUESSES:
        heard = bytearray()
        with opened(given.line, baud, mode) as line:
            listen(line, time.monotonic() + listen_s, heard.extend)
        made = score(bytes(heard))
        output.say(f"{baud:>7} baud {mode}  {len(heard):>5} bytes  {made:>4.0%} make sense\n")
        best = max(best, (made, f"--baud {baud} --mode {mode}"))
        if made >= GUESS_GOOD:
            break
    if best[0] == 0:
        sys.stderr.write("edgelite: nothing made sense: does anybody talk on this line? Only listening is done here\n")
        return EXIT_FAILED
    output.say(f"best: edgelite serial sniff {given.line} {best[1]}\n")
    return EXIT_OK


def build() -> argparse.ArgumentParser:
    made = options.parser("serial", "Look at serial lines. Nothing is ever sent.", EPILOG)
    actions = made.add_subparsers(dest="action", required=True, metavar="list|sniff")
    one = actions.add_parser("list", help="the serial lines of this machine, with the names that stay")
    one.add_argument("--all", action="store_true", help="those too that the system has no device for")
    one.set_defaults(run=show_list)
    one = actions.add_parser("sniff", help="show what goes over a line, as text, Modbus frames or bytes")
    one.add_argument("line", help="its path, such as /dev/ttyUSB0 or /dev/serial/by-id/…")
    one.add_argument("--baud", type=int, default=9600, help="default 9600")
    one.add_argument("--mode", default="8N1", help="data bits, parity, stop bits (default 8N1)")
    one.add_argument("--guess", action="store_true", help="try common settings, and tell which make sense")
    style = one.add_mutually_exclusive_group()
    style.add_argument("--hex", action="store_true", help="bytes only")
    style.add_argument("--text", action="store_true", help="text, a line each")
    one.add_argument("--gap-ms", type=int, default=GAP_MS_DEFAULT, help="a pause that ends a frame (default 30)")
    one.add_argument("--time", metavar="TIME", help="listen so long (30s, 5m); with --guess: for each setting")
    one.set_defaults(run=sniff)
    return made


@reporting
def main(arguments: list[str]) -> int:
    given = build().parse_args(arguments)
    return int(given.run(given))
