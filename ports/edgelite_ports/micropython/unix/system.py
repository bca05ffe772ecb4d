"""What the shared code for processes (edgelite_ports.posix) asks of the system, under MicroPython on Linux: calls of
the C library.

linux/system.py has the same names with the same meaning. Figures that differ by architecture are found out where they
are needed; offsets are passed as 64 bits by the functions that take them so everywhere.
"""

import os
import struct
import time
from array import array

import uctypes  # type: ignore[import-not-found]

from edgelite_ports.micropython.os_errors import describe
from edgelite_ports.micropython.unix import libc
from edgelite_ports.micropython.unix.libc import (
    O_CLOEXEC,
    O_CREAT,
    O_EXCL,
    O_NONBLOCK,
    O_RDONLY,
    O_RDWR,
    O_TRUNC,
    O_WRONLY,
    check,
    close,
    fsync,
    function,
    lock,
    read,
    write,
)

# fmt: off
__all__ = [
    "O_CLOEXEC", "O_CREAT", "O_DIRECTORY", "O_EXCL", "O_NOFOLLOW", "O_NONBLOCK", "O_RDONLY", "O_RDWR", "O_TRUNC",
    "O_WRONLY", "chmod", "close", "dup", "encode", "entries", "fchmod", "fstat", "fsync", "ftruncate",
    "is_executable", "is_inheritable", "kill", "killpg", "listdir", "lock", "lseek", "lstat", "machine", "mkdir",
    "mkfifo", "open", "open_line", "pidfd_open", "pread", "pwrite", "read", "rename", "rmdir", "sendfile", "sleep_ms",
    "spawn", "stat", "strerror", "symlink", "sync", "unlink", "wait", "wait_if_ended", "write",
]
# fmt: on

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Path = str | bytes

EINVAL = 22
_AT_FDCWD = -100
_AT_EMPTY_PATH, _AT_SYMLINK_NOFOLLOW = 0x1000, 0x100
_STATX_BYTES, _STATX_BASIC = 256, 0x7FF  # statx(2): its structure is the same on every architecture
_F_GETFD, _FD_CLOEXEC = 1, 1
_X_OK = 1
_PIDFD_OPEN = 434  # the same number on every architecture
_WNOHANG = 1
_DIRECTORY_TYPE, _TYPE_MASK = 0x4000, 0xF000
_ARM_MACHINES = (40, 183)  # ELF's e_machine: arm, aarch64
_SPAWN_SETSIGDEF, _SPAWN_SETSIGMASK, _SPAWN_SETSID = 0x04, 0x08, 0x80
_SPAWN_BYTES = 512  # posix_spawnattr_t has 336, posix_spawn_file_actions_t 80
_SIGNAL_SET_BYTES = 128
_SIGNALS = 0x7FFFFFFF & ~(1 << 8) & ~(1 << 18)  # 1 to 31, but SIGKILL and SIGSTOP, which have no action


def _is_arm() -> bool:
    """Of this very program, which may be another than the kernel's."""
    with open_file("/proc/self/exe", "rb") as file:
        head = file.read(20)
    return head[18] | head[19] << 8 in _ARM_MACHINES


open_file = open
O_DIRECTORY, O_NOFOLLOW = (0o40000, 0o100000) if _is_arm() else (0o200000, 0o400000)

_functions: "dict[str, Any]" = {}  # by name; each is made when it is first called


def _call(name: str, types: str, *values: "Any") -> int:
    """A function that gives an int, or -1 and an errno."""
    if name not in _functions:
        _functions[name] = function("i", name, types)
    return check(_functions[name](*values))


def _call_long(name: str, types: str, *values: "Any") -> int:
    """The same, of one that gives a size or an offset."""
    if name not in _functions:
        _functions[name] = with_wide_offsets("l", name, types)
    return check(_functions[name](*values))


def with_wide_offsets(result: str, name: str, types: str) -> "Any":
    """The C library's NAME64; where it has none (musl), NAME itself takes 64 bits."""
    try:
        return function(result, name, types)
    except OSError:
        if not name.endswith("64"):
            raise
        return function(result, name[:-2], types)


def _c_text(path: "Path") -> bytes:
    data = path.encode() if isinstance(path, str) else path
    if b"\0" in data:
        raise OSError(EINVAL)
    return data + b"\0"


def _place(descriptor: "int | None") -> int:
    return _AT_FDCWD if descriptor is None else descriptor


# ---- descriptors


def open(path: "Path", flags: int, mode: int = 0o777, dir_fd: "int | None" = None) -> int:
    return _call("openat", "iPii", _place(dir_fd), _c_text(path), flags | O_CLOEXEC, mode)


def pread(descriptor: int, size_bytes_max: int, offset_bytes: int) -> bytes:
    buffer = bytearray(size_bytes_max)
    size_bytes = _call_long("pread64", "ipLq", descriptor, buffer, size_bytes_max, offset_bytes)
    return bytes(memoryview(buffer)[:size_bytes])


def pwrite(descriptor: int, data: "bytes | memoryview", offset_bytes: int) -> int:
    return _call_long("pwrite64", "iPLq", descriptor, data, len(data), offset_bytes)


def lseek(descriptor: int, offset_bytes: int, whence: int) -> int:
    if "lseek64" not in _functions:
        _functions["lseek64"] = with_wide_offsets("q", "lseek64", "iqi")
    return check(_functions["lseek64"](descriptor, offset_bytes, whence))


def sendfile(target: int, source: int, offset_bytes: int, size_bytes: int) -> int:
    return _call_long("sendfile64", "iiPL", target, source, struct.pack("<q", offset_bytes), size_bytes)


def ftruncate(descriptor: int, size_bytes: int) -> None:
    if "ftruncate64" not in _functions:
        _functions["ftruncate64"] = with_wide_offsets("i", "ftruncate64", "iq")
    check(_functions["ftruncate64"](descriptor, size_bytes))


def dup(descriptor: int) -> int:
    return _call("fcntl", "iii", descriptor, 1030, 0)  # F_DUPFD_CLOEXEC


def ioctl(descriptor: int, request: int, argument: bytearray) -> int:
    return _call("ioctl", "iLp", descriptor, request, argument)


def open_line(path: str, settings: "Any") -> "Any":
    """OSError, or PlatformError where the line cannot be as it is set."""
    from edgelite_ports.micropython.unix.termios_line import TermiosLine  # most nodes have no line

    return TermiosLine(path, settings)


def fchmod(descriptor: int, mode: int) -> None:
    _call("fchmod", "ii", descriptor, mode)


def is_inheritable(descriptor: int) -> bool:
    return not _call("fcntl", "iii", descriptor, _F_GETFD, 0) & _FD_CLOEXEC


# ---- names


class Status:
    def __init__(self, st_mode: int, st_size: int) -> None:
        self.st_mode = st_mode
        self.st_size = st_size


def _statx(descriptor: int, path: "Path", flags: int) -> Status:
    buffer = bytearray(_STATX_BYTES)
    _call("statx", "iPiIp", descriptor, _c_text(path), flags, _STATX_BASIC, buffer)
    return Status(struct.unpack_from("<H", buffer, 28)[0], struct.unpack_from("<Q", buffer, 40)[0])


def stat(path: "Path") -> Status:
    return _statx(_AT_FDCWD, path, 0)


def lstat(path: "Path") -> Status:
    return _statx(_AT_FDCWD, path, _AT_SYMLINK_NOFOLLOW)


def fstat(descriptor: int) -> Status:
    return _statx(descriptor, b"", _AT_EMPTY_PATH)


def mkdir(path: "Path", mode: int = 0o777, dir_fd: "int | None" = None) -> None:
    _call("mkdirat", "iPi", _place(dir_fd), _c_text(path), mode)


def mkfifo(path: "Path", mode: int) -> None:
    _call("mkfifo", "Pi", _c_text(path), mode)


def unlink(path: "Path", dir_fd: "int | None" = None) -> None:
    _call("unlinkat", "iPi", _place(dir_fd), _c_text(path), 0)


def rmdir(path: "Path") -> None:
    _call("rmdir", "P", _c_text(path))


def symlink(target: "Path", path: "Path", dir_fd: "int | None" = None) -> None:
    _call("symlinkat", "PiP", _c_text(target), _place(dir_fd), _c_text(path))


def rename(path: "Path", to: "Path", src_dir_fd: "int | None" = None, dst_dir_fd: "int | None" = None) -> None:
    _call("renameat", "iPiP", _place(src_dir_fd), _c_text(path), _place(dst_dir_fd), _c_text(to))


def chmod(path: "Path", mode: int) -> None:
    _call("chmod", "Pi", _c_text(path), mode)


def is_executable(path: str) -> bool:
    try:
        return _call("access", "Pi", _c_text(path), _X_OK) == 0
    except OSError:
        return False


def listdir(path: "Path") -> "list[Any]":
    """Text names for text, where each must be UTF-8; bytes for bytes."""
    return [entry[0] for entry in os.ilistdir(path)]  # type: ignore[attr-defined]


def entries(directory: bytes) -> "list[tuple[bytes, bool]]":
    """(name, whether it is a directory itself) of everything in it."""
    found = []
    for entry in os.ilistdir(directory):  # type: ignore[attr-defined]
        kind = entry[1]
        if not kind:  # a file system that does not tell
            kind = lstat(directory + b"/" + entry[0]).st_mode & _TYPE_MASK
        found.append((entry[0], kind == _DIRECTORY_TYPE))
    return found


def sync() -> None:
    function("v", "sync", "")()  # type: ignore[operator]


# ---- processes


def kill(pid: int, number: int) -> None:
    _call("kill", "ii", pid, number)


def killpg(group: int, number: int) -> None:
    _call("killpg", "ii", group, number)


def pidfd_open(pid: int) -> int:
    return _call_long("syscall", "lll", _PIDFD_OPEN, pid, 0)


def wait(pid: int) -> int:
    """The exit code of a child, once it has ended; -N where the signal N ended it. OSError."""
    status = array("i", [0])
    _call("waitpid", "ipi", pid, status, 0)
    return -(status[0] & 0x7F) if status[0] & 0x7F else status[0] >> 8 & 0xFF


def wait_if_ended(pid: int) -> bool:
    """Collect a child; False while it lives. OSError where it is no child."""
    return _call("waitpid", "ipi", pid, None, _WNOHANG) != 0


def spawn(
    arguments: "list[str]", environment: "dict[str, str]", closed: "tuple[int, ...]" = (), new_session: bool = False
) -> int:
    """Start the program arguments[0] with these alone, its standard streams on /dev/null, no signal ignored or
    blocked, and the descriptors `closed` closed; its pid. OSError where it cannot be started."""
    kept: list[bytes] = []  # what the C library is given the addresses of
    words = _addresses(arguments, kept)
    variables = _addresses(["%s=%s" % (name, environment[name]) for name in sorted(environment)], kept)
    attributes, actions = bytearray(_SPAWN_BYTES), bytearray(_SPAWN_BYTES)
    _spawn_attributes(attributes, new_session)
    _spawn_actions(actions, closed)
    pid = array("i", [0])
    launch: Any = function("i", "posix_spawn", "pPpppp")
    number = launch(pid, _c_text(arguments[0]), actions, attributes, words, variables)
    function("i", "posix_spawn_file_actions_destroy", "p")(actions)  # type: ignore[operator]
    if number:
        raise OSError(number)
    return pid[0]


def _spawn_attributes(attributes: bytearray, new_session: bool) -> None:
    flags = _SPAWN_SETSIGDEF | _SPAWN_SETSIGMASK | (_SPAWN_SETSID if new_session else 0)
    signals, none = bytearray(_SIGNAL_SET_BYTES), bytearray(_SIGNAL_SET_BYTES)
    struct.pack_into("<I", signals, 0, _SIGNALS)
    _spawn_call("posix_spawnattr_init", "p", attributes)
    _spawn_call("posix_spawnattr_setflags", "ph", attributes, flags)
    _spawn_call("posix_spawnattr_setsigdefault", "pp", attributes, signals)
    _spawn_call("posix_spawnattr_setsigmask", "pp", attributes, none)


def _spawn_actions(actions: bytearray, closed: "tuple[int, ...]") -> None:
    _spawn_call("posix_spawn_file_actions_init", "p", actions)
    for number in (0, 1, 2):
        _spawn_call("posix_spawn_file_actions_addopen", "piPii", actions, number, b"/dev/null\0", O_RDWR, 0)
    for number in closed:
        _spawn_call("posix_spawn_file_actions_addclose", "pi", actions, number)


def _spawn_call(name: str, types: str, *values: "Any") -> None:
    """These give the errno itself. They are called once in an agent's life, so nothing is kept."""
    call: Callable[..., int] = function("i", name, types)  # type: ignore[assignment]
    number = call(*values)
    if number:
        raise OSError(number)


def _addresses(texts: "list[str]", kept: "list[bytes]") -> "array[int]":
    """A C array of pointers to these texts, ended by NULL."""
    pointers = array("P", [])
    for text in texts:
        kept.append(_c_text(text))
        pointers.append(uctypes.addressof(kept[-1]))
    pointers.append(0)
    return pointers


# ---- the rest


def encode(text: str) -> bytes:
    return text.encode()


def strerror(number: int) -> str:
    return describe(number)


def machine() -> str:
    """uname's word for the kernel's architecture."""
    return libc.system_names()[1]


def sleep_ms(duration_ms: int) -> None:
    time.sleep_ms(duration_ms)  # type: ignore[attr-defined]
