"""What MicroPython's own modules lack and the C library has. Each function raises OSError with its errno.

Figures of Linux, the same on ARM and x86 where nothing else is said.
"""

import os
import struct

import ffi  # type: ignore[import-not-found]

LOCK_EX, LOCK_NB = 2, 4
O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_NONBLOCK = (
    0,
    1,
    2,
    0o100,
    0o200,
    0o1000,
    0o2000,
    0o4000,
)
O_NOCTTY, O_CLOEXEC = 0o400, 0o2000000
EAGAIN = 11
W_OK = 2
CLOCK_BOOTTIME = 7
SIG_BLOCK, SIG_UNBLOCK = 0, 1
SFD_FLAGS = O_NONBLOCK | O_CLOEXEC
SC_PAGE_SIZE, SC_NPROCESSORS_ONLN, SC_PHYS_PAGES = 30, 84, 85
_SIGNAL_INFO_BYTES = 128  # struct signalfd_siginfo
_SIGNAL_SET_BYTES = 128  # sigset_t of glibc and musl; the kernel takes the first 8
_UTS_FIELD_BYTES = 65  # struct utsname: sysname, nodename, release, version, machine, domainname


def _library() -> object:
    for name in ("libc.so.6", "libc.so", "libc.musl-armhf.so.1", "libc.musl-x86_64.so.1"):
        try:
            return ffi.open(name)
        except OSError:
            continue
    raise OSError(2, "no C library found")


_C = _library()
_errno = os.errno  # type: ignore[attr-defined]


def function(result: str, name: str, arguments: str) -> object:
    """A function of the C library, as `ffi` types it."""
    return _C.func(result, name, arguments)  # type: ignore[attr-defined]


_open = function("i", "open", "sii")
_close = function("i", "close", "i")
_read = function("l", "read", "ipL")
_write = function("l", "write", "iPL")
_fsync = function("i", "fsync", "i")
_flock = function("i", "flock", "ii")
_clock_gettime = function("i", "clock_gettime", "ip")


def check(result: int) -> int:
    """`result`, or OSError where it is -1."""
    if result == -1:
        raise OSError(_errno())
    return result


def open_descriptor(path: str, flags: int, mode: int = 0o600) -> int:
    return check(_open(path, flags | O_CLOEXEC, mode))  # type: ignore[operator]


def close(descriptor: int) -> None:
    _close(descriptor)  # type: ignore[operator]


def read(descriptor: int, size_bytes_max: int) -> bytes:
    buffer = bytearray(size_bytes_max)
    size_bytes = check(_read(descriptor, buffer, size_bytes_max))  # type: ignore[operator]
    return bytes(memoryview(buffer)[:size_bytes])


def write(descriptor: int, data: "bytes | bytearray | memoryview") -> int:
    """How many bytes it took."""
    return check(_write(descriptor, data, len(data)))  # type: ignore[operator]


def fsync(descriptor: int) -> None:
    check(_fsync(descriptor))  # type: ignore[operator]


def sync_directory(path: str) -> None:
    """Make the names in it durable."""
    descriptor = open_descriptor(path or ".", O_RDONLY)
    try:
        fsync(descriptor)
    finally:
        close(descriptor)


def lock(descriptor: int) -> bool:
    """False where another process holds it."""
    if _flock(descriptor, LOCK_EX | LOCK_NB) == -1:  # type: ignore[operator]
        if _errno() == EAGAIN:
            return False
        raise OSError(_errno())
    return True


def check_writable(path: str) -> None:
    """OSError where this user may not write there."""
    check(function("i", "access", "si")(path, W_OK))  # type: ignore[operator]


def umask(mode: int) -> None:
    function("i", "umask", "i")(mode)  # type: ignore[operator]


def chmod(path: str, mode: int) -> None:
    check(function("i", "chmod", "si")(path, mode))  # type: ignore[operator]


_timespec = bytearray(16)  # two longs, on 32 bits half of it; made once, because the clock is read at every step
_timespec_format = "ll"


def boot_time_ms() -> int:
    """Milliseconds since boot, time in suspend included."""
    _clock_gettime(CLOCK_BOOTTIME, _timespec)  # type: ignore[operator]
    seconds, nanoseconds = struct.unpack_from(_timespec_format, _timespec, 0)
    return int(seconds) * 1000 + int(nanoseconds) // 1_000_000


def system_names() -> "tuple[str, str]":
    """(kernel release, machine), as uname(2) tells."""
    buffer = bytearray(6 * _UTS_FIELD_BYTES)
    check(function("i", "uname", "p")(buffer))  # type: ignore[operator]
    return _text_at(buffer, 2 * _UTS_FIELD_BYTES), _text_at(buffer, 4 * _UTS_FIELD_BYTES)


def _text_at(buffer: bytearray, offset: int) -> str:
    return bytes(buffer[offset : offset + _UTS_FIELD_BYTES]).split(b"\0")[0].decode()


def process_id() -> int:
    return int(function("i", "getpid", "")())  # type: ignore[operator]


def system_figure(name: int) -> int:
    """sysconf(3); one of SC_*."""
    return int(function("l", "sysconf", "i")(name))  # type: ignore[operator]


def event_descriptor() -> int:
    """A descriptor that counts (eventfd(2))."""
    return check(function("i", "eventfd", "Ii")(0, O_NONBLOCK | O_CLOEXEC))  # type: ignore[operator]


def read_event(descriptor: int) -> None:
    """Forget what was counted."""
    try:
        read(descriptor, 8)
    except OSError as error:
        if error.errno != EAGAIN:
            raise


def signal_descriptor(numbers: "tuple[int, ...]") -> int:
    """Block these signals and give a descriptor that reads them (signalfd(2))."""
    bits = 0
    for number in numbers:
        bits |= 1 << (number - 1)
    mask = bytearray(_SIGNAL_SET_BYTES)
    struct.pack_into("<Q", mask, 0, bits)
    check(function("i", "sigprocmask", "ipp")(SIG_BLOCK, mask, None))  # type: ignore[operator]
    return check(function("i", "signalfd", "ipi")(-1, mask, SFD_FLAGS))  # type: ignore[operator]


def read_signals(descriptor: int) -> "list[int]":
    """The numbers of those that came since the last call."""
    found: list[int] = []
    while True:
        try:
            data = read(descriptor, _SIGNAL_INFO_BYTES)
        except OSError as error:
            if error.errno == EAGAIN:
                return found
            raise
        found.append(struct.unpack_from("<I", data, 0)[0])
