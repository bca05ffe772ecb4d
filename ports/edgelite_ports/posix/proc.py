"""What /proc tells of processes. A pid alone names nobody: with the start time it does, within one boot."""

from edgelite_ports.posix import system
from edgelite_ports.posix.files import ENOENT, EPERM, ESRCH, read_small

_STATE = 0  # fields of /proc/PID/stat behind the command's closing parenthesis; the first is proc(5)'s field 3
_GROUP = 2
_SESSION = 3
_START = 19  # proc(5)'s field 22: start time in clock ticks since boot
_DEAD_STATES = (b"Z", b"X", b"x")


class Stat:
    """The line of /proc/PID/stat. The command in it is whatever the process says, parentheses included."""

    def __init__(self, line: bytes) -> None:
        head, _, tail = line.rpartition(b")")
        fields = tail.split()
        self.pid = int(head.split(b" ", 1)[0])
        self.is_dead = fields[_STATE] in _DEAD_STATES
        self.group = int(fields[_GROUP])
        self.session = int(fields[_SESSION])
        self.start = int(fields[_START])


def read_stat(pid: int) -> "Stat | None":
    """None where there is no such process."""
    try:
        return Stat(read_small("/proc/%d/stat" % pid))
    except OSError as error:
        if error.errno not in (ENOENT, ESRCH):
            raise
        return None


def parse_stat_file(data: bytes) -> "Stat | None":
    """A stat line that a shell copied into a file; None while it is not whole."""
    if not data.endswith(b"\n"):
        return None
    try:
        return Stat(data)
    except (ValueError, IndexError):
        return None


def lives(pid: int, start: int) -> bool:
    """That very process is there and is no zombie."""
    stat = read_stat(pid) if pid > 0 else None
    return stat is not None and stat.start == start and not stat.is_dead


def group_lives(group: int) -> bool:
    """Some process of the session and process group that `group` led is there and is no zombie.

    Looks through /proc only where the kernel says that the group is not empty: zombies count there, and where
    nobody reaps orphans they stay for ever.
    """
    try:
        system.killpg(group, 0)
    except OSError as error:
        if error.errno != EPERM:
            return False
    for name in system.listdir("/proc"):
        if name.isdigit():
            stat = read_stat(int(name))
            if stat is not None and stat.group == group and stat.session == group and not stat.is_dead:
                return True
    return False


def open_pidfd(pid: int, start: int) -> int:
    """A descriptor that is readable once that very process has ended; -1 where the kernel has none (before 5.3).
    OSError(ESRCH) where it is not there any more."""
    try:
        descriptor = system.pidfd_open(pid)
    except OSError as error:
        if error.errno == ESRCH:
            raise
        return -1
    if not lives(pid, start):  # the pid may have found another owner before it was opened
        system.close(descriptor)
        raise OSError(ESRCH, "no such process")
    return descriptor
