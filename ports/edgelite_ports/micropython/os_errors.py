"""What an errno means, in words: MicroPython's OSError has the number alone."""

from edgelite.storage import StorageFullError
from edgelite_protocol.errors import PlatformError

# Numbers of Linux; MicroPython uses the same on its other ports, but for lwip's own, which differ by port.
EPERM = 1
ENOENT = 2
EIO = 5
EAGAIN = 11
EACCES = 13
EEXIST = 17
ENOTDIR = 20
EINVAL = 22
ENOSPC = 28
EROFS = 30
EPIPE = 32
EINPROGRESS = 115
EDQUOT = 122
_TEXTS = {
    EPERM: "operation not permitted",
    ENOENT: "no such file or directory",
    4: "interrupted",
    EIO: "input/output error",
    6: "no such device or address",
    9: "bad file descriptor",
    12: "cannot allocate memory",
    EACCES: "permission denied",
    16: "device or resource busy",
    EEXIST: "file exists",
    19: "no such device",
    ENOTDIR: "not a directory",
    21: "is a directory",
    EINVAL: "invalid argument",
    23: "too many open files in system",
    24: "too many open files",
    25: "inappropriate ioctl for device",
    27: "file too large",
    ENOSPC: "no space left on device",
    EROFS: "read-only file system",
    EPIPE: "broken pipe",
    39: "directory not empty",
    97: "address family not supported",
    98: "address already in use",
    99: "cannot assign requested address",
    100: "network is down",
    101: "network is unreachable",
    103: "connection aborted",
    104: "connection reset by peer",
    107: "not connected",
    110: "connection timed out",
    111: "connection refused",
    112: "host is down",
    113: "no route to host",
    EDQUOT: "disk quota exceeded",
}


def describe(number: int) -> str:
    return _TEXTS.get(number) or "error %d" % number


def storage_error(path: str, error: OSError) -> PlatformError:
    """The typed error for what failed at `path`, with advice for a person."""
    number = error.errno or 0
    text = path + ": " + describe(number)
    if number in (ENOSPC, EDQUOT):
        return StorageFullError(text, "free some space on this file system; nothing that was stored is lost")
    if number in (EACCES, EPERM, EROFS):
        return PlatformError(text, "the agent must own this directory and its file system must be writable")
    if number == EIO:
        return PlatformError(text, "the medium fails; replace it and join the node again")
    return PlatformError(text)
