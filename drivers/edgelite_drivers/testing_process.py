"""The contract suite for a driver that runs in a process of its own: the peer of a `Subject` is the real program.

    with Program([sys.executable, "scale_process.py"], "scale", folder) as program:
        check_driver(Subject(scale, protocol, visitors, values, program.peer))

Each peer is a connection with the program, which must therefore stand for a device that holds `values`: run it with a
device of your own behind it, or with one that it simulates.
"""

import os
import socket
import subprocess
import time

from edgelite_drivers import driver_frames as frames
from edgelite_drivers.process_server import PATH_VARIABLE
from edgelite_protocol import cbor
from edgelite_protocol.frames import PAYLOAD_BYTES_MAX, FrameReader, encode_frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self

START_S = 30.0
ANSWER_S = 20.0
_ANSWERED = (frames.HELLO, frames.REQUEST, frames.PING)  # what the program must answer


class Program:
    """The driver's program while the `with` block runs. `command` is started with EDGELITE_DRIVER_SOCKET; `errors` is
    where its stderr goes, a descriptor; `say()` makes its device say what `Subject.heard` has."""

    def __init__(
        self,
        command: "list[str]",
        name: str,
        folder: str,
        errors: "int | None" = None,
        say: "Callable[[], object] | None" = None,
    ) -> None:
        self._say = say
        self.path = os.path.join(folder, "driver-%s.sock" % name)
        self.process = subprocess.Popen(command, env={**os.environ, PATH_VARIABLE: self.path}, stderr=errors)
        self._peers: list[ProcessPeer] = []

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_error: object) -> None:
        for peer in self._peers:
            peer.close()
        self.process.kill()
        self.process.wait()

    def peer(self) -> "ProcessPeer":
        self._peers.append(ProcessPeer(self.connect, self._say))
        return self._peers[-1]

    def connect(self) -> socket.socket:
        """OSError where it does not listen in time."""
        end_s = time.monotonic() + START_S
        while True:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(ANSWER_S)
            try:
                connection.connect(self.path)
            except OSError:
                connection.close()
                if time.monotonic() > end_s or self.process.poll() is not None:
                    raise
                time.sleep(0.02)
                continue
            return connection


class ProcessPeer:
    """`answer(data)` as `edgelite_drivers.testing` asks for it, over a socket. A hello begins a new connection."""

    def __init__(self, connect: "Callable[[], socket.socket]", say: "Callable[[], object] | None" = None) -> None:
        self._connect = connect
        self._say = say
        self._listening: set[int] = set()
        self._connection: socket.socket | None = None
        self._asked = FrameReader(PAYLOAD_BYTES_MAX)
        self._told = FrameReader(PAYLOAD_BYTES_MAX)

    def answer(self, data: bytes) -> bytes:
        self._asked.feed(data)
        received = b""
        frame = self._asked.next_frame()
        while frame is not None:
            received += self._exchange(frame[0], frame[1])
            frame = self._asked.next_frame()
        return received

    def say(self) -> bytes:
        """What the program tells when its device speaks: one result for each that listens."""
        if self._say is None:
            raise ValueError("say() is needed where Subject.heard has something")
        self._say()
        return self._receive(len(self._listening))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _exchange(self, stream: int, payload: bytes) -> bytes:
        message: Any = cbor.decode(payload)
        kind = message[frames.TYPE]
        if kind == frames.HELLO:
            self.close()
            self._connection = self._connect()
            self._told = FrameReader(PAYLOAD_BYTES_MAX)
            self._listening = set()
        if self._connection is None:
            return b""
        self._connection.sendall(encode_frame(stream, payload))
        if kind not in _ANSWERED:
            self._note(kind, message[frames.NUMBER])
            return b""
        return self._receive(1)

    def _note(self, kind: int, number: int) -> None:
        """Who listens now; a ping tells when the program has read it too."""
        if kind == frames.LISTEN:
            self._listening.add(number)
        elif kind == frames.IGNORE:
            self._listening.discard(number)
        assert self._connection is not None
        self._connection.sendall(frames.numbered(frames.PING, 0xFFFFFFFF))
        self._receive(1)

    def _receive(self, count: int) -> bytes:
        """So many frames, as bytes."""
        received = b""
        while count > 0 and self._connection is not None:
            frame = self._told.next_frame()
            if frame is not None:
                received += encode_frame(frame[0], frame[1])
                count -= 1
                continue
            data = self._connection.recv(65536)
            if not data:
                raise ConnectionError("the driver's program closed the connection")
            self._told.feed(data)
        return received
