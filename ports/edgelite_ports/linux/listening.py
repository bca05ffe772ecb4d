"""Sockets that listen, and Unix sockets, for common/listener.py and local connections."""

import _socket

from edgelite_ports.common.connections import TCP_NODELAY
from edgelite_ports.linux.resolver import family_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SOCKET_MODE = 0o600
_KIND = _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC


def listen(target: "tuple[Any, ...]", backlog: int, system: "Any") -> _socket.socket:
    new = _socket.socket(_socket.AF_UNIX if target[0] == "unix" else family_of(target[1]), _KIND)
    try:
        if target[0] == "unix":
            new.bind(target[1])
            system.chmod(target[1], SOCKET_MODE)  # nobody gets in before `listen`
        else:
            new.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
            new.setsockopt(_socket.IPPROTO_TCP, TCP_NODELAY, 1)  # of what comes in too
            new.bind((target[1], target[2]))
        new.listen(backlog)
    except OSError:
        new.close()
        raise
    return new


def accept(listening: "Any") -> "tuple[_socket.socket, str]":
    descriptor, address = listening._accept()  # what socket.py wraps; that would bring enum and selectors
    new = _socket.socket(fileno=descriptor)
    new.setblocking(False)
    return new, address[0] if isinstance(address, tuple) else ""


def pollable(listening: _socket.socket) -> int:
    return listening.fileno()


def new_local() -> _socket.socket:
    return _socket.socket(_socket.AF_UNIX, _KIND)
