"""Bytes that come from a serial line, cut into what belongs together and told to a person. No line is opened here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgelite_drivers.modbus.rtu import crc16

FRAME_BYTES_MAX = 512  # longer ones are shown in pieces
MODBUS_BYTES_MIN = 4
TEXT_BYTES = frozenset((*range(0x20, 0x7F), 0x02, 0x03, 0x06, 0x09, 0x0A, 0x0D, 0x15))
EXCEPTION_BIT = 0x80


@dataclass(frozen=True, slots=True)
class Piece:
    """What came without a pause, and how long the line had been quiet before it."""

    data: bytes
    time_ms: int
    quiet_ms: int


class Splitter:
    """Cuts at pauses of `gap_ms`, and with `by_line` at line ends too."""

    def __init__(self, gap_ms: int, by_line: bool) -> None:
        self._gap_ms = gap_ms
        self._by_line = by_line
        self._data = b""
        self._began_ms = 0
        self._last_ms: int | None = None
        self._quiet_ms = 0

    def feed(self, data: bytes, now_ms: int) -> Iterator[Piece]:
        yield from self.expire(now_ms)
        for offset in range(0, len(data), FRAME_BYTES_MAX):
            yield from self._take(data[offset : offset + FRAME_BYTES_MAX], now_ms)
        self._last_ms = now_ms

    def expire(self, now_ms: int) -> Iterator[Piece]:
        """What is over because nothing came for a while."""
        if self._data and self._last_ms is not None and now_ms - self._last_ms >= self._gap_ms:
            yield self._cut(len(self._data))

    def deadline_ms(self) -> int | None:
        return self._last_ms + self._gap_ms if self._data and self._last_ms is not None else None

    def _take(self, data: bytes, now_ms: int) -> Iterator[Piece]:
        if not self._data:
            self._begin(now_ms)
        self._data += data
        while self._by_line and b"\n" in self._data:
            yield self._cut(self._data.index(b"\n") + 1)
            self._begin(now_ms)
        while len(self._data) >= FRAME_BYTES_MAX:
            yield self._cut(FRAME_BYTES_MAX)
            self._begin(now_ms)

    def _begin(self, now_ms: int) -> None:
        self._began_ms = now_ms
        self._quiet_ms = now_ms - self._last_ms if self._last_ms is not None else 0

    def _cut(self, size_bytes: int) -> Piece:
        piece = Piece(self._data[:size_bytes], self._began_ms, self._quiet_ms)
        self._data = self._data[size_bytes:]
        return piece


def is_modbus(data: bytes) -> bool:
    return MODBUS_BYTES_MIN <= len(data) <= 256 and crc16(data) == b"\0\0"


def modbus_frames(data: bytes) -> list[bytes]:
    """`data` as whole frames, one behind the other (an adapter may hand over question and answer together); []
    where it is not that."""
    found = []
    while data:
        size = next((size for size in range(MODBUS_BYTES_MIN, len(data) + 1) if is_modbus(data[:size])), 0)
        if not size:
            return []
        found.append(data[:size])
        data = data[size:]
    return found


def modbus_words(frame: bytes) -> str:
    unit, function = frame[0], frame[1]
    if function & EXCEPTION_BIT:
        return f"Modbus unit {unit}: function {function & 0x7F} refused, exception {frame[2]}"
    return f"Modbus unit {unit}, function {function}, {len(frame) - 4} bytes of data"


def is_text(data: bytes) -> bool:
    return bool(data) and all(byte in TEXT_BYTES for byte in data)


def printable(byte: int) -> str:
    return chr(byte) if 0x20 <= byte < 0x7F else "."


def readable(data: bytes) -> str:
    names = {0x02: "<STX>", 0x03: "<ETX>", 0x06: "<ACK>", 0x15: "<NAK>", 0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r"}
    return "".join(names.get(byte) or printable(byte) for byte in data)


def describe(piece: Piece, style: str) -> str:
    """One line; `style` is auto, hex or text."""
    if style == "text" or (style == "auto" and is_text(piece.data)):
        return readable(piece.data)
    shown = f"{piece.data.hex(' ')}  |{''.join(map(printable, piece.data))}|"
    frames = modbus_frames(piece.data) if style == "auto" else []
    return "  ".join([shown, *map(modbus_words, frames)])


def score(data: bytes) -> float:
    """How much sense bytes make that were received with some settings, 0 to 1: whole Modbus frames or text."""
    if not data:
        return 0.0
    if modbus_frames(data):
        return 1.0
    in_frames = sum(len(frame) for frame in _frames_anywhere(data))
    in_text = sum(byte in TEXT_BYTES for byte in data) if b"\n" in data or b"\r" in data else 0
    return max(in_frames, in_text - len(data) // 4) / len(data)


def _frames_anywhere(data: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(data) - MODBUS_BYTES_MIN:
        end = min(len(data), place + 256)
        size = next((n for n in range(5, end - place + 1) if is_modbus(data[place : place + n])), 0)
        if size:
            yield data[place : place + size]
        place += size or 1
