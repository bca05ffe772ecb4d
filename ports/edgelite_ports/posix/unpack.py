"""Unpacks an artifact's archive into a new directory, following no link and trusting nothing in it."""

from edgelite.ustar import BLOCK_BYTES, DIRECTORY, SYMLINK, Reader, UstarError, blocks_of
from edgelite_ports.posix import system
from edgelite_ports.posix.files import EEXIST, ENOTDIR, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgelite.ustar import Entry

_DIRECTORY_FLAGS = system.O_RDONLY | system.O_DIRECTORY | system.O_NOFOLLOW | system.O_CLOEXEC
_FILE_FLAGS = system.O_WRONLY | system.O_CREAT | system.O_EXCL | system.O_NOFOLLOW | system.O_CLOEXEC
_COPY_BLOCKS = 32  # 16 KiB at a time


def unpack(archive: int, directory: str) -> None:
    """Unpack the archive that the descriptor `archive` reads from its place on; `directory` is empty.

    UstarError where an entry may not be, OSError where the disk fails; what was unpacked until then stays.
    """
    for _ in unpack_steps(archive, directory):
        pass


def unpack_steps(archive: int, directory: str) -> "Iterator[None]":
    """The same, a few kilobytes a step."""
    root = system.open(directory, _DIRECTORY_FLAGS)
    try:
        yield from _unpack_entries(archive, root)
    finally:
        system.close(root)


def _unpack_entries(archive: int, root: int) -> "Iterator[None]":
    reader = Reader()
    while block := system.read(archive, BLOCK_BYTES):
        entry = reader.header(block)
        if entry is not None:
            yield from _unpack_entry(archive, root, entry)
    reader.finish()


def _unpack_entry(archive: int, root: int, entry: "Entry") -> "Iterator[None]":
    parts = entry.path.split("/")
    try:
        parent = _open_directory(root, parts[:-1])
        try:
            yield from _make_entry(archive, parent, parts[-1], entry)
        finally:
            system.close(parent)
    except OSError as error:
        if error.errno == ENOTDIR:  # what O_NOFOLLOW with O_DIRECTORY says of a link too
            raise UstarError("ustar_path", entry.path + ": leads through a link or a file") from error
        if error.errno == EEXIST:
            raise UstarError("ustar_path", entry.path + ": is in the archive twice") from error
        raise


def _make_entry(archive: int, parent: int, name: str, entry: "Entry") -> "Iterator[None]":
    if entry.kind == DIRECTORY:
        _make_directory(parent, name)
    elif entry.kind == SYMLINK:
        system.symlink(entry.target, name, dir_fd=parent)
    else:
        yield from _unpack_file(archive, parent, name, entry)
    yield


def _open_directory(root: int, parts: "list[str]") -> int:
    """The directory of that path below `root`, made where it is missing."""
    parent = system.dup(root)
    for part in parts:
        try:
            _make_directory(parent, part)
            child = system.open(part, _DIRECTORY_FLAGS, dir_fd=parent)
        finally:
            system.close(parent)
        parent = child
    return parent


def _make_directory(parent: int, name: str) -> None:
    """Ours to read, write and enter whatever the archive says, or nothing could be put into it or removed."""
    if name == ".":
        return
    try:
        system.mkdir(name, 0o755, dir_fd=parent)
    except OSError as error:
        if error.errno != EEXIST:
            raise
        system.close(system.open(name, _DIRECTORY_FLAGS, dir_fd=parent))  # a directory may come after what is in it


def _unpack_file(archive: int, parent: int, name: str, entry: "Entry") -> "Iterator[None]":
    descriptor = system.open(name, _FILE_FLAGS, 0o600, dir_fd=parent)
    try:
        yield from _copy(archive, descriptor, entry)
        system.fchmod(descriptor, entry.mode | 0o200)
    finally:
        system.close(descriptor)


def _copy(archive: int, target: int, entry: "Entry") -> "Iterator[None]":
    size_left, blocks_left = entry.size_bytes, blocks_of(entry)
    while blocks_left:
        blocks = min(blocks_left, _COPY_BLOCKS)
        data = read_exactly(archive, blocks * BLOCK_BYTES)
        if len(data) < blocks * BLOCK_BYTES:
            raise UstarError("ustar_truncated", entry.path + " ends early")
        content = data[:size_left]
        if any(data[len(content) :]):
            raise UstarError("ustar_padding", entry.path + ": something is hidden behind its end")
        write_all(target, content)
        size_left -= len(content)
        blocks_left -= blocks
        yield


def read_exactly(descriptor: int, size_bytes: int) -> bytes:
    """So many bytes, fewer at the end only."""
    pieces = []
    while size_bytes:
        piece = system.read(descriptor, size_bytes)
        if not piece:
            break
        pieces.append(piece)
        size_bytes -= len(piece)
    return b"".join(pieces)
