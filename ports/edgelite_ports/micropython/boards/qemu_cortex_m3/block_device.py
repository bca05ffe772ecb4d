"""A block device behind UART 2: the emulator's surroundings keep the blocks, and can lose what was not synced.

    board                                        answer
    "I"                                          block size (4), block count (4), both little-endian
    "R" offset (4) size (2)                      the bytes
    "W" offset (4) size (2) bytes                "k", or "e" where it failed
    "E" block (4)                                "k" or "e"
    "S"                                          "k" or "e": durable

A board that hears no answer for a second takes the device for dead.
"""

import struct
import time

from edgelite_ports.common.block_storage import BlockDevice
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DATA, STATE, CONTROL, BAUD_DIVIDER = 0x40006000, 0x40006004, 0x40006008, 0x40006010
TRANSMIT_FULL, RECEIVE_FULL = 1, 2
BOTH_DIRECTIONS = 3
BAUD_DIVIDER_MIN = 16
PIECE_BYTES = 512  # of one request
ANSWER_TIMEOUT_MS = 1_000


class UartBlockDevice(BlockDevice):
    """`memory` is machine.mem32; PlatformError where nobody answers."""

    erased = 0

    def __init__(self, memory: "Any" = None) -> None:
        clock: Any = time  # ticks are MicroPython's
        self._ticks_ms, self._ticks_diff = clock.ticks_ms, clock.ticks_diff
        if memory is None:
            import machine  # type: ignore[import-not-found]  # MicroPython's

            memory = machine.mem32
        self._memory = memory
        memory[BAUD_DIVIDER] = BAUD_DIVIDER_MIN
        memory[CONTROL] = BOTH_DIRECTIONS
        self._send(b"I")
        self.block_bytes, self.block_count = struct.unpack("<II", self._receive(8))

    def read(self, offset_bytes: int, size_bytes: int) -> bytes:
        parts = []
        while size_bytes > 0:
            count = min(size_bytes, PIECE_BYTES)
            self._send(b"R" + struct.pack("<IH", offset_bytes, count))
            parts.append(self._receive(count))
            offset_bytes += count
            size_bytes -= count
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def program(self, offset_bytes: int, data: "bytes | bytearray | memoryview") -> None:
        view = memoryview(data)
        for at in range(0, len(view), PIECE_BYTES):
            piece = view[at : at + PIECE_BYTES]
            self._send(b"W" + struct.pack("<IH", offset_bytes + at, len(piece)))
            self._send(piece)
            self._expect("writing")

    def erase(self, block: int) -> None:
        self._send(b"E" + struct.pack("<I", block))
        self._expect("erasing")

    def sync(self) -> None:
        self._send(b"S")
        self._expect("syncing")

    def _expect(self, what: str) -> None:
        if bytes(self._receive(1)) != b"k":
            raise PlatformError("the block device failed while " + what)

    def _send(self, data: "bytes | memoryview") -> None:
        memory = self._memory
        for byte in data:
            while memory[STATE] & TRANSMIT_FULL:
                pass
            memory[DATA] = byte

    def _receive(self, size_bytes: int) -> bytes:
        memory = self._memory
        found = bytearray(size_bytes)
        began = self._ticks_ms()
        for index in range(size_bytes):
            while not memory[STATE] & RECEIVE_FULL:
                if self._ticks_diff(self._ticks_ms(), began) > ANSWER_TIMEOUT_MS:
                    raise PlatformError("the block device does not answer")
            found[index] = memory[DATA] & 0xFF
        return bytes(found)
