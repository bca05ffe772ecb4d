"""One channel over the MicroPython port's own sockets:

    connection_peer.py KIND HOST PORT STATE [COUNT [SENT]]

Sends SENT bytes (0 to 250 again and again; COUNT by default) and reads COUNT of that form; STATE is a joined state
directory for the kind "tls". It needs no ffi. Prints "opened", then "received: N" when all of them
have come, at last "closed: REASON".
"""

import sys
import time

from edgelite.effects import Channel, Open
from edgelite_ports.common.state import StateDirectory
from edgelite_ports.micropython import files
from edgelite_ports.micropython.connections import make_connections
from edgelite_ports.micropython.identity import Identity
from edgelite_ports.micropython.loop import Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PATTERN = bytes(range(251))


class Echoed(Channel):
    def __init__(self, count: int, to_send: int) -> None:
        self.count = count
        self.to_send = to_send
        self.sent = 0
        self.got = 0
        self.end = ""

    def opened(self, now_ms: int) -> None:
        print("opened")  # noqa: T201

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        for one in bytes(data):
            if one != PATTERN[self.got % 251]:
                raise ValueError("byte %d is %d" % (self.got, one))
            self.got += 1
        if self.got == self.count:
            print("received: %d" % self.got)  # noqa: T201

    def data_to_send(self, size_bytes_max: int) -> bytes:
        size_bytes = min(size_bytes_max, self.to_send - self.sent)
        piece = bytes([PATTERN[(self.sent + at) % 251] for at in range(size_bytes)])
        self.sent += size_bytes
        return piece

    def closed(self, reason: str, now_ms: int) -> None:
        self.end = reason


def now_ms() -> int:
    return int(time.ticks_ms())  # type: ignore[attr-defined]


def resolve(host: str, done: "Callable[[list[str], str], None]") -> None:
    done([host], "")


def main(kind: str, host: str, port: str, state: str, count: str = "0", sent: str = "") -> None:
    loop = Loop(now_ms)
    identity = Identity(StateDirectory(state, files))
    connections = make_connections(loop, resolve, identity.tls_context, now_ms)
    channel = Echoed(int(count), int(sent or count))
    connections.open(Open(channel, (kind, host, int(port))))
    while not channel.end:
        connections.step(now_ms())
        if channel.end:
            break
        if channel.count and channel.got == channel.count:
            connections.close(channel)
        else:
            loop.wait(now_ms() + 50)
    print("closed: " + channel.end)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
