"""One datagram to a Unix socket."""

import socket
import struct


def send(address: bytes, data: bytes) -> None:
    """Never waits. OSError where nobody takes it."""
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        channel.setblocking(False)
        channel.sendto(data, struct.pack("H", socket.AF_UNIX) + address)  # struct sockaddr_un
    finally:
        channel.close()
