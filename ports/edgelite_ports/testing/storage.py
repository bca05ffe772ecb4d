"""A flash in memory that fails the way flashes do.

Faults have names. Torn: a write gets only partly to the medium. Reordered: of the writes since the last sync, later
ones get there and earlier ones do not. Lost: none of the last ones does. Those three are `cut`, which gives the
storage that the next start finds; the choice of what survives is the caller's, so that a test can go through all of
them. Two writes to one place keep their order, as they do in every cache between here and the cells. `bit_flip` is
bit_flipped; `size_bytes_max` brings enospc; `reads_fail`, `writes_fail` and `syncs_fail` are eio.
"""

from edgelite.storage import Storage, StorageFullError
from edgelite_protocol.errors import MisuseError, PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# What an operation since the last sync was: (name of the operation, file, argument, data)
_CREATE = "create"
_WRITE = "write"
_RENAME = "rename"
_REMOVE = "remove"

# What becomes of an operation when the power is cut.
KEPT = -1
LOST = -2  # a number >= 0: torn, only that many of its bytes got to the medium


class MemoryStorage(Storage):
    """It holds the files as they are read now, and for each change since the last sync what was there before, so that
    a sync costs nothing and a power cut can take changes back."""

    def __init__(self, size_bytes_max: int = 1 << 30) -> None:
        self._files: dict[str, _File] = {}
        self._unsynced: list[tuple[str, str, object, bytes]] = []
        self._before: list[object] = []  # for each of those: the bytes, or the file, that it took the place of
        self._size_bytes_max = size_bytes_max
        self.operations = 0  # how many changes were made, for tests that cut at each of them
        self.bytes_written = 0
        self.syncs = 0
        self.reads_fail: str | None = None  # eio: the text that each read, write or sync of the kind fails with
        self.writes_fail: str | None = None
        self.syncs_fail: str | None = None
        self.after_change: Callable[[], None] | None = None  # called behind each change, to cut the power there

    # ---- the contract

    def names(self) -> "list[str]":
        self._fail("directory", self.reads_fail)
        return list(self._files.keys())

    def size_bytes(self, name: str) -> int:
        return self._file(name).size_bytes

    def create(self, name: str, size_bytes: int) -> None:
        if name in self._files:
            raise MisuseError(name + " is there already")
        self._fail(name, self.writes_fail)
        if size_bytes > self.free_bytes():
            raise StorageFullError("no room for " + name, "free some space or give the journal a smaller size")
        self._files[name] = _File(size_bytes)
        self._changed((_CREATE, name, size_bytes, b""), None)

    def read(self, name: str, offset_bytes: int, size_bytes: int) -> bytes:
        self._fail(name, self.reads_fail)
        return self._file(name).read(offset_bytes, size_bytes)

    def write(self, name: str, offset_bytes: int, data: "bytes | bytearray | memoryview") -> None:
        self._fail(name, self.writes_fail)
        file = self._file(name)
        if offset_bytes < 0 or offset_bytes + len(data) > file.size_bytes:
            raise MisuseError("a write to %s outside of its %d bytes" % (name, file.size_bytes))
        data = bytes(data)
        before = file.replace(offset_bytes, data)
        self.bytes_written += len(data)
        self._changed((_WRITE, name, offset_bytes, data), before)

    def rename(self, name: str, new_name: str) -> None:
        self._fail(name, self.writes_fail)
        file = self._file(name)
        del self._files[name]
        replaced = self._files.get(new_name)
        self._files[new_name] = file
        self._changed((_RENAME, name, new_name, b""), replaced)

    def remove(self, name: str) -> None:
        self._fail(name, self.writes_fail)
        file = self._file(name)
        del self._files[name]
        self._changed((_REMOVE, name, None, b""), file)

    def free_bytes(self) -> int:
        return self._size_bytes_max - sum([file.size_bytes for file in self._files.values()])

    def sync(self) -> None:
        self._fail("sync", self.syncs_fail)
        self._make_durable(len(self._unsynced))

    # ---- faults

    def unsynced_count(self) -> int:
        return len(self._unsynced)

    def unsynced_bytes(self, index: int) -> int:
        """The size of that unsynced write; 0 for another operation, which is never torn."""
        return len(self._unsynced[index][3])

    def cut(self, fates: "list[int | tuple[int, int]] | None" = None) -> "MemoryStorage":
        """The power goes: what the next start finds. `fates` gives for each unsynced operation, oldest first, one of
        KEPT, LOST, how many of its bytes got there, or (start, end) of those that alone did not; an operation that it
        does not reach is lost."""
        after = self.reopen()
        after._lose_power(fates or [])
        return after

    def reopen(self) -> "MemoryStorage":
        """The process dies and the system lives on: everything written is there, nothing more is durable."""
        after = MemoryStorage(self._size_bytes_max)
        after._files = {name: file.copy() for name, file in self._files.items()}
        after._unsynced = list(self._unsynced)
        after._before = list(self._before)
        return after

    def bit_flip(self, name: str, offset_bytes: int, bit: int) -> None:
        """bit_flipped: on the medium itself, unseen by anyone."""
        self._file(name).flip(offset_bytes, bit)
        for index, (kind, written, offset, data) in enumerate(self._unsynced):
            if kind == _WRITE and written == name and 0 <= offset_bytes - offset < len(data):  # type: ignore[operator]
                before = _File(len(data), self._before[index])  # type: ignore[arg-type]
                before.flip(offset_bytes - offset, bit)  # type: ignore[operator]
                self._before[index] = before.read(0, len(data))
                return  # later ones find it flipped no more: what they wrote over was written after the sync

    def _changed(self, operation: "tuple[str, str, object, bytes]", before: object) -> None:
        self.operations += 1
        self._unsynced.append(operation)
        self._before.append(before)
        if self.after_change is not None:
            self.after_change()

    def _make_durable(self, count: int) -> None:
        """The oldest so many of the unsynced operations."""
        self._unsynced = self._unsynced[count:]
        self._before = self._before[count:]
        self.syncs += 1

    def _lose_power(self, fates: "list[int | tuple[int, int]]") -> None:
        """Become what the medium holds: nothing that is unsynced, but for what `fates` lets survive."""
        for index in range(len(self._unsynced) - 1, -1, -1):
            self._take_back(self._unsynced[index], self._before[index])
        self._taken_back()
        medium = _Medium(self._files)
        for index, operation in enumerate(self._unsynced):
            medium.take(operation, fates[index] if index < len(fates) else LOST)
        self._unsynced = []
        self._before = []

    def _taken_back(self) -> None:
        """The files are as the last sync left them: where a storage knows better what the medium holds, it says so."""

    def _take_back(self, operation: "Any", before: "Any") -> None:
        kind, name, argument, data = operation
        if kind == _WRITE:
            self._files[name].replace(argument, before + bytes(len(data) - len(before)))
        elif kind == _CREATE:
            del self._files[name]
        elif kind == _RENAME:
            self._files[name] = self._files.pop(argument)
            if before is not None:
                self._files[argument] = before.copy()
        else:
            self._files[name] = before.copy()  # a storage that this one was reopened from may have it too

    def _fail(self, name: str, text: "str | None") -> None:
        if text is not None:
            raise PlatformError(name + ": " + text)

    def _file(self, name: str) -> "_File":
        file = self._files.get(name)
        if file is None:
            raise PlatformError(name + ": no such file")
        return file


class _File:
    """A file of a fixed size. The zeros behind the last place that was ever written to are not held: most of a
    journal's files are mostly that."""

    def __init__(self, size_bytes: int, held: "bytes | bytearray" = b"") -> None:
        self.size_bytes = size_bytes
        self._held = bytearray(held)

    def read(self, offset_bytes: int, size_bytes: int) -> bytes:
        end_bytes = min(offset_bytes + size_bytes, self.size_bytes)
        data = bytes(memoryview(self._held)[offset_bytes:end_bytes])
        missing_bytes = end_bytes - offset_bytes - len(data)
        return data + bytes(missing_bytes) if missing_bytes > 0 else data

    def replace(self, offset_bytes: int, data: bytes) -> bytes:
        """Write; what was there, without the zeros that are not held."""
        held = self._held
        end_bytes = offset_bytes + len(data)
        before = bytes(held[offset_bytes:end_bytes])
        if end_bytes > len(held):
            held.extend(bytes(end_bytes - len(held)))
        held[offset_bytes:end_bytes] = data
        return before

    def flip(self, offset_bytes: int, bit: int) -> None:
        self.replace(offset_bytes, bytes([self.read(offset_bytes, 1)[0] ^ 1 << bit]))

    def data_bytes(self) -> int:
        """How much of it holds data, from its start: nothing but zeros follows."""
        return len(bytes(self._held).rstrip(b"\0"))

    def copy(self) -> "_File":
        return _File(self.size_bytes, self._held)


class _Medium:
    """The files as the medium has them, while operations get there or do not. `_names` maps what a file is called in
    the course of the operations to what it is called on the medium, where a rename before may have been lost: data
    goes to the file, whatever its name."""

    def __init__(self, files: "dict[str, _File]") -> None:
        self._files = files
        self._names = {name: name for name in files}

    def take(self, operation: "tuple[str, str, object, bytes]", fate: "int | tuple[int, int]") -> None:
        kind, name, argument, data = operation
        if kind == _WRITE:
            assert isinstance(argument, int)
            self._write(self._names.get(name, name), argument, data, fate)
        elif kind == _CREATE:
            assert isinstance(argument, int)
            self._names[name] = name
            if fate != LOST:
                self._files[name] = _File(argument)
        elif kind == _RENAME:
            assert isinstance(argument, str)
            self._rename(self._names.pop(name, name), argument, fate)
        elif fate != LOST:
            self._files.pop(self._names.pop(name, name), None)

    def _write(self, name: str, offset: int, data: bytes, fate: "int | tuple[int, int]") -> None:
        file = self._files.get(name)
        if file is not None:
            for start, end in _spans_that_survive(fate, len(data)):
                file.replace(offset + start, data[start:end])

    def _rename(self, name: str, new_name: str, fate: "int | tuple[int, int]") -> None:
        self._names[new_name] = name
        if fate != LOST and name in self._files:
            self._files[new_name] = self._files.pop(name)
            self._names[new_name] = new_name


def _spans_that_survive(fate: "int | tuple[int, int]", size_bytes: int) -> "list[tuple[int, int]]":
    if isinstance(fate, tuple):
        return [(0, min(fate[0], size_bytes)), (min(fate[1], size_bytes), size_bytes)]
    return [(0, size_bytes if fate == KEPT else min(max(fate, 0), size_bytes))]
