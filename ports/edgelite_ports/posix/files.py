"""Paths and small files, for the shared code on both runtimes."""

from edgelite_ports.posix import system

# Numbers of errors, the same on every Linux; MicroPython's `errno` lacks some.
EPERM, ENOENT, ESRCH, ECHILD, EAGAIN, EACCES, EEXIST = 1, 2, 3, 10, 11, 13, 17
ENOTDIR, ENOSPC, ELOOP, EDQUOT = 20, 28, 40, 122
_KIND_MASK, _DIRECTORY, _FILE = 0xF000, 0x4000, 0x8000
_READ_BYTES = 4096
_SMALL_BYTES = 1024  # a line of /proc/PID/stat has at most 700; read often, so no more than that is allocated


def reason(error: OSError) -> str:
    """What an error means, for a person."""
    return system.strerror(error.errno or 0)


def text_of(data: bytes) -> str:
    """Bytes that somebody else wrote, for a person: what is no UTF-8 becomes a question mark a byte."""
    try:
        return data.decode()
    except UnicodeError:
        return "".join([chr(byte) if 32 <= byte < 127 or byte == 10 else "?" for byte in data])


# ---- paths


def join(*parts: str) -> str:
    """One path of these; an absolute one starts anew."""
    path = ""
    for part in parts:
        if part.startswith("/") or not path:
            path = part
        else:
            path = path + part if path.endswith("/") else path + "/" + part
    return path


def parent(path: str) -> str:
    """ "" for a name without a directory, "/" for one in the root."""
    head = path.rpartition("/")[0].rstrip("/")
    return head or ("/" if path.startswith("/") else "")


def base(path: str) -> str:
    return path.rpartition("/")[2]


def normal(path: str) -> str:
    """Without "." and "..", as the text says it (links are not looked at)."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part == ".." and path.startswith("/"):
            continue
        elif part not in ("", "."):
            parts.append(part)
    return ("/" if path.startswith("/") else "") + "/".join(parts) or "."


# ---- what is there


def is_directory(path: str) -> bool:
    return _kind(path) == _DIRECTORY


def is_file(path: str) -> bool:
    return _kind(path) == _FILE


def kind_of_mode(mode: int) -> int:
    return mode & _KIND_MASK


def is_file_mode(mode: int) -> bool:
    return mode & _KIND_MASK == _FILE


def exists(path: str) -> bool:
    return _kind(path) != 0


def is_there(path: str) -> bool:
    """Also where it is a link that leads nowhere."""
    try:
        system.lstat(path)
    except OSError:
        return False
    return True


def _kind(path: str) -> int:
    try:
        return system.stat(path).st_mode & _KIND_MASK
    except OSError:
        return 0


def size_bytes(path: str, missing: int = 0) -> int:
    """`missing` where there is no such file. OSError."""
    try:
        return system.stat(path).st_size
    except OSError as error:
        if error.errno != ENOENT:
            raise
        return missing


def names(directory: str) -> "list[str]":
    """Sorted; none where there is no such directory. OSError."""
    try:
        return sorted(system.listdir(directory))
    except OSError as error:
        if error.errno not in (ENOENT, ENOTDIR):
            raise
        return []


# ---- small files


def read_small(path: str, size_bytes_max: int = _SMALL_BYTES) -> bytes:
    """At most so much of a file, in one piece. OSError."""
    descriptor = system.open(path, system.O_RDONLY | system.O_CLOEXEC)
    try:
        return system.read(descriptor, size_bytes_max)
    finally:
        system.close(descriptor)


def read_if_there(path: str) -> bytes:
    """The same; b"" where it is not there."""
    try:
        return read_small(path)
    except OSError as error:
        if error.errno != ENOENT:
            raise
        return b""


def read_whole(path: str) -> bytes:
    """All of a file; b"" where it is not there. OSError."""
    try:
        descriptor = system.open(path, system.O_RDONLY | system.O_CLOEXEC)
    except OSError as error:
        if error.errno != ENOENT:
            raise
        return b""
    try:
        pieces = []
        while piece := system.read(descriptor, _READ_BYTES):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        system.close(descriptor)


def write_private(path: str, data: bytes) -> None:
    """A file that its owner alone may read. OSError."""
    descriptor = system.open(path, system.O_WRONLY | system.O_CREAT | system.O_TRUNC | system.O_CLOEXEC, 0o600)
    try:
        write_all(descriptor, data)
    finally:
        system.close(descriptor)


def write_durably(path: str, data: bytes) -> None:
    """After a power cut there is the old one or the new one, whole. Blocks. OSError."""
    descriptor = system.open(path + ".new", system.O_WRONLY | system.O_CREAT | system.O_TRUNC | system.O_CLOEXEC, 0o600)
    try:
        write_all(descriptor, data)
        system.fsync(descriptor)
    finally:
        system.close(descriptor)
    system.rename(path + ".new", path)
    sync_directory(parent(path))


def sync_directory(path: str) -> None:
    """Make the names in it durable. OSError."""
    descriptor = system.open(path or ".", system.O_RDONLY | system.O_DIRECTORY | system.O_CLOEXEC)
    try:
        system.fsync(descriptor)
    finally:
        system.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while len(view):
        view = view[system.write(descriptor, view) :]


def unlink_if_there(path: str) -> None:
    try:
        system.unlink(path)
    except OSError as error:
        if error.errno != ENOENT:
            raise


def make_directories(path: str) -> None:
    """Make it, for its owner alone, with what is missing above it. OSError."""
    if is_directory(path):
        return
    above = parent(path)
    if above not in ("", "/"):
        make_directories(above)
    try:
        system.mkdir(path, 0o700)
    except OSError as error:
        if error.errno != EEXIST or not is_directory(path):
            raise


def remove_tree(path: str) -> None:
    """Remove a directory with all that is in it, following no link. What is not there is fine; OSError otherwise.

    May take long; the agent runs it on the worker. Iterative, because a workload may nest as deep as it likes, and in
    bytes, because it may name its files as it likes.
    """
    pending = [system.encode(path)]
    while pending:
        directory = pending[-1]
        subdirectories = _remove_files(directory)
        if subdirectories:
            pending.extend(subdirectories)
        else:
            pending.pop()
            _remove_directory(directory)


def _remove_files(directory: bytes) -> "list[bytes]":
    """Remove everything but the subdirectories; give their paths."""
    try:
        entries = system.entries(directory)
    except OSError as error:
        if error.errno not in (ENOENT, ENOTDIR):
            raise
        return []
    subdirectories = []
    for name, is_directory_itself in entries:
        entry = directory + b"/" + name
        if is_directory_itself:
            system.chmod(entry, 0o700)
            subdirectories.append(entry)
        else:
            system.unlink(entry)
    return subdirectories


def _remove_directory(directory: bytes) -> None:
    try:
        system.rmdir(directory)
    except OSError as error:
        if error.errno != ENOENT:
            raise
