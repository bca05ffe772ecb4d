"""A block device in memory that fails as devices do: unsynced changes are kept, lost, torn or reordered by a power cut,
and where it is flash, programming turns ones into zeros and nothing else."""

from edgelite_ports.common.block_storage import BlockDevice
from edgelite_protocol.errors import MisuseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class MemoryDevice(BlockDevice):
    def __init__(self, block_bytes: int = 512, block_count: int = 256, erased: int = 0) -> None:
        self.block_bytes = block_bytes
        self.block_count = block_count
        self.erased = erased
        self.data = bytearray(bytes([erased]) * (block_bytes * block_count))
        self._synced = bytearray(self.data)
        self._unsynced: list[tuple[int, bytes | None]] = []  # (offset, data), None for an erased block
        self.operations = 0
        self.after_change: Callable[[], None] | None = None  # called behind each change, to cut the power there

    def read(self, offset_bytes: int, size_bytes: int) -> bytes:
        return bytes(self.data[offset_bytes : offset_bytes + size_bytes])

    def program(self, offset_bytes: int, data: "bytes | bytearray | memoryview") -> None:
        if offset_bytes + len(data) > len(self.data):
            raise MisuseError("beyond the end of the device")
        self._note(offset_bytes, bytes(data))

    def erase(self, block: int) -> None:
        if not 0 <= block < self.block_count:
            raise MisuseError("no such block")
        self._note(block * self.block_bytes, None)

    def sync(self) -> None:
        for offset, data in self._unsynced:
            self._apply(self._synced, offset, data, None)
        self._unsynced = []

    def unsynced_count(self) -> int:
        return len(self._unsynced)

    def cut(self, fates: "list[int]") -> "MemoryDevice":
        """The power goes: what the next start finds. `fates` gives for each unsynced change, oldest first, how many of
        its bytes get there, -1 for all; what it does not reach is lost."""
        after = MemoryDevice(self.block_bytes, self.block_count, self.erased)
        after.data = bytearray(self._synced)
        for index, fate in enumerate(fates):
            offset, data = self._unsynced[index]
            self._apply(after.data, offset, data, None if fate < 0 else fate)
        after._synced = bytearray(after.data)
        return after

    def _note(self, offset: int, data: "bytes | None") -> None:
        self._apply(self.data, offset, data, None)
        self._unsynced.append((offset, data))
        self.operations += 1
        if self.after_change is not None:
            self.after_change()

    def _apply(self, medium: bytearray, offset: int, data: "bytes | None", size_bytes: "int | None") -> None:
        if data is None:
            count = self.block_bytes if size_bytes is None else min(size_bytes, self.block_bytes)
            medium[offset : offset + count] = bytes([self.erased]) * count
            return
        count = len(data) if size_bytes is None else min(size_bytes, len(data))
        for index in range(count):
            medium[offset + index] = data[index] & medium[offset + index] if self.erased else data[index]
