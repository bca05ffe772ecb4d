"""Two ends of a line, and a wire between them that does what a test says to each byte or packet."""

from edgelite_protocol import line
from edgelite_protocol.cobs import PacketReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

BAUD = 115200
STEP_MS = 10


class Chance:
    """Numbers that repeat with their seed, on both runtimes."""

    def __init__(self, seed: int) -> None:
        self._state = seed * 2 + 1

    def below(self, bound: int) -> int:
        self._state = (self._state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self._state >> 8) % bound


class Harm:
    """Chances in 10,000 for each byte."""

    def __init__(self, seed: int, lost: int = 0, flipped: int = 0, invented: int = 0, doubled: int = 0) -> None:
        self.chance = Chance(seed)
        self.lost = lost
        self.flipped = flipped
        self.invented = invented
        self.doubled = doubled  # chance in 100 that a packet comes twice
        self.silent = False  # nothing passes

    def apply(self, data: bytes) -> bytes:
        if self.silent:
            return b""
        out = bytearray()
        for byte in data:
            draw = self.chance.below(10000)
            if draw < self.lost:
                continue
            if draw < self.lost + self.flipped:
                byte ^= 1 << self.chance.below(8)
            out.append(byte)
            if self.chance.below(10000) < self.invented:
                out.append(self.chance.below(256))
        if self.doubled and self.chance.below(100) < self.doubled:
            return bytes(out) + bytes(out)
        return bytes(out)


class Side:
    def __init__(self, end: line.LineEnd) -> None:
        self.end = end
        self.reader = PacketReader(line.PACKET_BYTES_MAX)
        self.to_send: list[bytes] = []
        self.got: list[bytes] = []
        self.takes = True  # messages that arrive

    def feed(self, data: bytes, now_ms: int) -> None:
        self.reader.feed(data)
        packet = self.reader.next_packet()
        while packet is not None:
            parts = line.decode(packet)
            if parts is not None and parts[0] == self.end.address:
                self.end.receive(parts[1], parts[2], parts[3], parts[4], parts[5], now_ms)
            packet = self.reader.next_packet()

    def work(self, now_ms: int) -> None:
        message = self.end.next_message() if self.takes else None
        while message is not None:
            self.got.append(message)
            message = self.end.next_message()
        while self.to_send and self.end.can_send():
            self.end.send(self.to_send.pop(0))
        self.end.step(now_ms)

    def packets(self) -> "list[bytes]":
        packets = []
        packet = self.end.next_packet()
        while packet is not None:
            packets.append(packet)
            packet = self.end.next_packet()
        return packets


class World:
    """`node` opens, `gateway` answers. `run` lets time pass."""

    def __init__(self, harm: "Harm | None" = None, incarnation: int = 77) -> None:
        self.now_ms = 0
        self.step_ms = STEP_MS
        self.harm = harm or Harm(1)
        self.node = Side(line.LineEnd(True, 5, incarnation, BAUD, 0))
        self.gateway = Side(line.LineEnd(False, 5, incarnation, BAUD, 0))

    def run(self, until: "Callable[[], bool]", limit_ms: int) -> bool:
        """False where it did not come about in time."""
        end_ms = self.now_ms + limit_ms
        while self.now_ms < end_ms:
            for one, other in ((self.node, self.gateway), (self.gateway, self.node)):
                one.work(self.now_ms)
                for packet in one.packets():
                    other.feed(self.harm.apply(packet), self.now_ms)
            if until():
                return True
            self.now_ms += self.step_ms
        return False
