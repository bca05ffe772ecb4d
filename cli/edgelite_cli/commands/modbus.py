"""`edgelite modbus scan|read|write|poll`: talk to Modbus devices from the machine at hand, without a node."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime

from edgelite_cli import options, output
from edgelite_cli.failure import Failure, reporting
from edgelite_cli.live import TREND_WIDTH, Screen, Trends, is_screen
from edgelite_cli.main import EXIT_FAILED, EXIT_OK, EXIT_UNREACHABLE, EXIT_USAGE
from edgelite_cli.modbus_line import ModbusLine, Silence, parse_target
from edgelite_cli.modbus_scan import block_of, joined, ranges, scan
from edgelite_cli.modbus_values import (
    GUESS_HEADER,
    NAMES,
    ORDER_NAMES,
    TYPE_NAMES,
    Place,
    encoded,
    guesses,
    place_of,
    told,
)
from edgelite_drivers.modbus import pdu
from edgelite_drivers.modbus.config import BIT_TABLES
from edgelite_protocol.errors import ProtocolError

TIMEOUT_MS_DEFAULT = 1000
SCAN_TIMEOUT_MS_DEFAULT = 300
UNIT_MAX = 247
ANSWERS_KEPT = 1000
SCAN_HEADER, SCAN_WIDTHS = ("UNIT", "ANSWER", "IDENTITY", "REGISTER 0"), (4, 7, 24)

EPILOG = """TARGET is HOST[:PORT] for Modbus TCP, or the path of a serial line.

examples:
  edgelite modbus scan 192.168.1.10
  edgelite modbus scan /dev/ttyUSB0 --baud 9600 --mode 8E1 --units 1-32
  edgelite modbus scan 192.168.1.10 --unit 3 --registers
  edgelite modbus read 192.168.1.10 input 52 --type float32
  edgelite modbus read /dev/ttyUSB0 holding 0 16 --unit 5      every way to read them
  edgelite modbus write 192.168.1.10 holding 2 30 --type float32
  edgelite modbus poll 192.168.1.10 input 0 3 --type float32 --every 0.5

Addresses are those on the wire, from 0: what a manual calls 40001 is `holding 0`."""


def line_of(given: argparse.Namespace) -> ModbusLine:
    target = parse_target(given.target, given.framing, given.baud, given.mode)
    if given.timeout_ms < 1:
        raise Failure("--timeout-ms: at least 1", EXIT_USAGE)
    return ModbusLine(target, given.timeout_ms / 1000, given.lenient)


def failed(given: argparse.Namespace, error: Exception) -> Failure:
    """What an exchange came to, as the end of a command."""
    if isinstance(error, Silence):
        hint = f"; `edgelite modbus scan {given.target}` shows who answers"
        return Failure(f"unit {given.unit} on {given.target}: {error}{hint}", EXIT_UNREACHABLE)
    text = error.text if isinstance(error, ProtocolError) else str(error)
    return Failure(f"unit {given.unit} on {given.target}: {text}")


# ---- scan


def units_of(text: str) -> list[int]:
    """ "1-32,100" as numbers."""
    found: list[int] = []
    for part in text.split(","):
        first, separator, last = part.partition("-")
        if not first.isdigit() or (separator and not last.isdigit()):
            raise Failure(f"--units {text!r}: give numbers and ranges, such as 1-32,100", EXIT_USAGE)
        found += range(int(first), int(last or first) + 1)
    if not found or max(found) > 255:
        raise Failure(f"--units {text!r}: units are numbers up to 255", EXIT_USAGE)
    return found


def show_scan(given: argparse.Namespace) -> int:
    if given.registers:
        return show_ranges(given)
    units = units_of(given.units)
    count = 0
    with line_of(given) as line:
        for found in scan(line, units):
            count += 1
            row = [str(found.unit), f"{found.answer_ms:.1f} ms", found.identity or "-", found.first_answer]
            text = output.table(SCAN_HEADER, [row], SCAN_WIDTHS)
            output.say(text if count == 1 else text.split("\n", 1)[1])
    if not count:
        sys.stderr.write(f"edgelite: nobody answered on {line.target} ({len(units)} units asked); {hint_of(given)}\n")
        return EXIT_UNREACHABLE
    if count == len(units) > 4:
        sys.stderr.write("All units answered: this is one device that takes any number.\n")
    return EXIT_OK


def hint_of(given: argparse.Namespace) -> str:
    if "/" in given.target:
        return f"check --baud, --mode and the wiring (A and B), or listen: edgelite serial sniff {given.target}"
    return "a slow gateway needs a longer --timeout-ms"


def show_ranges(given: argparse.Namespace) -> int:
    first, separator, last = given.addresses.partition("-")
    if not separator or not first.isdigit() or not last.isdigit() or not int(first) <= int(last) < pdu.ADDRESSES:
        raise Failure(f"--addresses {given.addresses!r}: give a range within 0-65535", EXIT_USAGE)
    rows = []
    with line_of(given) as line:
        for short, table in NAMES.items():
            try:
                block = block_of(table, given.max_registers)
                found = ranges(line, given.unit, table, int(first), int(last), block)
            except (Silence, ProtocolError) as error:
                raise failed(given, error) from error
            rows += [[short, str(one), str(other), str(other - one + 1)] for one, other in joined(found)]
    if not rows:
        sys.stderr.write(f"Unit {given.unit} gives none of the addresses {given.addresses}.\n")
        return EXIT_FAILED
    output.say(output.table(("TABLE", "FIRST", "LAST", "COUNT"), rows))
    return EXIT_OK


# ---- read


def read_pieces(line: ModbusLine, given: argparse.Namespace, place: Place) -> list[bytes]:
    pieces: list[bytes] = []
    try:
        for request in place.requests(given.max_registers):
            pieces += place.pieces(line.ask(given.unit, request), len(pieces))
    except (Silence, ProtocolError) as error:
        raise failed(given, error) from error
    return pieces


def show_read(given: argparse.Namespace) -> int:
    place = place_of(given)
    with line_of(given) as line:
        pieces = read_pieces(line, given, place)
    if given.quiet:
        output.say("".join(told(place.visitor, piece) + "\n" for piece in pieces))
    elif given.type is None and place.table not in BIT_TABLES:
        rows = [guesses(given.address, pieces, index) for index in range(len(pieces))]
        output.say(output.table(GUESS_HEADER, rows))
    else:
        rows = [[str(place.address(i)), piece.hex(), told(place.visitor, piece)] for i, piece in enumerate(pieces)]
        output.say(output.table(("ADDRESS", "HEX", "VALUE"), rows))
    return EXIT_OK


# ---- write


def write_request(table: str, address: int, pieces: list[bytes]) -> bytes:
    """The one function that writes just these."""
    if table == NAMES["coil"]:
        bits = [piece[1] != 0 for piece in pieces]
        return pdu.write_coils_request(address, bits) if bits[1:] else pdu.write_coil_request(address, bits[0])
    data = b"".join(pieces)
    if len(data) == 2:
        return pdu.write_register_request(address, data)
    return pdu.write_registers_request(address, data)


def show_write(given: argparse.Namespace) -> int:
    """Read, write, read back: what is told is what the device holds then."""
    given.count = len(given.values)
    if given.type in ("string", "bytes"):
        size_bytes = len(given.values[0]) if given.type == "string" else len(given.values[0]) // 2
        given.count = max(1, (size_bytes + 1) // 2)
    place = place_of(given)
    if place.table not in (NAMES["coil"], NAMES["holding"]):
        raise Failure("only coil and holding can be written", EXIT_USAGE)
    wanted = [encoded(place.visitor, text) for text in given.values]
    with line_of(given) as line:
        before = read_pieces(line, given, place)
        try:
            line.ask(given.unit, write_request(place.table, given.address, wanted))
        except (Silence, ProtocolError) as error:
            raise failed(given, error) from error
        after = read_pieces(line, given, place)
    code = EXIT_OK
    for index, piece in enumerate(after):
        is_right = piece == wanted[index]
        code = code if is_right else EXIT_FAILED
        mark = output.paint("ok", "green") if is_right else output.paint("not what was written", "red")
        was, now = told(place.visitor, before[index]), told(place.visitor, piece)
        output.say(f"{given.table} {place.address(index)}: {was} -> {now}  {mark}\n")
    return code


# ---- poll


class Tally:
    """How a device has answered so far."""

    def __init__(self) -> None:
        self.asked = 0
        self.errors: dict[str, int] = {}
        self._answers_ms: list[float] = []

    def answered(self, answer_ms: float) -> None:
        self.asked += 1
        self._answers_ms = [*self._answers_ms[-ANSWERS_KEPT:], answer_ms]

    def failed(self, text: str) -> None:
        self.asked += 1
        self.errors[text] = self.errors.get(text, 0) + 1

    def text(self) -> str:
        times = self._answers_ms
        middle = f", answers in {statistics.median(times):.1f} ms (at most {max(times):.1f} ms)" if times else ""
        errors = "".join(f"\n{count} times: {text}" for text, count in sorted(self.errors.items()))
        return f"{self.asked} polls, {sum(self.errors.values())} failed{middle}{errors}\n"


def poll(given: argparse.Namespace) -> int:
    if given.every <= 0:
        raise Failure("--every: more than 0 seconds", EXIT_USAGE)
    place = place_of(given)
    tally, trends = Tally(), Trends()
    draw = drawing(place, tally, trends) if is_screen() else writing(place)
    due_s = time.monotonic()
    try:
        with line_of(given) as line:
            while given.times is None or tally.asked < given.times:
                draw(poll_once(line, given, place, tally))
                due_s = max(due_s + given.every, time.monotonic())
                time.sleep(max(0.0, due_s - time.monotonic()))
    finally:
        sys.stderr.write(tally.text())
    return EXIT_FAILED if tally.errors else EXIT_OK


def poll_once(line: ModbusLine, given: argparse.Namespace, place: Place, tally: Tally) -> list[str]:
    """The values; [] where there was no answer, which is counted and no end."""
    pieces: list[bytes] = []
    try:
        for request in place.requests(given.max_registers):
            pieces += place.pieces(line.ask(given.unit, request), len(pieces))
    except (Silence, ProtocolError) as error:
        tally.failed(error.text if isinstance(error, ProtocolError) else str(error))
        return []
    tally.answered(line.answer_s * 1000)
    return [told(place.visitor, piece) for piece in pieces]


def drawing(place: Place, tally: Tally, trends: Trends) -> Callable[[list[str]], None]:
    screen = Screen()
    last: list[str] = ["-"] * place.count

    def draw(values: list[str]) -> None:
        for index, value in enumerate(values):
            last[index] = value
            trends.add(str(index), value)
        rows = [[str(place.address(i)), value, trends.of(str(i))] for i, value in enumerate(last)]
        screen.draw(output.table(("ADDRESS", "VALUE", "TREND".ljust(TREND_WIDTH)), rows, (7, 12)) + tally.text())

    return draw


def writing(place: Place) -> Callable[[list[str]], None]:
    def write(values: list[str]) -> None:
        now = datetime.now().isoformat(timespec="milliseconds")
        output.say(f"{now}  {'  '.join(values) or 'no answer'}\n")

    return write


# ---- the command line


def add_line(made: argparse.ArgumentParser, timeout_ms: int) -> None:
    made.add_argument("target", metavar="TARGET", help="HOST[:PORT], or the path of a serial line")
    line = made.add_argument_group("line")
    line.add_argument("--framing", choices=("tcp", "rtu", "ascii"), help="default: tcp, on a serial line rtu")
    line.add_argument("--baud", type=int, default=9600, help="of a serial line (default 9600)")
    line.add_argument("--mode", default="8N1", help="data bits, parity, stop bits (default 8N1)")
    line.add_argument("--timeout-ms", type=int, default=timeout_ms, help=f"for each answer (default {timeout_ms})")
    line.add_argument("--lenient", action="store_true", help="accept wrong transaction ids, as some gateways give")
    line.add_argument("--max-registers", type=int, default=pdu.READ_REGISTERS_MAX, help="in one read (default 125)")


def add_place(made: argparse.ArgumentParser) -> None:
    made.add_argument("table", help=", ".join(NAMES))
    made.add_argument("address", type=lambda text: int(text, 0), help="from 0, as on the wire; 0x10 works too")
    values = made.add_argument_group("values")
    values.add_argument("--unit", type=int, default=1, help="the device's unit id (default 1)")
    values.add_argument("--type", choices=TYPE_NAMES, help="default: bool for bits, uint16 for registers")
    values.add_argument("--order", choices=ORDER_NAMES, help="of bytes and registers (default ABCD)")
    values.add_argument("--scale", type=float, help="value = register times this")


def build() -> argparse.ArgumentParser:
    made = options.parser("modbus", "Find, read and write Modbus devices from here.", EPILOG)
    actions = made.add_subparsers(dest="action", required=True, metavar="scan|read|write|poll")
    one = actions.add_parser("scan", help="who answers, and what they are; --registers: which registers one has")
    add_line(one, SCAN_TIMEOUT_MS_DEFAULT)
    one.add_argument("--units", default=f"1-{UNIT_MAX}", help="which to ask (default 1-247)")
    one.add_argument("--registers", action="store_true", help="the ranges that --unit gives; nothing is written")
    one.add_argument("--unit", type=int, default=1, help="with --registers: whose (default 1)")
    one.add_argument("--addresses", default="0-999", help="with --registers: where to look (default 0-999)")
    one.set_defaults(run=show_scan)
    one = actions.add_parser("read", help="values; without --type, all that registers could mean")
    add_line(one, TIMEOUT_MS_DEFAULT)
    add_place(one)
    one.add_argument("count", type=int, nargs="?", default=1, help="how many values; string, bytes: registers")
    one.add_argument("-q", "--quiet", action="store_true", help="only the values, one a line, for scripts")
    one.set_defaults(run=show_read)
    one = actions.add_parser("write", help="write values, and read them back")
    add_line(one, TIMEOUT_MS_DEFAULT)
    add_place(one)
    one.add_argument("values", nargs="+", metavar="VALUE", help="as many as are to be written in one request")
    one.set_defaults(run=show_write)
    one = actions.add_parser("poll", help="read again and again, drawn with the course of each number")
    add_line(one, TIMEOUT_MS_DEFAULT)
    add_place(one)
    one.add_argument("count", type=int, nargs="?", default=1, help="how many values")
    one.add_argument("--every", type=float, default=1.0, metavar="SECONDS", help="default 1")
    one.add_argument("--times", type=int, help="so often, then end (default: until Ctrl-C)")
    one.set_defaults(run=poll)
    return made


@reporting
def main(arguments: list[str]) -> int:
    given = build().parse_args(arguments)
    if hasattr(given, "unit") and not 0 <= given.unit <= 255:
        raise Failure("--unit: a number from 0 to 255", EXIT_USAGE)
    if not 1 <= given.max_registers <= pdu.READ_REGISTERS_MAX:
        raise Failure(f"--max-registers: a number from 1 to {pdu.READ_REGISTERS_MAX}", EXIT_USAGE)
    return int(given.run(given))
