"""A block device behind UART 2: the emulator's surroundings keep the blocks, and can lose what was not synced.

    board                                        answer
    "I"                                          block size (4), block count (4), both little-endian
    "R" offset (4) size (2)                      the bytes
    "W" offset (4) size (2) bytes                "k", or "e" where it failed
    "E" block (4)                                "k" or "e"
    "S"                                          "k" or "e": durable

A board that hears no answer for ten seconds takes the device for dead.
"""

import struct
import time

from edgelite_ports.common.block_storage import BlockDevice
from edgelite_ports.micropython.boards.qemu_cortex_m3.uart import MemoryUart
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PIECE_BYTES = 512  # of one request
ANSWER_TIMEOUT_MS = 10_000


class UartBlockDevice(BlockDevice):
    """PlatformError where nobody answers."""

    erased = 0

    def __init__(self, uart: "Any" = None) -> None:
        clock: Any = time  # ticks are MicroPython's
        self._ticks_ms, self._ticks_diff = clock.ticks_ms, clock.ticks_diff
        self._uart = uart or MemoryUart(2)
        self._send = self._uart.write
        self._send(b"I")
        self.block_bytes, self.block_count = struct.unpack("<II", self._receive(8))

    def read(self, offset_bytes: int, size_bytes: int) -> bytes:
        if size_bytes <= PIECE_BYTES:
            self._send(b"R" + struct.pack("<IH", offset_bytes, size_bytes))
            return self._receive(size_bytes)
        return b"".join(
            [
                self.read(offset_bytes + at, min(PIECE_BYTES, size_bytes - at))
                for at in range(0, size_bytes, PIECE_BYTES)
            ]
        )

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

    def _receive(self, size_bytes: int) -> bytes:
        found = self._uart.read(size_bytes)
        began = self._ticks_ms()
        while len(found) < size_bytes:
            piece = self._uart.read(size_bytes - len(found))
            if piece:
                found += piece
                began = self._ticks_ms()
            elif self._ticks_diff(self._ticks_ms(), began) > ANSWER_TIMEOUT_MS:
                raise PlatformError("the block device does not answer")
        return bytes(found)
