"""Small files, whole: read with a bound, written so that a power cut leaves the old or the new one."""

import os

from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def read_bytes(path: str, size_bytes_max: int) -> bytes:
    """All of it; PlatformError where it can't be read or is larger than `size_bytes_max`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise PlatformError("cannot read " + path + ": " + str(error.strerror)) from error
    try:
        data = b"".join(_pieces(descriptor, size_bytes_max + 1))
    except OSError as error:
        raise PlatformError("cannot read " + path + ": " + str(error.strerror)) from error
    finally:
        os.close(descriptor)
    if len(data) > size_bytes_max:
        raise PlatformError(path + " has more than %d bytes" % size_bytes_max)
    return data


def is_missing(path: str) -> bool:
    """Whether it is certainly not there. Of one that we may not look at, reading it tells why."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _pieces(descriptor: int, size_bytes_max: int) -> "Iterator[bytes]":
    while size_bytes_max > 0:
        piece = os.read(descriptor, size_bytes_max)
        if not piece:
            return
        size_bytes_max -= len(piece)
        yield piece


def write_atomically(path: str, data: bytes, mode: int = 0o600) -> None:
    """A temporary file, fsync, rename, fsync of the directory. Blocks. PlatformError."""
    temporary = path + ".new"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        try:
            os.fchmod(descriptor, mode)
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
        sync_directory(os.path.dirname(path))
    except OSError as error:
        raise PlatformError("cannot write " + path + ": " + str(error.strerror)) from error


def sync_directory(path: str) -> None:
    """Make the names in it durable. OSError."""
    descriptor = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: str) -> None:
    """Make it, for its owner alone, with what is missing above it; PlatformError."""
    try:
        os.makedirs(path, 0o700, exist_ok=True)
    except OSError as error:
        raise PlatformError("cannot make " + path + ": " + str(error.strerror), "check its owner and mode") from error
