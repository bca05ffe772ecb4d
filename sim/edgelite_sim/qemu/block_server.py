"""The block device of an emulated board, behind one of its UARTs: what was synced outlives every cut of the power, and
what was not is lost, torn or kept as the cut says.

The bytes on the line stand in `edgelite_ports/micropython/boards/qemu_cortex_m3/block_device.py`.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from edgelite_ports.common.block_storage import BlockStorage
from edgelite_ports.testing.block_device import MemoryDevice

BLOCK_BYTES = 512
BLOCK_COUNT = 512
PIECE_BYTES_MAX = 512
TICK_S = 0.2
GOOD, BAD = b"k", b"e"


class BlockServer:
    """Serves one emulator at a time at the socket `path`, which QEMU's `-serial unix:PATH` connects to."""

    def __init__(self, path: Path, block_count: int = BLOCK_COUNT) -> None:
        self.path = path
        self.device = MemoryDevice(BLOCK_BYTES, block_count)
        self.syncs = 0
        self.bytes_written = 0
        self.fails = False  # True: it answers every change with an error, as a worn-out medium does
        self.on_change: Callable[[], None] | None = None  # behind each change, in the server's thread
        self._lock = threading.Lock()
        self._is_closing = False
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._listener.settimeout(TICK_S)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def put_files(self, files: Mapping[str, bytes]) -> None:
        """Files beside the journal: what `edgelite provision` made, by their names."""
        storage = BlockStorage(self.device)
        for name, content in files.items():
            storage.create(name, len(content))
            storage.write(name, 0, content)
        storage.sync()

    def cut(self, fates: Callable[[int], list[int]] = lambda count: []) -> int:
        """The power is gone (the emulator has been killed): `fates(count)` decides over the changes that were not
        synced, as MemoryDevice.cut has it; all are lost unless told otherwise. How many there were."""
        with self._lock:
            count = self.device.unsynced_count()
            self.device = self.device.cut(fates(count))
        return count

    def close(self) -> None:
        self._is_closing = True
        self._thread.join()
        self._listener.close()
        self.path.unlink(missing_ok=True)

    def _run(self) -> None:
        while not self._is_closing:
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(TICK_S)
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        reader = _Reader(connection, lambda: self._is_closing)
        try:
            while True:
                operation = reader.read(1)
                with self._lock:
                    answer = self._answer(operation, reader)
                connection.sendall(answer)
                if self.on_change is not None and operation in b"WES":
                    self.on_change()
        except (EOFError, ConnectionError):
            return  # the emulator has ended

    def _answer(self, operation: bytes, reader: _Reader) -> bytes:
        if operation == b"I":
            return struct.pack("<II", self.device.block_bytes, self.device.block_count)
        if operation == b"R":
            offset, size = struct.unpack("<IH", reader.read(6))
            return self.device.read(offset, min(size, PIECE_BYTES_MAX))
        if operation == b"W":
            offset, size = struct.unpack("<IH", reader.read(6))
            data = reader.read(size)
            if self.fails:
                return BAD
            self.device.program(offset, data)
            self.bytes_written += size
        elif operation == b"E":
            (block,) = struct.unpack("<I", reader.read(4))
            if self.fails:
                return BAD
            self.device.erase(block)
        elif operation == b"S":
            if self.fails:
                return BAD
            self.device.sync()
            self.syncs += 1
        else:
            raise ConnectionError(f"the board asks for {operation!r}")
        return GOOD


class _Reader:
    def __init__(self, connection: socket.socket, is_closing: Callable[[], bool]) -> None:
        self._connection = connection
        self._is_closing = is_closing

    def read(self, size_bytes: int) -> bytes:
        """Exactly so many; EOFError at the end, ConnectionError where the emulator was killed."""
        found = bytearray()
        while len(found) < size_bytes:
            try:
                piece = self._connection.recv(size_bytes - len(found))
            except TimeoutError:
                if self._is_closing():
                    raise EOFError from None
                continue
            if not piece:
                raise EOFError
            found += piece
        return bytes(found)
