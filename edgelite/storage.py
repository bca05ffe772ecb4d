"""The storage contract: what the journal needs of a flash.

Reads and writes are direct calls. Sync is an effect (`edgelite.effects.Sync`): a card can stall for seconds, so a
port carries it out elsewhere and completes it with `synced(token)` or `sync_failed(token, error)`; until then a
power cut may keep, lose, tear or reorder any write since the last completed sync.

Every implementation passes edgelite_ports/testing/storage_contract.py.
"""

from edgelite_protocol.errors import PlatformError


class StorageFullError(PlatformError):
    """The medium, or the quota on it, has no room for another file. What is stored stays stored."""


class StorageFailingError(StorageFullError):
    """The medium fails, so there is no other file for the moment. Whoever waits for room waits for this, too; but
    nothing gives way for it, since that would free nothing."""


class Storage:
    """A flat set of named files of a size fixed when they are made (journal segments).

    All methods raise `PlatformError` where the medium fails (`PlatformError.text` names the file), `MisuseError`
    where the caller does. Nothing here may take a read error for absence.
    """

    # Whether a file that is no longer needed is better written over, after a rename, than removed for a new one: the
    # zeros of a new file cost writes on most media. False where writing over costs more than making anew, as on flash
    # without a file system.
    reuses_files = True

    # What the journal reads at once; it bounds what recovery holds in memory. One page of the flash file systems.
    chunk_bytes = 4096

    def names(self) -> list[str]:
        """The files there are, in no order that means anything."""
        raise NotImplementedError

    def size_bytes(self, name: str) -> int:
        raise NotImplementedError

    def create(self, name: str, size_bytes: int) -> None:
        """A new file filled with zeros, mode 0600, its space allocated; whole or absent after a power cut
        once the next sync has completed. StorageFullError where there is no room."""
        raise NotImplementedError

    def read(self, name: str, offset_bytes: int, size_bytes: int) -> bytes:
        """Exactly that many bytes; fewer only at the end of the file."""
        raise NotImplementedError

    def write(self, name: str, offset_bytes: int, data: "bytes | bytearray | memoryview") -> None:
        """Inside the file's size, which it never changes."""
        raise NotImplementedError

    def rename(self, name: str, new_name: str) -> None:
        """Replaces `new_name` if it is there; durable with the next sync."""
        raise NotImplementedError

    def remove(self, name: str) -> None:
        """Durable with the next sync."""
        raise NotImplementedError

    def free_bytes(self) -> int:
        """How much more `create` could allocate."""
        raise NotImplementedError

    def sync(self) -> None:
        """Make everything before this call durable: data, names, removals. Blocks; run by the port, never by
        the core. May run in another thread while the core writes on."""
        raise NotImplementedError
