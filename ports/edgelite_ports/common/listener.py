"""Listening for connections, as `effects.Listen` asks for it: ("tcp", host, port) and ("unix", path).

What differs is handed in as `sockets`: `listen(target, backlog)` gives a socket that listens, `accept(socket)` the
next connection and its peer's address, both without waiting; OSError. A path is the owner's alone (0600).
"""

from edgelite.effects import Listen, Open
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ACCEPTED_MAX = 64  # open at a time of one listener: a process has 1,024 descriptors, and the link needs some
ACCEPTS_MAX = 8  # in one readiness; the rest comes in the next round
BACKLOG = 8
PAUSE_MS = 1_000  # after the system had no descriptor for another one: those that wait would wake it again at once
PATH_BYTES_MAX = 107  # sockaddr_un has 108, and a zero at the end

_READABLE = 1  # the number of poll(2)
_EAGAIN, _ENOENT, _ECONNABORTED = 11, 2, 103
_EXHAUSTED = (12, 23, 24)  # ENOMEM, ENFILE, EMFILE
_TYPE_MASK, _SOCKET_TYPE = 0o170000, 0o140000


class Listener:
    """An entry among a port's connections, between its Listen and its `closed`. `owner` is those; `system` is the
    port's module of that name, None where it has no file system with sockets."""

    def __init__(self, owner: "Any", effect: Listen, sockets: "Any", system: "Any") -> None:
        self.channel = effect.acceptor
        self.deadline_ms: int | None = None  # the end of a pause
        self._owner = owner
        self._target = effect.target
        self._sockets = sockets
        self._system = system
        self._socket: Any = None
        self._accepted: list[Any] = []
        self._closed = False

    def start(self) -> None:
        try:
            if self._target[0] == "unix":
                check_path(self._target[1], self._system)
                remove_stale(self._target[1], self._system)
            self._socket = self._sockets.listen(self._target, BACKLOG, self._system)
        except OSError as error:
            self.finish("cannot listen at %s: %s" % (_name(self._target), self._describe(error)))
            return
        except PlatformError as error:
            self.finish(error.text)
            return
        self._owner.loop.register(self._sockets.pollable(self._socket), _READABLE, self._ready)

    def guarded_pump(self) -> None:
        return

    def expire(self, now_ms: int) -> None:
        if self.deadline_ms is not None and now_ms >= self.deadline_ms:
            self.deadline_ms = None
            self._owner.loop.register(self._sockets.pollable(self._socket), _READABLE, self._ready)

    def close(self) -> None:
        self.finish("closed")

    def finish(self, reason: str) -> None:
        if self._closed:
            return
        self._closed = True
        if self._socket is not None:
            if self.deadline_ms is None:
                self._owner.loop.unregister(self._sockets.pollable(self._socket))
            self._socket.close()
            if self._target[0] == "unix":
                self._forget_path()
        self._socket = None
        self._owner.forget(self)
        self.channel.closed(reason, self._owner.now_ms())

    def _ready(self, _events: int) -> None:
        for _ in range(ACCEPTS_MAX):
            if self._socket is None or self.deadline_ms is not None or not self._accept():
                return

    def _accept(self) -> bool:
        """False where there is none now."""
        try:
            new, address = self._sockets.accept(self._socket)
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._pause()
            elif error.errno == _ECONNABORTED:
                return True
            elif error.errno != _EAGAIN:
                self.finish("cannot listen any more: " + self._describe(error))
            return False
        self._accepted = [one for one in self._accepted if not one.is_closed]
        channel = None
        if len(self._accepted) < ACCEPTED_MAX:
            channel = self.channel.accept(address, self._owner.now_ms())
        if channel is None:
            new.close()
        else:
            self._accepted.append(self._owner.accepted(Open(channel, (self._target[0], address, 0)), new))
        return True

    def _pause(self) -> None:
        self._owner.loop.unregister(self._sockets.pollable(self._socket))
        self.deadline_ms = self._owner.now_ms() + PAUSE_MS

    def _forget_path(self) -> None:
        try:
            self._system.unlink(self._target[1])
        except OSError:
            return  # somebody else did

    def _describe(self, error: OSError) -> str:
        return str(self._owner.describe(error.errno or 5))


def check_path(path: str, system: "Any") -> None:
    """PlatformError where a socket cannot be there."""
    if system is None:
        raise PlatformError("this port has no sockets in a file system")
    if len(system.encode(path)) > PATH_BYTES_MAX:
        raise PlatformError("the path of a socket has at most %d bytes: %s" % (PATH_BYTES_MAX, path))


def remove_stale(path: str, system: "Any") -> None:
    """What an earlier process left at the path. PlatformError where it is no socket, OSError."""
    try:
        mode = system.lstat(path).st_mode
    except OSError as error:
        if error.errno == _ENOENT:
            return
        raise
    if mode & _TYPE_MASK != _SOCKET_TYPE:
        raise PlatformError(path + " is there and is no socket: remove it")
    system.unlink(path)


def _name(target: "tuple[Any, ...]") -> str:
    return str(target[1]) if target[0] == "unix" else "%s:%s" % (target[1], target[2])
