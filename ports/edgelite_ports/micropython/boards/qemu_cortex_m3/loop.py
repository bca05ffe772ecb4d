"""Waiting on a board that has neither `select` nor interrupts for Python: its one UART ends a wait, nothing else."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

READABLE = 1
WRITABLE = 4
WAIT_MS_MAX = 500  # what the firmware can sleep at once
POLL_MS = 20  # while there are lines that do not end a wait


class BoardUart:
    """UART 1, which takes what is written as fast as its other end does."""

    def __init__(self, board: "Any") -> None:
        self._board = board
        self._buffer = bytearray(256)

    def read(self, size_bytes_max: int) -> bytes:
        view = memoryview(self._buffer)[:size_bytes_max]
        return bytes(view[: self._board.uart_read(view)])

    def write(self, data: "bytes | memoryview") -> int:
        self._board.uart_write(data)
        return len(data)

    def deinit(self) -> None:
        return


class BoardLoop:
    def __init__(self, board: "Any", now_ms: "Callable[[], int]") -> None:
        self._board = board
        self._now_ms = now_ms
        self._handlers: list[tuple[object, Callable[[int], None]]] = []

    def register(self, pollable: object, _events: int, handler: "Callable[[int], None]") -> None:
        self._handlers.append((pollable, handler))

    def modify(self, _pollable: object, _events: int) -> None:
        return

    def unregister(self, pollable: object) -> None:
        self._handlers = [row for row in self._handlers if row[0] is not pollable]

    def wait(self, deadline_ms: "int | None") -> None:
        """Sleep until the UART has something or the deadline has come, at most for WAIT_MS_MAX; then let it be read."""
        latest_ms = WAIT_MS_MAX if all(isinstance(row[0], BoardUart) for row in self._handlers) else POLL_MS
        wait_ms = latest_ms if deadline_ms is None else max(0, min(deadline_ms - self._now_ms(), latest_ms))
        self._board.wait_ms(wait_ms)
        for _, handler in list(self._handlers):
            handler(READABLE)
