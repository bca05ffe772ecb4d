"""Opens a serial line by the port's own connections and sends back what comes, each byte one more, until "q" has come.
A "c" is answered by "old" and changes the settings to those that the third argument has; then "new" is said.
Run under either runtime: the port is chosen by what there is.

    serial_peer.py PATH '{"baud": 9600, ...}'      prints "opened" and at last "closed: REASON"
"""

import json
import sys

from edgelite.effects import Channel, Open

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Answering(Channel):
    def __init__(self) -> None:
        self.to_send = b""
        self.end = ""
        self.over = False
        self.changes = False

    def opened(self, now_ms: int) -> None:
        print("opened")  # noqa: T201

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        self.to_send += bytes([(one + 1) & 255 for one in bytes(data)])
        self.over = self.over or b"q" in bytes(data)
        if bytes(data) == b"c":
            self.to_send = b"old" * 10
            self.changes = True

    def data_to_send(self, size_bytes_max: int) -> bytes:
        piece, self.to_send = self.to_send[:size_bytes_max], self.to_send[size_bytes_max:]
        return piece

    def closed(self, reason: str, now_ms: int) -> None:
        self.end = reason


def make() -> "tuple[Any, Any, Any]":
    """(loop, connections, clock) of this runtime's port."""
    if sys.implementation.name == "micropython":
        from edgelite_ports.micropython.connections import make_connections
        from edgelite_ports.micropython.loop import Loop
        from edgelite_ports.micropython.unix import clock, system

        loop = Loop(clock.monotonic_ms)
        return loop, make_connections(loop, None, None, clock.monotonic_ms, system), clock.monotonic_ms
    from edgelite_ports.linux import clock as linux_clock
    from edgelite_ports.linux import loop as linux_loop
    from edgelite_ports.linux.connections import Connections

    other: Any = linux_loop.Loop()
    unused: Any = None
    return other, Connections(other, unused, unused), linux_clock.monotonic_ms


def main(path: str, settings: str, others: str = "{}") -> None:
    loop, connections, now_ms = make()
    channel = Answering()
    connections.open(Open(channel, ("serial", path, json.loads(settings))))
    while not channel.end:
        connections.step(now_ms())
        loop.wait(now_ms() + 20)
        if channel.changes:
            channel.changes = False
            connections.configure(channel, json.loads(others))
            channel.to_send = b"new"
        if channel.over and not channel.to_send:
            connections.close(channel)
    print("closed: " + channel.end)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
