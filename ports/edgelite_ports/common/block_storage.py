"""The journal's files on a raw block device: a flash partition, an EEPROM, a card without a file system.

    +--------+--------+---------+---------+--
    | slot 0 | slot 1 | blocks of files, each file in one run of whole blocks
    +--------+--------+---------+---------+--

Each slot holds one version of the directory; the valid one with the greater sequence counts. Making, renaming and
removing files changes the directory in memory, and the next sync writes it: first the data becomes durable, then the
older slot is written, then that becomes durable. Blocks that the durable directory gives to a file are not given to
another one before a directory says so durably. So a power cut finds one directory or the next, whole, and under each
of them every file has the data that it had when that directory was written, or newer.

A directory (little-endian): `ELD1`, bytes of all of it (4), sequence (4), block size (4), block count (4), number of
files (2); for each file the size of its name (1), its name, first block (4), size in bytes (4); at last the CRC-32 of
what is before it. A slot has at least 4,096 bytes and whole blocks.

Flash is erased to ones and programmed to zeros. There, data is kept inverted, so that a new file's zeros are what
erasing leaves, and what the journal appends needs no second erasing. Where bits would have to go back all the same,
the block is read, erased and written again; a power cut within may cost the block, so the journal is told
(`reuses_files`) to make new files rather than to write over old ones.
"""

import struct
from binascii import crc32

from edgelite.storage import Storage, StorageFullError
from edgelite_protocol.errors import CorruptionError, MisuseError, PlatformError

MAGIC = b"ELD1"
HEADER = "<4sIIIIH"
HEADER_BYTES = 22
SLOT_BYTES_MIN = 4096
NAME_BYTES_MAX = 64
FILES_MAX = 128  # 4,096 bytes hold so many names of the journal's
PIECE_BYTES = 512  # what is compared, inverted or read at once: the heap of a small device is the bound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class BlockDevice:
    """What a port hands in. All raise PlatformError where the medium fails.

    `block_bytes` is what is erased at once. `erased` is the byte that erasing leaves: 0xFF where programming can only
    turn ones into zeros, 0 where bytes may be written freely.
    """

    block_bytes = 4096
    block_count = 0
    erased = 0xFF

    def read(self, offset_bytes: int, size_bytes: int) -> bytes:
        raise NotImplementedError

    def program(self, offset_bytes: int, data: "bytes | bytearray | memoryview") -> None:
        raise NotImplementedError

    def erase(self, block: int) -> None:
        raise NotImplementedError

    def sync(self) -> None:
        raise NotImplementedError


class BlockStorage(Storage):
    """Opens what is on the device; a blank one is made ready first. CorruptionError where it holds something else:
    `BlockStorage.wipe(device)` makes it blank, a person decides that."""

    reuses_files = False
    chunk_bytes = PIECE_BYTES  # a board's heap has no room for more

    def __init__(self, device: BlockDevice) -> None:
        self._device = device
        self._slot_blocks = (SLOT_BYTES_MIN + device.block_bytes - 1) // device.block_bytes
        if device.block_count < 2 * self._slot_blocks + 8:
            raise PlatformError("the block device has %d blocks, too few to keep a journal" % device.block_count)
        self._files: dict[str, tuple[int, int]] = {}  # name: first block, size in bytes
        self._durable: list[tuple[int, int]] = []  # (first block, blocks) that the durable directory gives away
        self._sequence = 0
        self._changed = False
        self.rewrites = 0  # blocks that had to be erased under data that stays
        self.is_rewriting = False
        self._open()

    @staticmethod
    def wipe(device: BlockDevice) -> None:
        """Forget everything on the device."""
        slot_blocks = (SLOT_BYTES_MIN + device.block_bytes - 1) // device.block_bytes
        for block in range(2 * slot_blocks):
            device.erase(block)
        device.sync()

    # ---- the contract

    def names(self) -> "list[str]":
        return list(self._files.keys())

    def size_bytes(self, name: str) -> int:
        return self._file(name)[1]

    def create(self, name: str, size_bytes: int) -> None:
        if name in self._files:
            raise MisuseError(name + " is there already")
        if not 0 < len(name.encode()) <= NAME_BYTES_MAX or size_bytes <= 0:
            raise MisuseError("a file needs a name of 1 to %d bytes and a size" % NAME_BYTES_MAX)
        blocks = self._blocks(size_bytes)
        start = self._find(blocks, self._durable)
        if start is None and self._changed and self._find(blocks, []) is not None:
            self.sync()  # what was removed is given away as soon as that is durable
            start = self._find(blocks, self._durable)
        if start is None or len(self._files) >= FILES_MAX:
            raise StorageFullError("no room for " + name, "give the journal a smaller size, or a larger partition")
        for block in range(start, start + blocks):
            self._device.erase(block)
        self._files[name] = (start, size_bytes)
        self._changed = True

    def read(self, name: str, offset_bytes: int, size_bytes: int) -> bytes:
        start, file_bytes = self._file(name)
        size_bytes = max(0, min(size_bytes, file_bytes - offset_bytes))
        if size_bytes == 0:
            return b""
        return self._load(start * self._device.block_bytes + offset_bytes, size_bytes)

    def write(self, name: str, offset_bytes: int, data: "bytes | bytearray | memoryview") -> None:
        start, file_bytes = self._file(name)
        if offset_bytes < 0 or offset_bytes + len(data) > file_bytes:
            raise MisuseError("a write to %s outside of its %d bytes" % (name, file_bytes))
        place = start * self._device.block_bytes + offset_bytes
        view = memoryview(data)
        at = 0
        while at < len(view):
            piece = min(PIECE_BYTES, len(view) - at, self._device.block_bytes - (place + at) % self._device.block_bytes)
            self._store(place + at, view[at : at + piece])
            at += piece

    def rename(self, name: str, new_name: str) -> None:
        file = self._file(name)
        del self._files[name]
        self._files[new_name] = file
        self._changed = True

    def remove(self, name: str) -> None:
        self._file(name)
        del self._files[name]
        self._changed = True

    def free_bytes(self) -> int:
        used = sum([self._blocks(size_bytes) for _, size_bytes in self._files.values()])
        return (self._device.block_count - 2 * self._slot_blocks - used) * self._device.block_bytes

    def sync(self) -> None:
        self._device.sync()
        if self._changed:
            self._write_directory()

    # ---- bytes, inverted where the medium erases to ones

    def _load(self, place: int, size_bytes: int) -> bytes:
        data = self._device.read(place, size_bytes)
        if len(data) != size_bytes:
            raise PlatformError("the block device gave %d bytes of %d" % (len(data), size_bytes))
        return bytes(_inverted(data)) if self._device.erased else data

    def _store(self, place: int, data: memoryview) -> None:
        """Within one block, PIECE_BYTES at most."""
        if not self._device.erased:
            self._device.program(place, data)
            return
        wanted = _inverted(data)
        there = self._device.read(place, len(wanted))
        for index in range(len(wanted)):
            if wanted[index] & there[index] != wanted[index]:
                self._rewrite(place, wanted)
                return
        self._device.program(place, wanted)

    def _rewrite(self, place: int, wanted: "bytes | bytearray") -> None:
        block_bytes = self._device.block_bytes
        block = place // block_bytes
        content = bytearray(self._device.read(block * block_bytes, block_bytes))
        content[place % block_bytes : place % block_bytes + len(wanted)] = wanted
        self.is_rewriting = True
        self._device.erase(block)
        self._device.program(block * block_bytes, content)
        self.is_rewriting = False
        self.rewrites += 1

    # ---- where files lie

    def _file(self, name: str) -> "tuple[int, int]":
        file = self._files.get(name)
        if file is None:
            raise PlatformError(name + ": no such file")
        return file

    def _blocks(self, size_bytes: int) -> int:
        return (size_bytes + self._device.block_bytes - 1) // self._device.block_bytes

    def _find(self, blocks: int, reserved: "list[tuple[int, int]]") -> "int | None":
        """The first run of so many blocks that neither a file nor `reserved` has."""
        taken = [(start, self._blocks(size_bytes)) for start, size_bytes in self._files.values()]
        start = 2 * self._slot_blocks
        for first, count in sorted(taken + reserved):
            if first - start >= blocks:
                return start
            start = max(start, first + count)
        return start if self._device.block_count - start >= blocks else None

    # ---- the directory

    def _open(self) -> None:
        slots = [self._read_slot(0), self._read_slot(1)]
        found = [directory for directory in slots if directory is not None]
        if not found:
            self._make_ready()
            return
        self._sequence, self._files = max(found, key=lambda directory: directory[0])
        self._note_durable()

    def _make_ready(self) -> None:
        # Slot 1 is blank until slot 0 was durable once, so nothing was ever kept where it is.
        if not self._is_blank(1):
            raise CorruptionError("block device", "holds something else than files; erase it if nobody needs that")
        self._write_directory()
        self._write_directory()

    def _is_blank(self, slot: int) -> bool:
        size_bytes = self._slot_blocks * self._device.block_bytes
        for at in range(0, size_bytes, PIECE_BYTES):
            piece = self._device.read(slot * size_bytes + at, PIECE_BYTES)
            if piece.count(b"\xff") != len(piece) and piece.count(b"\0") != len(piece):
                return False
        return True

    def _read_slot(self, slot: int) -> "tuple[int, dict[str, tuple[int, int]]] | None":
        slot_bytes = self._slot_blocks * self._device.block_bytes
        head = self._device.read(slot * slot_bytes, HEADER_BYTES)
        magic, size_bytes, sequence, block_bytes, block_count, count = struct.unpack(HEADER, head)
        if magic != MAGIC or not HEADER_BYTES + 4 <= size_bytes <= slot_bytes:
            return None
        data = self._device.read(slot * slot_bytes, size_bytes)
        if crc32(data[:-4]) & 0xFFFFFFFF != struct.unpack("<I", data[-4:])[0]:
            return None
        if (block_bytes, block_count) != (self._device.block_bytes, self._device.block_count):
            raise CorruptionError(
                "block device",
                "was made ready with %d blocks of %d bytes and has %d of %d now"
                % (block_count, block_bytes, self._device.block_count, self._device.block_bytes),
            )
        return sequence, _parse_entries(data, count)

    def _write_directory(self) -> None:
        """Into the slot of the older one, whole and durable when this returns."""
        sequence = self._sequence + 1
        parts: list[bytes] = [b""]
        for name, (start, size_bytes) in self._files.items():
            encoded = name.encode()
            parts.append(struct.pack("<B", len(encoded)) + encoded + struct.pack("<II", start, size_bytes))
        size = HEADER_BYTES + sum([len(part) for part in parts]) + 4
        slot_bytes = self._slot_blocks * self._device.block_bytes
        if size > slot_bytes:
            raise StorageFullError("the block device's directory has no room for another name")
        parts[0] = struct.pack(
            HEADER, MAGIC, size, sequence, self._device.block_bytes, self._device.block_count, len(self._files)
        )
        data = b"".join(parts)
        data += struct.pack("<I", crc32(data) & 0xFFFFFFFF)
        slot = (sequence - 1) % 2
        for block in range(slot * self._slot_blocks, (slot + 1) * self._slot_blocks):
            self._device.erase(block)
        self._device.program(slot * slot_bytes, data)
        self._device.sync()
        self._sequence = sequence
        self._changed = False
        self._note_durable()

    def _note_durable(self) -> None:
        self._durable = [(start, self._blocks(size_bytes)) for start, size_bytes in self._files.values()]


def _parse_entries(data: bytes, count: int) -> "dict[str, tuple[int, int]]":
    files: dict[str, tuple[int, int]] = {}
    at = HEADER_BYTES
    for _ in range(count):  # the CRC held, so what is here was written by us
        end = at + 1 + data[at]
        files[str(data[at + 1 : end], "utf-8")] = struct.unpack("<II", data[end : end + 8])
        at = end + 8
    return files


def _inverted(data: "Any") -> bytearray:
    """Of at most a block; a view of it is never kept."""
    found = bytearray(data)
    for index in range(len(found)):
        found[index] ^= 0xFF
    return found
