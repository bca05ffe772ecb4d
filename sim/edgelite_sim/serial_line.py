"""A serial line that several nodes share with one gateway, made of pseudo terminals, with noise where it is wanted.

What the gateway says reaches every node; what the nodes say is put together packet by packet, as a multiplexer does.
A pseudo terminal does not pace by a baud rate; with one given, the line does.
"""

from __future__ import annotations

import os
import random
import select
import threading
import time
import tty
from dataclasses import dataclass, field

READ_BYTES = 4096
TICK_MS = 200
PACED_TICK_MS = 2
BITS_PER_BYTE = 10
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

    def __init__(self, nodes: int, noise: Noise | None = None, baud: int = 0) -> None:
        self.noise = noise or Noise()
        self._bytes_per_s = baud / BITS_PER_BYTE
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
        self._under_way: list[tuple[float, int, bytes]] = []  # (when it has arrived, where, what), paced lines only
        self._free_s = {"up": 0.0, "down": 0.0}  # when the direction has carried all that it was given
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
            for master, _ in poll.poll(PACED_TICK_MS if self._under_way else TICK_MS):
                self._pass_on(master, os.read(master, READ_BYTES))
            self._arrive()

    def _pass_on(self, master: int, data: bytes) -> None:
        if self.cut:
            return
        self.recorded += data
        gateway = self._masters[0]
        if master == gateway:
            data = self.noise.apply(data)
            self._send("down", self._masters[1:], data)
            return
        data = self._parts[master] + data
        end = data.rfind(b"\0") + 1
        if not end and len(data) > PACKET_BYTES_MAX:
            end = len(data)
        self._parts[master] = data[end:]
        self._send("up", [gateway], self.noise.apply(data[:end]))

    def _send(self, direction: str, to: list[int], data: bytes) -> None:
        if not self._bytes_per_s:
            for master in to:
                self._write(master, data)
            return
        start_s = max(time.monotonic(), self._free_s[direction])
        self._free_s[direction] = start_s + len(data) / self._bytes_per_s
        self._under_way += [(self._free_s[direction], master, data) for master in to]

    def _arrive(self) -> None:
        now_s = time.monotonic()
        for _, master, data in [one for one in self._under_way if one[0] <= now_s]:
            self._write(master, data)
        self._under_way = [one for one in self._under_way if one[0] > now_s]

    def _write(self, master: int, data: bytes) -> None:
        try:
            os.write(master, data)
        except BlockingIOError:
            return  # nobody reads there: a line does not wait
