"""What a quota made the journal drop: counted, kept until it was reported, never silent."""

import struct

from edgelite.journal import layout

_DROPS = "<IIIIIII"


class Drops:
    """`count` rows between the names `first` and `last` were dropped and not taken yet. `floor` is the last row that
    a whole dropped segment held: it and all before it count as gone even if their segment is still there."""

    def __init__(self) -> None:
        self.count = 0
        self.first = (0, 0)
        self.last = (0, 0)
        self.floor = (0, 0)
        self.total = 0  # since the journal was opened
        self.changed = False  # not written yet

    def add(self, count: int, first: "tuple[int, int]", last: "tuple[int, int]") -> None:
        if self.count == 0:
            self.first = first
            self.last = last
        self.first = min(self.first, first)
        self.last = max(self.last, last)
        self.count += count
        self.total += count
        self.changed = True

    def take(self) -> "tuple[int, tuple[int, int], tuple[int, int]] | None":
        if self.count == 0:
            return None
        taken = (self.count, self.first, self.last)
        self.count = 0
        self.changed = True
        return taken

    def encode(self) -> bytes:
        self.changed = False
        names = self.first + self.last + self.floor
        return struct.pack(_DROPS, min(self.count, layout.UINT32_MAX), *names)

    def load(self, data: bytes) -> None:
        fields = struct.unpack(_DROPS, data)
        self.count = fields[0]
        self.first, self.last, self.floor = fields[1:3], fields[3:5], fields[5:7]
