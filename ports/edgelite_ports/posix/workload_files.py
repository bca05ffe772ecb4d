"""A workload's own directory: the files of its ConfigMaps and Secrets, written so that no path leaves it.

The workload may write into the directory too, and may have put a symbolic link anywhere: every step on the way to
a file is opened relative to the one before and never through a link (openat, O_NOFOLLOW), and a file appears by
rename. A file whose content and mode are right is left alone: an unchanged workload costs the flash nothing.
"""

from edgelite_ports.posix import system
from edgelite_ports.posix.command import StartError
from edgelite_ports.posix.files import EEXIST, ENOENT, reason, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_DIRECTORY_FLAGS = system.O_RDONLY | system.O_DIRECTORY | system.O_NOFOLLOW | system.O_CLOEXEC
_TEMPORARY = ".edgelite-new"
_DEPTH_MAX = 32  # parts of a path: each holds nothing open but the last, and no mount path is that deep


def write_files(root: str, files: "list[tuple[str, bytes, int]]") -> None:
    """Write (path, content, mode) under `root`. StartError("InvalidPath") where a path is no path inside it or
    meets a link; StartError("FileError") where the disk fails."""
    for path, content, mode in files:
        try:
            _in_parent(root, path, True, lambda parent, name, c=content, m=mode: _write(parent, name, c, m))  # type: ignore[misc]
        except OSError as error:
            raise StartError("FileError", "%s: %s" % (path, reason(error))) from error


def remove_files(root: str, paths: "list[str]") -> None:
    """Remove files that an earlier form of the workload had; what is not there, or no longer ours, stays."""
    for path in paths:
        try:
            _in_parent(root, path, False, lambda parent, name: system.unlink(name, dir_fd=parent))
        except OSError:
            continue


def _in_parent(root: str, path: str, make: bool, act: "Callable[[int, str], None]") -> None:
    """Call `act(descriptor of the parent directory, last part)`."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts or ".." in parts or "\0" in path or len(parts) > _DEPTH_MAX:
        raise StartError("InvalidPath", "%s is no path for a file" % path)
    parent = system.open(root, _DIRECTORY_FLAGS)
    try:
        for part in parts[:-1]:
            parent = _enter(parent, part, make)
        act(parent, parts[-1])
    finally:
        system.close(parent)


def _enter(parent: int, part: str, make: bool) -> int:
    """Go down one step and close the descriptor above."""
    if make:
        try:
            system.mkdir(part, 0o755, dir_fd=parent)
        except OSError as error:
            if error.errno != EEXIST:
                raise
    child = system.open(part, _DIRECTORY_FLAGS, dir_fd=parent)
    system.close(parent)
    return child


def _write(parent: int, name: str, content: bytes, mode: int) -> None:
    if _is_same(parent, name, content, mode):
        return
    flags = system.O_WRONLY | system.O_CREAT | system.O_EXCL | system.O_NOFOLLOW | system.O_CLOEXEC
    _unlink_if_there(parent, _TEMPORARY)
    descriptor = system.open(_TEMPORARY, flags, 0o600, dir_fd=parent)
    try:
        write_all(descriptor, content)
        system.fchmod(descriptor, mode & 0o777)
    finally:
        system.close(descriptor)
    system.rename(_TEMPORARY, name, src_dir_fd=parent, dst_dir_fd=parent)


def _is_same(parent: int, name: str, content: bytes, mode: int) -> bool:
    try:
        descriptor = system.open(
            name, system.O_RDONLY | system.O_NOFOLLOW | system.O_NONBLOCK | system.O_CLOEXEC, dir_fd=parent
        )
    except OSError:
        return False  # missing, a link, not readable: written anew, and that says what is wrong
    try:
        status = system.fstat(descriptor)
        return status.st_mode == 0o100000 | (mode & 0o777) and system.read(descriptor, len(content) + 1) == content
    finally:
        system.close(descriptor)


def _unlink_if_there(parent: int, name: str) -> None:
    try:
        system.unlink(name, dir_fd=parent)
    except OSError as error:
        if error.errno != ENOENT:
            raise
