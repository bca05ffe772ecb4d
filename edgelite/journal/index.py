"""Where the newest value of each key stands. Keys and places only; values are read back from storage."""


class Index:
    def __init__(self) -> None:
        self._spaces: dict[int, dict[str, int]] = {}
        self.live_bytes = 0  # of the records that the places name

    def put(self, space: int, key: str, place: int) -> None:
        places = self._spaces.setdefault(space, {})
        self._forget(places, key)
        places[key] = place
        self.live_bytes += place & 0xFFFFFF

    def delete(self, space: int, key: str) -> None:
        self._forget(self._spaces.get(space, {}), key)

    def promote(self, from_space: int, to_space: int) -> None:
        for place in self._spaces.get(to_space, {}).values():
            self.live_bytes -= place & 0xFFFFFF
        self._spaces[to_space] = self._spaces.pop(from_space, {})

    def get(self, space: int, key: str) -> "int | None":
        return self._spaces.get(space, {}).get(key)

    def keys(self, space: int) -> "list[str]":
        """Sorted, so that both runtimes give the same order."""
        return sorted(self._spaces.get(space, {}))

    def space_of(self, key: str, place: int) -> "int | None":
        """The space in which that very record is the key's newest value; None where it is out of date."""
        for space, places in self._spaces.items():
            if places.get(key) == place:
                return space
        return None

    def _forget(self, places: "dict[str, int]", key: str) -> None:
        old = places.pop(key, None)
        if old is not None:
            self.live_bytes -= old & 0xFFFFFF
