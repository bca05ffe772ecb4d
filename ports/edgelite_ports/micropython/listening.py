"""Sockets that listen, and Unix sockets, for common/listener.py and local connections."""

import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SOCKET_MODE = 0o600


def listen(target: "tuple[Any, ...]", backlog: int, system: "Any") -> "Any":
    new: Any
    if target[0] == "unix":
        new = new_local()
    else:
        family = socket.AF_INET6 if ":" in target[1] else socket.AF_INET
        new = socket.socket(family, socket.SOCK_STREAM)
    try:
        new.setblocking(False)
        if target[0] == "unix":
            new.bind(local_address(target[1], system))
            system.chmod(target[1], SOCKET_MODE)  # nobody gets in before `listen`
        else:
            new.setsockopt(_option("SOL_SOCKET", 1), _option("SO_REUSEADDR", 2), 1)
            new.bind(socket.getaddrinfo(target[1], target[2], family, socket.SOCK_STREAM)[0][-1])
        new.listen(backlog)
    except OSError:
        new.close()
        raise
    return new


def accept(listening: "Any") -> "tuple[Any, str]":
    new, address = listening.accept()
    new.setblocking(False)
    return new, _text_of(address)


def pollable(listening: "Any") -> "Any":
    return listening  # not every network stack has numbers for them


def new_local() -> "Any":
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


def local_address(path: str, system: "Any") -> bytes:
    """struct sockaddr_un."""
    return struct.pack("H", socket.AF_UNIX) + bytes(system.encode(path))


def _option(name: str, number: int) -> int:
    """`number` is Linux's, where the module names none."""
    return int(getattr(socket, name, number))


def _text_of(address: "Any") -> str:
    """On Linux an address is a structure, on a board (host, port)."""
    if isinstance(address, tuple):
        return str(address[0])
    sockets: Any = socket
    parts = sockets.sockaddr(bytes(address))
    if parts[0] == getattr(sockets, "AF_UNIX", 1):
        return ""
    return str(sockets.inet_ntop(parts[0], parts[1]))
