"""What the shared code for processes (edgelite_ports.posix) asks of the system, under CPython: `os`, mostly.

micropython/unix/system.py has the same names with the same meaning.
"""

import fcntl
import os
import time
from os import (
    O_CLOEXEC,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_NOFOLLOW,
    O_NONBLOCK,
    O_RDONLY,
    O_RDWR,
    O_TRUNC,
    O_WRONLY,
    chmod,
    close,
    dup,
    fchmod,
    fstat,
    fsync,
    ftruncate,
    kill,
    killpg,
    listdir,
    lseek,
    lstat,
    mkdir,
    mkfifo,
    open,
    pidfd_open,
    pread,
    pwrite,
    read,
    rename,
    rmdir,
    sendfile,
    stat,
    strerror,
    symlink,
    sync,
    unlink,
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
    from edgelite_ports.common.serial_lines import Settings
    from edgelite_ports.linux.serial_port import SerialPort

_ALL_SIGNALS = [number for number in range(1, 32) if number not in (9, 19)]  # SIGKILL and SIGSTOP have no action
_QUIET = [(os.POSIX_SPAWN_OPEN, number, "/dev/null", os.O_RDWR, 0) for number in (0, 1, 2)]


def encode(text: str) -> bytes:
    """As the file system has it: a path of the state may hold what is no UTF-8."""
    return text.encode("utf-8", "surrogateescape")


def entries(directory: bytes) -> "list[tuple[bytes, bool]]":
    """(name, whether it is a directory itself) of everything in it."""
    with os.scandir(directory) as found:
        return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]


def lock(descriptor: int) -> bool:
    """Have the file for this process alone, for as long as the descriptor is open; False where another has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def open_line(path: str, settings: "Settings") -> "SerialPort":
    """OSError, or PlatformError where the line cannot be as it is set."""
    from edgelite_ports.linux.serial_port import SerialPort  # most nodes have no line

    return SerialPort(path, settings)


def is_executable(path: str) -> bool:
    return os.access(path, os.X_OK)


def is_inheritable(descriptor: int) -> bool:
    """Whether a child would get it. OSError where there is none of this number."""
    return os.get_inheritable(descriptor)


def machine() -> str:
    """uname's word for the kernel's architecture."""
    return os.uname().machine


def sleep_ms(duration_ms: int) -> None:
    time.sleep(duration_ms / 1000)


def spawn(
    arguments: "list[str]", environment: "dict[str, str]", closed: "tuple[int, ...]" = (), new_session: bool = False
) -> int:
    """Start the program arguments[0] with these alone, its standard streams on /dev/null, no signal ignored or
    blocked, and the descriptors `closed` closed; its pid. OSError where it cannot be started."""
    return os.posix_spawn(
        arguments[0],
        arguments,
        environment,
        file_actions=_QUIET + [(os.POSIX_SPAWN_CLOSE, number) for number in closed],
        setsid=new_session,
        setsigmask=[],
        setsigdef=_ALL_SIGNALS,
    )


def wait(pid: int) -> int:
    """The exit code of a child, once it has ended; -N where the signal N ended it. OSError."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def wait_if_ended(pid: int) -> bool:
    """Collect a child; False while it lives. OSError where it is no child."""
    return os.waitpid(pid, os.WNOHANG)[0] != 0
