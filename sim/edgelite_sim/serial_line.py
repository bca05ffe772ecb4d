"""A serial line that several nodes share with one gateway, made of pseudo terminals, with noise where it is wanted.

What the gateway says reaches every node; what the nodes say is put together packet by packet, as a multiplexer does.
A pseudo terminal does not pace by a baud rate.
"""

from __future__ import annotations

import os
import random
import select
import threading
import tty
from dataclasses import dataclass, field

READ_BYTES = 4096
TICK_MS = 200
PACKET_BYTES_MAX = 1024  # of a node, without an end: then it is passed on as it is


@dataclass(slots=True)
class Noise:
    """Chances for each byte that passes; what they are drawn from repeats with the seed."""

    seed: int = 0
    lost: float = 0.0
    flipped: float = 0.0
    invented: float = 0.0
    count: int = 0  # bytes harmed so far
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def apply(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            draw = self._random.random()
            if draw < self.lost:
                self.count += 1
                continue
            if draw < self.lost + self.flipped:
                self.count += 1
                byte ^= 1 << self._random.randrange(8)
            out.append(byte)
            if self._random.random() < self.invented:
                self.count += 1
                out.append(self._random.randrange(256))
        return bytes(out)


class SharedLine:
    """`gateway_path` and `node_paths` are what the agents open. `close` ends it."""

    def __init__(self, nodes: int, noise: Noise | None = None) -> None:
        self.noise = noise or Noise()
        self.cut = False  # True: nothing passes
        self.recorded = bytearray()  # all that passed, in both directions
        self._pairs = [os.openpty() for _ in range(nodes + 1)]
        for _, slave in self._pairs:
            tty.setraw(slave)  # the slaves stay open here, so that an agent may come and go
        self.gateway_path, *self.node_paths = [os.ttyname(slave) for _, slave in self._pairs]
        self._masters = [master for master, _ in self._pairs]
        for master in self._masters:
            os.set_blocking(master, False)
        self._parts = dict.fromkeys(self._masters[1:], b"")
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._is_closing = True
        self._thread.join()
        for pair in self._pairs:
            for descriptor in pair:
                os.close(descriptor)

    def _run(self) -> None:
        poll = select.poll()
        for master in self._masters:
            poll.register(master, select.POLLIN)
        while not self._is_closing:
            for master, _ in poll.poll(TICK_MS):
                self._pass_on(master, os.read(master, READ_BYTES))

    def _pass_on(self, master: int, data: bytes) -> None:
        if self.cut:
            return
        self.recorded += data
        gateway = self._masters[0]
        if master == gateway:
            data = self.noise.apply(data)
            for node in self._masters[1:]:
                self._write(node, data)
            return
        data = self._parts[master] + data
        end = data.rfind(b"\0") + 1
        if not end and len(data) > PACKET_BYTES_MAX:
            end = len(data)
        self._parts[master] = data[end:]
        self._write(gateway, self.noise.apply(data[:end]))

    def _write(self, master: int, data: bytes) -> None:
        try:
            os.write(master, data)
        except BlockingIOError:
            return  # nobody reads there: a line does not wait
