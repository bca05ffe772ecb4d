"""Small files, whole: read with a bound, written so that a power cut leaves the old or the new one.

`flush` brings a file's data to the medium here, unlike in CPython. A file system that keeps names in order with
that (littlefs) needs nothing more; on Linux the port hands in `sync_directory`.
"""

import os

from edgelite_ports.micropython.os_errors import EEXIST, ENOENT, ENOTDIR, describe, storage_error
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PIECE_BYTES = 1024
_KIND_MASK = 0xF000
_DIRECTORY = 0x4000


def read_bytes(path: str, size_bytes_max: int) -> bytes:
    """All of it; PlatformError where it can't be read or is larger than `size_bytes_max`."""
    try:
        with open(path, "rb") as file:
            data = b"".join(_pieces(file, size_bytes_max + 1))
    except OSError as error:
        raise PlatformError("cannot read " + path + ": " + describe(error.errno or 0))
    if len(data) > size_bytes_max:
        raise PlatformError(path + " has more than %d bytes" % size_bytes_max)
    return data


def _pieces(file: "Any", size_bytes_max: int) -> "list[bytes]":
    """MicroPython's `read` takes the memory that it is asked for, whatever there is to read."""
    pieces: list[bytes] = []
    while size_bytes_max > 0:
        piece = file.read(min(size_bytes_max, _PIECE_BYTES))
        if not piece:
            break
        size_bytes_max -= len(piece)
        pieces.append(piece)
    return pieces


def is_missing(path: str) -> bool:
    """Whether it is certainly not there. Of one that we may not look at, reading it tells why."""
    try:
        os.stat(path)
    except OSError as error:
        return error.errno in (ENOENT, ENOTDIR)
    return False


def is_directory(path: str) -> bool:
    try:
        return os.stat(path)[0] & _KIND_MASK == _DIRECTORY
    except OSError:
        return False


def write_atomically(path: str, data: bytes, sync_directory: "Callable[[str], None] | None" = None) -> None:
    """A temporary file, made durable, renamed. Blocks. PlatformError, StorageFullError."""
    temporary = path + ".new"
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
        os.rename(temporary, path)
        if sync_directory is not None:
            sync_directory(parent(path))
    except OSError as error:
        raise storage_error(path, error)


def make_directory(path: str) -> None:
    """Make it with what is missing above it; PlatformError."""
    if is_directory(path):
        return
    above = parent(path)
    if above not in ("", "/", path):
        make_directory(above)
    try:
        os.mkdir(path)
    except OSError as error:
        if error.errno != EEXIST:
            raise PlatformError("cannot make " + path + ": " + describe(error.errno or 0))


def parent(path: str) -> str:
    """ "" for a name without a directory, "/" for one in the root."""
    head = path.rstrip("/").rpartition("/")[0]
    return head or ("/" if path.startswith("/") else "")
