"""Arm's CMSDK UART by its registers, for the lines of the board that the firmware has no code for."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BASES = (0x40004000, 0x40005000, 0x40006000, 0x40007000, 0x40009000)  # UART 0 to 4
DATA, STATE, CONTROL, BAUD_DIVIDER = 0, 4, 8, 16
TRANSMIT_FULL, RECEIVE_FULL = 1, 2
BOTH_DIRECTIONS = 3
BAUD_DIVIDER_MIN = 16  # the emulator takes bytes as they come, whatever the rate


class MemoryUart:
    """`memory` is machine.mem32."""

    def __init__(self, number: int, memory: "Any" = None) -> None:
        if memory is None:
            import machine  # type: ignore[import-not-found]  # MicroPython's

            memory = machine.mem32
        self._memory = memory
        base = BASES[number]
        self._data, self._state = base + DATA, base + STATE
        memory[base + BAUD_DIVIDER] = BAUD_DIVIDER_MIN
        memory[base + CONTROL] = BOTH_DIRECTIONS

    def read(self, size_bytes_max: int) -> bytes:
        """What has arrived; the UART itself holds one byte, and the emulator those behind it."""
        memory = self._memory
        found = bytearray()
        while len(found) < size_bytes_max and memory[self._state] & RECEIVE_FULL:
            found.append(memory[self._data] & 0xFF)
        return bytes(found)

    def write(self, data: "bytes | memoryview") -> int:
        memory = self._memory
        for byte in data:
            while memory[self._state] & TRANSMIT_FULL:
                pass
            memory[self._data] = byte
        return len(data)

    def deinit(self) -> None:
        return
