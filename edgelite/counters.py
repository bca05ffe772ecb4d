"""Numbers that no power cut brings back: reserved in blocks in the journal, used only below what is durable."""

from edgelite.journal import SPACE_LINK
from edgelite.storage import StorageFullError
from edgelite_protocol.errors import CorruptionError, MisuseError, PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edgelite.journal import Journal

BLOCK = 32  # reconnects for one record: a node that starts anew leaves out what is left of its block
COUNTER_MAX = 0xFFFFFFFF
_KEY = "sessions"


class Counters:
    """`take` gives each number once in the life of a journal, ascending."""

    def __init__(self, journal: "Journal", random_bytes: "Callable[[int], bytes]") -> None:
        self._journal = journal
        self._random_bytes = random_bytes
        self._next: int | None = None  # None before the first reservation of this start
        self._end = 0  # of the block, exclusive
        self._position = 0  # of the journal, when the block is durable

    def take(self) -> "int | None":
        """A number that was never given; None while its block is on its way to the flash, or finds no room there."""
        if self._next is None or self._next == self._end:
            self._reserve()
        if self._next is None or self._next == self._end or self._journal.durable_position < self._position:
            return None
        self._next += 1
        return self._next - 1

    def _reserve(self) -> None:
        try:
            start = self._read() if self._next is None else self._next
        except PlatformError:
            return  # not readable at present
        if start + BLOCK > COUNTER_MAX:
            raise MisuseError("all session numbers are used up: provision this node anew")
        try:
            self._position = self._journal.write([("put", SPACE_LINK, _KEY, (start + BLOCK).to_bytes(4, "big"))])
        except StorageFullError:
            return
        self._journal.urgent()
        self._next = start
        self._end = start + BLOCK

    def _read(self) -> int:
        """Where the last block ended. Damaged, nobody knows: a leap makes it unlikely that a number comes again, and
        the random part of a session's id context more so."""
        try:
            kept = self._journal.get(SPACE_LINK, _KEY)
        except CorruptionError:
            return int.from_bytes(self._random_bytes(4), "big") >> 1
        return int.from_bytes(kept, "big") if kept else 0
