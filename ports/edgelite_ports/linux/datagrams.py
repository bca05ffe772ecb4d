"""One datagram to a Unix socket."""

import _socket


def send(address: bytes, data: bytes) -> None:
    """Never waits. OSError where nobody takes it."""
    channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK)
    try:
        channel.sendto(data, address)
    finally:
        channel.close()
