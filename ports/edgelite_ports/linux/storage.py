"""The journal's storage on a Linux file system: one directory, one descriptor kept open for each file.

A new file is filled with real zeros, so that a later fdatasync of what is written inside it has data to bring to
the medium and no metadata.
"""

import errno
import fcntl
import os

from edgelite.storage import Storage, StorageFullError
from edgelite_protocol.errors import MisuseError, PlatformError

# The page cache keeps what one write brought in one piece and calls it dirty (and counts it as written) as a whole.
_FILL_BYTES = 4096


class FileStorage(Storage):
    """Holds the directory (mode 0700, made if it is missing) locked as long as it is open, so that no two agents
    ever write one journal. `sync` may run in another thread."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._descriptors: dict[str, int] = {}
        self._dirty: set[int] = set()  # descriptors written to since they were last synced
        self._read_ahead: set[int] = set()
        self._syncing = False
        self._retired: list[int] = []  # to be closed when the sync in the other thread is done with them
        self._names_dirty = False
        self._directory_fd = self._open_directory()

    def _open_directory(self) -> int:
        try:
            os.makedirs(self._directory, 0o700, exist_ok=True)
            descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileExistsError as error:
            raise PlatformError(self._directory + " is no directory", "move it away") from error
        except OSError as error:
            raise self._failure("", error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise PlatformError(
                "%s is in use by another agent" % self._directory, "stop that one first, or give this one --state"
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise self._failure("", error) from error
        return descriptor

    def close(self) -> None:
        """Nothing is synced by it."""
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors = {}
        if self._directory_fd >= 0:
            os.close(self._directory_fd)
            self._directory_fd = -1

    def names(self) -> list[str]:
        try:
            return os.listdir(self._directory_fd)
        except OSError as error:
            raise self._failure("", error) from error

    def size_bytes(self, name: str) -> int:
        try:
            return os.fstat(self._open(name)).st_size
        except OSError as error:
            raise self._failure(name, error) from error

    def create(self, name: str, size_bytes: int) -> None:
        try:
            descriptor = self._open_at(name, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        except FileExistsError as error:
            raise MisuseError(name + " is there already") from error
        except OSError as error:
            raise self._failure(name, error) from error
        try:
            self._fill(descriptor, size_bytes)
        except OSError as error:
            os.close(descriptor)
            self._unlink(name)
            raise self._failure(name, error) from error
        self._descriptors[name] = descriptor
        self._dirty.add(descriptor)
        self._names_dirty = True

    def _fill(self, descriptor: int, size_bytes: int) -> None:
        zeros = bytes(_FILL_BYTES)
        offset = 0
        while offset < size_bytes:
            offset += os.pwrite(descriptor, zeros[: size_bytes - offset], offset)

    def read(self, name: str, offset_bytes: int, size_bytes: int) -> bytes:
        try:
            return os.pread(self._open(name), size_bytes, offset_bytes)
        except OSError as error:
            raise self._failure(name, error) from error

    def write(self, name: str, offset_bytes: int, data: "bytes | bytearray | memoryview") -> None:
        if offset_bytes < 0 or offset_bytes + len(data) > self.size_bytes(name):
            raise MisuseError("a write outside of %s" % name)
        view = memoryview(data)
        descriptor = self._open(name)
        self._forget_pages(descriptor)
        try:
            while len(view):
                written = os.pwrite(descriptor, view, offset_bytes)
                view = view[written:]
                offset_bytes += written
        except OSError as error:
            raise self._failure(name, error) from error
        finally:
            self._dirty.add(descriptor)  # only now: a sync that is going on must not take it for done

    def _forget_pages(self, descriptor: int) -> None:
        """Before the first write to a file that was read: recovery's reading ahead left large pieces in the cache,
        which take memory, and would count as dirty as a whole."""
        if descriptor not in self._read_ahead:
            return
        self._read_ahead.discard(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def rename(self, name: str, new_name: str) -> None:
        descriptor = self._open(name)
        try:
            os.rename(name, new_name, src_dir_fd=self._directory_fd, dst_dir_fd=self._directory_fd)
        except OSError as error:
            raise self._failure(name, error) from error
        self._forget(new_name)
        self._descriptors[new_name] = descriptor
        del self._descriptors[name]
        self._names_dirty = True

    def remove(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self._directory_fd)
        except OSError as error:
            raise self._failure(name, error) from error
        self._forget(name)
        self._names_dirty = True

    def free_bytes(self) -> int:
        try:
            figures = os.statvfs(self._directory_fd)
        except OSError as error:
            raise self._failure("", error) from error
        return figures.f_bavail * figures.f_frsize

    def sync(self) -> None:
        self._syncing = True
        dirty, self._dirty = self._dirty, set()
        names_dirty, self._names_dirty = self._names_dirty, False
        descriptor = -1
        try:
            for descriptor in dirty:
                os.fdatasync(descriptor)
            descriptor = self._directory_fd
            if names_dirty:
                os.fsync(descriptor)
        except OSError as error:
            self._dirty |= dirty
            self._names_dirty = self._names_dirty or names_dirty
            raise self._failure(self._name_of(descriptor), error) from error
        finally:
            self._syncing = False
            while self._retired:
                descriptor = self._retired.pop()
                self._dirty.discard(descriptor)
                os.close(descriptor)

    def _name_of(self, descriptor: int) -> str:
        for name, other in list(self._descriptors.items()):
            if other == descriptor:
                return name
        return ""

    # ---- descriptors

    def _open(self, name: str) -> int:
        descriptor = self._descriptors.get(name)
        if descriptor is None:
            try:
                descriptor = self._open_at(name, os.O_RDWR)
            except OSError as error:
                raise self._failure(name, error) from error
            self._descriptors[name] = descriptor
            self._read_ahead.add(descriptor)
        return descriptor

    def _open_at(self, name: str, flags: int) -> int:
        if "/" in name or name in ("", ".", ".."):
            raise MisuseError("%r is not a file's name" % name)
        return os.open(name, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600, dir_fd=self._directory_fd)

    def _forget(self, name: str) -> None:
        """Close the file, but never under a sync's hands: what is not dirty any more before the flag is read is no
        part of a sync that begins later."""
        descriptor = self._descriptors.pop(name, None)
        if descriptor is None:
            return
        self._dirty.discard(descriptor)
        self._read_ahead.discard(descriptor)
        if self._syncing:
            self._retired.append(descriptor)
        else:
            os.close(descriptor)

    def _unlink(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self._directory_fd)
        except OSError as error:
            raise self._failure(name, error) from error

    def _failure(self, name: str, error: OSError) -> PlatformError:
        path = os.path.join(self._directory, name) if name else self._directory
        text = "%s: %s" % (path, os.strerror(error.errno or 0))
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return StorageFullError(text, "free some space on this file system; nothing that was stored is lost")
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return PlatformError(text, "the agent must own this directory and its file system must be writable")
        if error.errno == errno.EIO:
            return PlatformError(text, "the medium fails; replace it and join the node again")
        return PlatformError(text)
