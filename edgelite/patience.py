"""The journal as supervisor, devices and link see it: neither a full medium nor a damaged value stops them.

What finds no room waits in memory, the newest value of each key, and is written when there is room again. Until then
an end of the agent loses it, as the log says; reading gives what was written last in either case. A value that does
not validate any more counts as absent, and is told once.
"""

from edgelite.storage import StorageFullError
from edgelite_protocol.errors import CorruptionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.journal import Journal

    Change = tuple[object, ...]


class PatientJournal:
    """`get`, `keys`, `write` and `generation` of a journal. It holds one value for each key that its users have:
    as many as there are units and properties, whose number the desired state bounds."""

    def __init__(self, journal: "Journal") -> None:
        self._journal = journal
        self._waiting: dict[tuple[int, str], Change] = {}
        self._damage: list[str] = []

    @property
    def generation(self) -> int:
        return self._journal.generation

    def get(self, space: int, key: str) -> "bytes | None":
        change = self._waiting.get((space, key))
        if change is None:
            return self._read(space, key)
        return change[3] if change[0] == "put" else None  # type: ignore[return-value]

    def _read(self, space: int, key: str) -> "bytes | None":
        try:
            return self._journal.get(space, key)
        except CorruptionError as error:
            self._damage.append(str(error))
            self.write([("delete", space, key)])
            return None

    def take_damage(self) -> "list[str]":
        """A line for a person for each value that was found damaged since the last call."""
        taken = self._damage
        self._damage = []
        return taken

    def keys(self, space: int) -> "list[str]":
        keys = set(self._journal.keys(space))
        for (waiting_space, key), change in self._waiting.items():
            if waiting_space == space and change[0] == "put":
                keys.add(key)
            elif waiting_space == space:
                keys.discard(key)
        return sorted(keys)

    def write(self, changes: "list[Change]") -> int:
        """("put", space, key, value) and ("delete", space, key), all or none; never raises for want of room."""
        for change in changes:
            self._waiting[(change[1], change[2])] = change  # type: ignore[index]
        self.step()
        return self._journal.position

    def step(self) -> None:
        """Write what waits, where there is room now. One group: what was written together stays together."""
        if not self._waiting:
            return
        try:
            self._journal.write([self._waiting[place] for place in sorted(self._waiting)])
        except StorageFullError:
            return
        self._waiting = {}
