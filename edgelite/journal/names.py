"""How reports are named: journal id, generation, sequence.

The generation grows each time the journal is opened and with each new journal id, so it alone tells under which id
a report was made, and (generation, sequence) orders all reports of a journal across its ids.
"""

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_ENTRY = "<I8s"
_ENTRY_BYTES = 12


class Names:
    def __init__(self, random_bytes: "Callable[[int], bytes]") -> None:
        self._random_bytes = random_bytes
        self._ids: list[tuple[int, bytes]] = []  # (first generation, journal id), ascending
        self.generation = 0
        self.sequence = 0
        self.instance = random_bytes(8)

    def load(self, data: bytes) -> None:
        self._ids = []
        for offset in range(0, len(data) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
            generation, journal_id = struct.unpack_from(_ENTRY, data, offset)
            self._ids.append((generation, bytes(journal_id)))

    def encode(self) -> bytes:
        return b"".join([struct.pack(_ENTRY, generation, journal_id) for generation, journal_id in self._ids])

    def saw(self, generation: int) -> None:
        """Recovery met this generation: it is used up."""
        self.generation = max(self.generation, generation)

    def begin(self, fresh_id: bool) -> None:
        """A new generation, under a new journal id if asked for or if there is none yet."""
        self.generation += 1
        self.sequence = 0
        if fresh_id or not self._ids:
            self._ids.append((self.generation, self._random_bytes(8)))

    def rename(self) -> None:
        """A new journal id for the reports of this generation and for later ones."""
        if self._ids and self._ids[-1][0] == self.generation:
            self._ids.pop()
        self._ids.append((self.generation, self._random_bytes(8)))

    def take(self) -> "tuple[int, int]":
        """The name of the next report."""
        self.sequence += 1
        return self.generation, self.sequence

    def journal_id(self) -> bytes:
        return self._ids[-1][1] if self._ids else bytes(8)

    def id_generation(self) -> int:
        return self._ids[-1][0] if self._ids else 0

    def journal_id_of(self, generation: int) -> bytes:
        found = self._ids[0][1]
        for first, journal_id in self._ids:
            if first <= generation:
                found = journal_id
        return found

    def next_id_generation(self, generation: int) -> "int | None":
        """The first generation behind this one that has another journal id."""
        for first, _ in self._ids:
            if first > generation:
                return first
        return None

    def forget_before(self, generation: int) -> None:
        """No report of an earlier generation is left."""
        while len(self._ids) > 1 and self._ids[1][0] <= generation:
            self._ids.pop(0)
