"""The boards that can be provisioned: how they reach the hub, and how their flash is shared out.

Sizes are bytes of what a board keeps files on; a test holds `bundle_bytes_max` against the bundle.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from edgelite_cli.failure import Failure
from edgelite_cli.main import EXIT_USAGE

STATE_BYTES_MAX = 16 * 1024  # identity, configuration, and what a file system needs for their names
SEGMENTS_MIN = 10  # the journal's: four of state, four of telemetry, two that a power cut may ask for
LITTLEFS_PART = 8  # one part of so many is the file system's own


@dataclass(frozen=True, slots=True)
class Board:
    """`links` are the ways to the hub, the usual one first. `flash_bytes` is 0 where nobody counts bytes."""

    name: str
    summary: str
    links: tuple[str, ...]
    uart: str = ""  # what agent.conf calls the serial line
    flash_bytes: int = 0
    bundle_bytes_max: int = 0
    segment_bytes: int = 0  # of a journal's file; 0 for the agent's default
    journal_bytes_max: int = 0
    has_wifi: bool = False
    copies_by_mpremote: bool = False


BOARDS = {
    board.name: board
    for board in (
        Board("linux", "Linux with Python", ("tls", "serial"), "/dev/ttyAMA0"),
        Board("micropython-linux", "Linux with MicroPython", ("tls", "serial"), "/dev/ttyAMA0"),
        Board(
            *("esp32", "ESP32 with 4 MB of flash or more", ("tls", "serial"), "uart1"),
            *(2 * 1024 * 1024, 420_000, 8192, 512 * 1024),
            has_wifi=True,
            copies_by_mpremote=True,
        ),
        Board(
            *("rp2", "Raspberry Pi Pico W or Pico 2 W (serial: any Pico)", ("tls", "serial"), "uart1"),
            *(848 * 1024, 420_000, 4096, 256 * 1024),
            has_wifi=True,
            copies_by_mpremote=True,
        ),
        Board(
            *("qemu-cortex-m3", "QEMU's mps2-an385, frozen firmware", ("serial",), "uart1"),
            *(256 * 1024, 0, 4096, 64 * 1024),
        ),
    )
}


def find(name: str) -> Board:
    board = BOARDS.get(name)
    if board is not None:
        return board
    close = difflib.get_close_matches(name, BOARDS, 1)
    hint = f"did you mean {close[0]}? There are: " if close else "there are: "
    raise Failure(f"there is no board {name}; {hint}{', '.join(sorted(BOARDS))}", EXIT_USAGE)


@dataclass(frozen=True, slots=True)
class Journal:
    """Its lines in agent.conf."""

    segment_bytes: int
    size_bytes_max: int
    telemetry_bytes_max: int


def plan_journal(board: Board, flash_bytes: int, is_frozen: bool) -> Journal | None:
    """How large the journal may grow on a board with so many bytes for files; None where the agent's default fits.
    Failure says what would be needed where there is too little."""
    if not board.flash_bytes:
        return None
    bundle = 0 if is_frozen else board.bundle_bytes_max
    usable = flash_bytes - flash_bytes // LITTLEFS_PART
    smallest = SEGMENTS_MIN * board.segment_bytes
    room = usable - bundle - STATE_BYTES_MAX
    if room < smallest:
        needed = (smallest + bundle + STATE_BYTES_MAX) * LITTLEFS_PART // (LITTLEFS_PART - 1) + 1
        freeze = "" if is_frozen or not bundle else "; or freeze the bundle into the firmware and give --frozen"
        raise Failure(
            f"{flash_bytes} bytes of flash are too few for {board.name}: the bundle takes up to {bundle}, the smallest "
            f"journal {smallest}, identity and configuration {STATE_BYTES_MAX}, the file system an eighth: {needed} in "
            f"all{freeze}",
            EXIT_USAGE,
        )
    # Two segments more may be there for a while after a power cut.
    segments = min(room // board.segment_bytes - 2, board.journal_bytes_max // board.segment_bytes)
    telemetry = max(segments // 2, 4)
    return Journal(board.segment_bytes, segments * board.segment_bytes, telemetry * board.segment_bytes)
