"""The journal as supervisor and devices see it: a full medium never stops them.

What finds no room waits in memory, the newest value of each key, and is written when there is room again. Until then
an end of the agent loses it, as the log says; reading gives what was written last in either case.
"""

from edgelite.storage import StorageFullError

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

    @property
    def generation(self) -> int:
        return self._journal.generation

    def get(self, space: int, key: str) -> "bytes | None":
        change = self._waiting.get((space, key))
        if change is None:
            return self._journal.get(space, key)
        return change[3] if change[0] == "put" else None  # type: ignore[return-value]

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
