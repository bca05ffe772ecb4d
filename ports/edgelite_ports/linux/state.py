"""The agent's state directory, and the lock that keeps a second agent out of it."""

import binascii
import errno
import fcntl
import os

from edgelite_ports.common.state import DEFAULT_PATH, RUNTIME_PATH, StateDirectory, in_use
from edgelite_ports.linux import files
from edgelite_protocol.errors import PlatformError


class State(StateDirectory):
    def __init__(self, path: str) -> None:
        super().__init__(os.path.abspath(path), files)
        self._lock: int | None = None

    def lock(self) -> None:
        """PlatformError where another agent holds it. The kernel lets go of it when the process ends."""
        path = self.below("agent.lock")
        try:
            self._lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN):
                raise in_use(self.path) from error
            raise PlatformError("cannot write " + path + ": " + str(error.strerror), "check its owner") from error

    def unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def runtime_path(self, node: str) -> str:
        """Where things live that may vanish with a reboot: under /run where this user may write there. The state
        directory is part of the name, so that two nodes of one name (of two hubs, of two tests) don't meet."""
        path = os.path.join(RUNTIME_PATH, "%s-%08x" % (node, binascii.crc32(self.path.encode())))
        try:
            os.makedirs(path, 0o700, exist_ok=True)
        except OSError:
            path = ""
        if not path or not os.access(path, os.W_OK):
            path = self.below("run")
            files.make_directory(path)
        return path


def default_path() -> str:
    return os.environ.get("EDGELITE_STATE") or DEFAULT_PATH
