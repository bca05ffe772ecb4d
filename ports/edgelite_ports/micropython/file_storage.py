"""The journal's storage on files: Linux, littlefs, whatever has `open` and `os`.

One file object is kept open for each file. A new file is filled with real zeros, so that writing inside it needs
no new blocks; `flush` brings what was written to the medium. What a file system needs beyond that to keep names
(a directory's fsync on Linux) is handed in.
"""

import os

from edgelite.storage import Storage
from edgelite_ports.micropython import files
from edgelite_ports.micropython.os_errors import ENOENT, storage_error
from edgelite_protocol.errors import MisuseError, PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_FILL_BYTES = 1024
_END = 2  # whence of seek
_NAME_LENGTH_MAX = 64  # littlefs takes 255, the journal's names have 12


class FileStorage(Storage):
    """`directory` is made where it is missing. Nothing else may write there: the port holds a lock on it.
    `sync_directory(path)` makes the names in it durable; None where `flush` does that too."""

    def __init__(self, directory: str, sync_directory: "Callable[[str], None] | None" = None) -> None:
        self._directory = directory
        self._sync_directory = sync_directory
        self._files: dict[str, Any] = {}
        self._dirty: set[str] = set()
        self._names_dirty = False
        files.make_directory(directory)
        if not files.is_directory(directory):
            raise PlatformError(directory + " is no directory", "move it away")

    def close(self) -> None:
        """Nothing is synced by it."""
        for file in self._files.values():
            file.close()
        self._files = {}

    def names(self) -> "list[str]":
        try:
            return os.listdir(self._directory)
        except OSError as error:
            raise self._failure("", error)

    def size_bytes(self, name: str) -> int:
        try:
            return int(self._open(name).seek(0, _END))
        except OSError as error:
            raise self._failure(name, error)

    def create(self, name: str, size_bytes: int) -> None:
        path = self._path(name)
        if self._exists(name):
            raise MisuseError(name + " is there already")
        try:
            file = open(path, "w+b")  # noqa: SIM115 - kept open
        except OSError as error:
            raise self._failure(name, error)
        try:
            _fill(file, size_bytes)
        except OSError as error:
            file.close()
            self._unlink(name)
            raise self._failure(name, error)
        self._files[name] = file
        self._dirty.add(name)
        self._names_dirty = True

    def read(self, name: str, offset_bytes: int, size_bytes: int) -> bytes:
        file = self._open(name)
        try:
            file.seek(offset_bytes)
            data: bytes = file.read(size_bytes)
        except OSError as error:
            raise self._failure(name, error)
        return data

    def write(self, name: str, offset_bytes: int, data: "bytes | bytearray | memoryview") -> None:
        if offset_bytes < 0 or offset_bytes + len(data) > self.size_bytes(name):
            raise MisuseError("a write outside of %s" % name)
        self._dirty.add(name)
        file = self._files[name]
        try:
            file.seek(offset_bytes)
            file.write(data)
        except OSError as error:
            raise self._failure(name, error)

    def rename(self, name: str, new_name: str) -> None:
        file = self._open(name)
        try:
            os.rename(self._path(name), self._path(new_name))
        except OSError as error:
            raise self._failure(name, error)
        self._forget(new_name)
        del self._files[name]
        self._files[new_name] = file
        if name in self._dirty:
            self._dirty.remove(name)
            self._dirty.add(new_name)
        self._names_dirty = True

    def remove(self, name: str) -> None:
        self._unlink(name)
        self._forget(name)
        self._names_dirty = True

    def free_bytes(self) -> int:
        try:
            figures = os.statvfs(self._directory)
        except OSError as error:
            raise self._failure("", error)
        return figures[1] * figures[4]  # fragment size, blocks for users without privileges

    def sync(self) -> None:
        name = ""
        try:
            for name in sorted(self._dirty):
                self._files[name].flush()
                self._dirty.discard(name)
            if self._names_dirty and self._sync_directory is not None:
                name = ""
                self._sync_directory(self._directory)
            self._names_dirty = False
        except OSError as error:
            raise self._failure(name, error)

    # ---- files

    def _open(self, name: str) -> "Any":
        file = self._files.get(name)
        if file is None:
            try:
                file = self._files[name] = open(self._path(name), "r+b")  # noqa: SIM115 - kept open
            except OSError as error:
                raise self._failure(name, error)
        return file

    def _exists(self, name: str) -> bool:
        try:
            os.stat(self._path(name))
        except OSError as error:
            if error.errno == ENOENT:
                return False
            raise self._failure(name, error)
        return True

    def _forget(self, name: str) -> None:
        file = self._files.pop(name, None)
        if file is not None:
            file.close()
        self._dirty.discard(name)

    def _unlink(self, name: str) -> None:
        try:
            os.remove(self._path(name))
        except OSError as error:
            raise self._failure(name, error)

    def _path(self, name: str) -> str:
        if "/" in name or name in ("", ".", "..") or len(name) > _NAME_LENGTH_MAX:
            raise MisuseError("%r is not a file's name" % name)
        return self._directory + "/" + name

    def _failure(self, name: str, error: OSError) -> PlatformError:
        return storage_error(self._directory + "/" + name if name else self._directory, error)


def _fill(file: "Any", size_bytes: int) -> None:
    zeros = bytes(_FILL_BYTES)
    while size_bytes > 0:
        piece = zeros if size_bytes >= _FILL_BYTES else zeros[:size_bytes]
        file.write(piece)
        size_bytes -= len(piece)
