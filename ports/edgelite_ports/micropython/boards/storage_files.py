"""Files of a storage as `StateDirectory` reads them: a board without a file system keeps agent.conf and its keys beside
the journal, which leaves files of other names alone."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.storage import Storage


class StorageFiles:
    def __init__(self, storage: "Storage") -> None:
        self._storage = storage

    def is_missing(self, path: str) -> bool:
        return _name(path) not in self._storage.names()

    def read_bytes(self, path: str, size_bytes_max: int) -> bytes:
        name = _name(path)
        return self._storage.read(name, 0, min(self._storage.size_bytes(name), size_bytes_max))


def _name(path: str) -> str:
    return path.rpartition("/")[2]
