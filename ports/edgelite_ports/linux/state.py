"""The agent's state directory, and the lock that keeps a second agent out of it."""

import binascii
import errno
import fcntl
import os

from edgelite.config import TEXT_BYTES_MAX, Config, parse
from edgelite.driver import ConfigurationError
from edgelite_ports.linux import files
from edgelite_protocol.errors import PlatformError

DEFAULT_PATH = "/var/lib/edgelite"
RUNTIME_PATH = "/run/edgelite"
CONFIG_NAME = "agent.conf"


class NotJoinedError(PlatformError):
    """A person has to run `edgelite join` first; trying again won't help."""

    def __init__(self, path: str) -> None:
        super().__init__(
            "this machine is no node yet: " + path + " is missing",
            "run `edgelite join <hub:port> --token <token>` first",
        )


class State:
    """Paths below one directory, all of it for its owner alone."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self._lock: int | None = None

    def below(self, *names: str) -> str:
        return os.path.join(self.path, *names)

    def load_config(self) -> Config:
        """PlatformError where there is none, ConfigurationError where a line is wrong."""
        path = self.below(CONFIG_NAME)
        if files.is_missing(path):
            raise NotJoinedError(path)
        text = files.read_bytes(path, TEXT_BYTES_MAX)
        try:
            return parse(text.decode())
        except UnicodeDecodeError as error:
            raise ConfigurationError(path, "is not UTF-8 text") from error
        except ConfigurationError as error:
            raise ConfigurationError(path + ", " + error.path, error.text) from error

    def lock(self) -> None:
        """PlatformError where another agent holds it. The kernel lets go of it when the process ends."""
        path = self.below("agent.lock")
        try:
            self._lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN):
                raise PlatformError(
                    "another agent runs on " + self.path, "stop it first, or give this one its own --state"
                ) from error
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
