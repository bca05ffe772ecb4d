"""Who is on a Modbus line, what they are, and which registers they give."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from edgelite_cli.modbus_line import ModbusLine, Silence
from edgelite_drivers.modbus import diagnosis, pdu
from edgelite_drivers.modbus.config import BIT_TABLES, READ_FUNCTIONS
from edgelite_protocol.errors import ProtocolError

GATEWAY_EXCEPTIONS = (pdu.EXCEPTION_GATEWAY_PATH_UNAVAILABLE, pdu.EXCEPTION_GATEWAY_TARGET_SILENT)
IDENTIFICATION_REQUESTS_MAX = 8
PROGRESS_S = 0.1
NAMES_SHOWN = (0, 4, 1, 5, 2)  # vendor, product name, product code, model, revision


@dataclass(frozen=True, slots=True)
class Found:
    unit: int
    answer_ms: float
    identity: str
    first_answer: str


class Progress:
    """One line on a terminal that is drawn over; nothing elsewhere."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._shown_s = 0.0

    def show(self, done: int, text: str) -> None:
        now_s = time.monotonic()
        if sys.stderr.isatty() and now_s - self._shown_s >= PROGRESS_S:
            self._shown_s = now_s
            sys.stderr.write(f"\r\x1b[2K{done * 100 // max(1, self._total):>3} %  {text}")
            sys.stderr.flush()

    def clear(self) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()


def probe(line: ModbusLine, unit: int) -> Found | None:
    """Any answer shows that somebody is there, a refusal too; a gateway's word for a silent device does not."""
    try:
        line.ask(unit, pdu.read_request(pdu.READ_HOLDING_REGISTERS, 0, 1))
        said = "gives holding register 0"
    except Silence:
        return None
    except pdu.ExceptionAnswer as refusal:
        if refusal.number in GATEWAY_EXCEPTIONS:
            return None
        said = refusal.text
    except ProtocolError as error:
        said = f"answers, but not rightly: {error.text}"
    answer_ms = line.answer_s * 1000
    return Found(unit, answer_ms, identify(line, unit), said)


def identify(line: ModbusLine, unit: int) -> str:
    """What it says of itself: function 43/14, else 17; "" where it knows neither."""
    try:
        objects = read_identification(line, unit)
    except (Silence, ProtocolError):
        objects = {}
    if objects:
        return " ".join(objects[number] for number in NAMES_SHOWN if objects.get(number))
    try:
        server_id = diagnosis.parse_server_id(line.ask(unit, diagnosis.server_id_request()))
    except (Silence, ProtocolError):
        return ""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in server_id)


def read_identification(line: ModbusLine, unit: int) -> dict[int, str]:
    found: dict[int, str] = {}
    for category in (diagnosis.BASIC, diagnosis.REGULAR):
        following = 0
        for _ in range(IDENTIFICATION_REQUESTS_MAX):
            data = line.ask(unit, diagnosis.identification_request(category, following))
            objects, following = diagnosis.parse_identification(data)
            found |= objects
            if not following:
                break
        if 4 in found or 5 in found:
            break
    return found


def scan(line: ModbusLine, units: list[int]) -> Iterator[Found]:
    progress = Progress(len(units))
    count = 0
    try:
        for done, unit in enumerate(units):
            progress.show(done, f"unit {unit}, {count} found")
            found = probe(line, unit)
            if found is not None:
                count += 1
                progress.clear()
                yield found
    finally:
        progress.clear()


# ---- which registers there are


def ranges(line: ModbusLine, unit: int, table: str, first: int, last: int, block: int) -> list[tuple[int, int]]:
    """The (first, last) of what can be read: whole blocks, and where one is refused its halves."""
    progress = Progress(last - first + 1)
    found: list[tuple[int, int]] = []
    waiting = [
        (start, min(start + block - 1, last)) for start in range(last - (last - first) % block, first - 1, -block)
    ]
    try:
        while waiting:
            start, end = waiting.pop()
            progress.show(start - first, f"{table} {start}, {len(found)} ranges")
            if can_read(line, unit, table, start, end):
                found.append((start, end))
            elif start < end:
                middle = (start + end) // 2
                waiting += [(middle + 1, end), (start, middle)]
    finally:
        progress.clear()
    return joined(found)


def can_read(line: ModbusLine, unit: int, table: str, first: int, last: int) -> bool:
    try:
        line.ask(unit, pdu.read_request(READ_FUNCTIONS[table], first, last - first + 1))
    except pdu.ExceptionAnswer:
        return False
    return True


def joined(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    made: list[tuple[int, int]] = []
    for first, last in sorted(found):
        if made and made[-1][1] + 1 == first:
            made[-1] = made[-1][0], last
        else:
            made.append((first, last))
    return made


def block_of(table: str, registers_max: int) -> int:
    return 512 if table in BIT_TABLES else registers_max
