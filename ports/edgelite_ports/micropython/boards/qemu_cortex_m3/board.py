"""QEMU's mps2-an385: a Cortex-M3 without network or file system. UART 1 leads to the gateway; UART 2 to a block device,
which the emulator's surroundings serve. Both are Arm's CMSDK UART (registers at 0x40005000 and 0x40006000).
"""

import gc
import os
import sys
import time

from edgelite.driver import ConfigurationError
from edgelite_ports.common.block_storage import BlockStorage
from edgelite_ports.common.log import line
from edgelite_ports.common.state import StateDirectory
from edgelite_ports.micropython.boards.clock import TickClock
from edgelite_ports.micropython.boards.qemu_cortex_m3.block_device import UartBlockDevice
from edgelite_ports.micropython.boards.qemu_cortex_m3.loop import BoardLoop, BoardUart
from edgelite_ports.micropython.boards.qemu_cortex_m3.uart import MemoryUart
from edgelite_ports.micropython.boards.storage_files import StorageFiles
from edgelite_ports.micropython.boards.uart_line import Lines

FIRMWARE_MODULE = "_board"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from edgelite.config import Config
    from edgelite.storage import Storage


class QemuBoard:
    name = "qemu-cortex-m3"
    frame_bytes_max = 2048
    tasks_max = 4
    watchdog_ms = 0  # the emulator's surroundings look after it

    def __init__(self, board: "Any") -> None:
        """`board` is the firmware's module `_board`."""
        clock: Any = time  # ticks are MicroPython's
        self._board = board
        self.now_ms = TickClock(clock.ticks_ms, clock.ticks_diff)
        self.loop = BoardLoop(board, self.now_ms)
        self._storage = BlockStorage(UartBlockDevice())
        self.state = StateDirectory("", StorageFiles(self._storage))

    def random_bytes(self, count: int) -> bytes:
        return os.urandom(count)

    def storage(self) -> "Storage":
        return self._storage

    def load_identity(self) -> "Any":
        raise ConfigurationError("agent.conf", "this board has no network: use `link = serial:uart1:BAUD`")

    def connections(self, config: "Config") -> Lines:
        return Lines(self.loop, self._open_uart, self.now_ms)

    def parts(self) -> "list[Any]":
        return []

    def about(self) -> "dict[str, object]":
        heap: Any = gc  # MicroPython's
        return {
            "architecture": "armv7m",
            "os": sys.platform,
            "os_image": "mps2-an385",
            "memory_bytes": heap.mem_alloc() + heap.mem_free(),
        }

    def log(self, level: str, text: str) -> None:
        print(line("info", level, text, False), end="")  # noqa: T201 - a board's console

    def feed(self) -> None:
        return

    def reset(self) -> None:
        import machine  # type: ignore[import-not-found]  # MicroPython's

        machine.reset()

    def _open_uart(self, path: str, settings: "dict[str, Any]") -> "Any":
        if path == "uart1":
            return BoardUart(self._board)
        if path not in ("uart3", "uart4"):
            raise ValueError("this board's lines are uart1, uart3 and uart4")
        return MemoryUart(int(path[4:]))


def main(drivers: "tuple[str, ...]" = ()) -> None:
    """`drivers`: those that the firmware has beyond what edgelite brings."""
    from edgelite_ports.micropython.boards.agent import run_board

    run_board(QemuBoard(__import__(FIRMWARE_MODULE)), drivers)
