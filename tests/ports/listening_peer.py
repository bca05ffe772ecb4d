"""Listens, or opens a local connection, by the port's own connections. Run under either runtime.

    listening_peer.py listen KIND TARGET...   an echo; refuses the second connection at a time of one that sent "one";
                                              "stop" closes the acceptor, and the program ends with its last connection
    listening_peer.py open FOLDER KIND NAME   sends "hello", prints what comes and how it ended

Prints "begun" when all has been asked for, then "accepted: ADDRESS", "received: ...", "closed: REASON".
"""

import sys

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from serial_peer import make

from edgelite.effects import Acceptor, Channel, Close, Listen, Open

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def tell(text: str) -> None:
    print(text)  # noqa: T201


class Echo(Channel):
    def __init__(self, owner: "Echoes") -> None:
        self.owner = owner
        self.to_send = b""

    def opened(self, now_ms: int) -> None:
        self.to_send = b"welcome "

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        self.to_send += bytes(data)
        if bytes(data) == b"one":
            self.owner.is_shut = True
        if bytes(data) == b"stop":
            self.owner.effects.append(Close(self.owner))

    def data_to_send(self, size_bytes_max: int) -> bytes:
        piece, self.to_send = self.to_send[:size_bytes_max], self.to_send[size_bytes_max:]
        return piece

    def closed(self, reason: str, now_ms: int) -> None:
        self.owner.is_shut = False
        tell("connection closed: " + reason)


class Echoes(Acceptor):
    def __init__(self) -> None:
        self.effects: list[Close] = []
        self.is_shut = False
        self.end = ""

    def accept(self, peer_address: str, now_ms: int) -> "Channel | None":
        tell(("refused: " if self.is_shut else "accepted: ") + peer_address)
        return None if self.is_shut else Echo(self)

    def closed(self, reason: str, now_ms: int) -> None:
        self.end = reason
        tell("closed: " + reason)


class Asking(Channel):
    def __init__(self) -> None:
        self.to_send = b""
        self.got = b""
        self.end = ""

    def opened(self, now_ms: int) -> None:
        tell("opened: " + self.peer_address)
        self.to_send = b"hello"

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        self.got += bytes(data)

    def data_to_send(self, size_bytes_max: int) -> bytes:
        piece, self.to_send = self.to_send[:size_bytes_max], self.to_send[size_bytes_max:]
        return piece

    def closed(self, reason: str, now_ms: int) -> None:
        self.end = reason
        tell("received: " + self.got.decode())
        tell("closed: " + reason)


def run(loop: "Any", connections: "Any", now_ms: "Any", goes_on: "Any", effects: "list[Close]") -> None:
    tell("begun")
    while goes_on():
        connections.step(now_ms())
        loop.wait(now_ms() + 20)
        while effects:
            connections.close(effects.pop(0).channel)


def listen(kind: str, *words: str) -> None:
    loop, connections, now_ms = make()
    acceptor = Echoes()
    target = (kind, words[0]) if kind == "unix" else (kind, words[0], int(words[1]))
    connections.listen(Listen(acceptor, target))
    run(loop, connections, now_ms, lambda: not acceptor.end or connections.busy(), acceptor.effects)


def open_local(folder: str, kind: str, name: str) -> None:
    loop, connections, now_ms = make()
    connections.socket_folder = folder
    channel = Asking()
    connections.open(Open(channel, (kind, name)))
    run(loop, connections, now_ms, lambda: not channel.end, [])


if __name__ == "__main__":
    if sys.argv[1] == "listen":
        listen(*sys.argv[2:])
    else:
        open_local(*sys.argv[2:])
