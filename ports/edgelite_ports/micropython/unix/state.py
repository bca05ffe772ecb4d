"""The state directory on Linux under MicroPython, and the lock that keeps a second agent out of it."""

import binascii
import os

from edgelite_ports.common.state import DEFAULT_PATH, RUNTIME_PATH, StateDirectory, in_use
from edgelite_ports.micropython import files
from edgelite_ports.micropython.os_errors import describe
from edgelite_ports.micropython.unix import libc
from edgelite_protocol.errors import PlatformError


class State(StateDirectory):
    def __init__(self, path: str) -> None:
        super().__init__(absolute(path), files)
        self._locks: list[int] = []

    def lock(self) -> None:
        """The state, and the journal in it; PlatformError where another agent, of whatever runtime, holds one. The
        kernel lets go of them when the process ends."""
        files.make_directory(self.below("journal"))
        self._lock(self.below("agent.lock"), libc.O_RDWR | libc.O_CREAT)
        self._lock(self.below("journal"), libc.O_RDONLY)

    def _lock(self, path: str, flags: int) -> None:
        try:
            descriptor = libc.open_descriptor(path, flags)
            self._locks.append(descriptor)
            free = libc.lock(descriptor)
        except OSError as error:
            raise PlatformError("cannot write " + path + ": " + describe(error.errno or 0), "check its owner")
        if not free:
            raise in_use(self.path)

    def runtime_path(self, node: str) -> str:
        """Where things live that may vanish with a reboot: under /run where this user may write there. The state
        directory is part of the name, so that two nodes of one name (of two hubs, of two tests) don't meet."""
        path = RUNTIME_PATH + "/%s-%08x" % (node, binascii.crc32(self.path.encode()))
        try:
            files.make_directory(path)
            libc.check_writable(path)
        except (OSError, PlatformError):
            path = self.below("run")
            files.make_directory(path)
        return path


def default_path() -> str:
    return os.getenv("EDGELITE_STATE") or DEFAULT_PATH


def absolute(path: str) -> str:
    """Without "." and "..", as the CPython port writes it: the path is part of other names."""
    parts: list[str] = []
    for part in (path if path.startswith("/") else os.getcwd() + "/" + path).split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)
