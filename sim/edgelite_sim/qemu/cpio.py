"""Archives as the kernel unpacks them into its first root: cpio's format "newc", everything owned by root."""

from __future__ import annotations

import stat
from pathlib import Path

MAGIC = b"070701"
TRAILER = "TRAILER!!!"
ALIGN_BYTES = 512  # archives that follow each other start at a multiple of four; tools write multiples of this


class Archive:
    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._folders: set[str] = set()
        self._inode = 0

    def folder(self, name: str) -> None:
        """And those above it, each once."""
        parts = name.strip("/").split("/")
        for count in range(1, len(parts) + 1):
            path = "/".join(parts[:count])
            if path and path not in self._folders:
                self._folders.add(path)
                self._entry(path, stat.S_IFDIR | 0o755, b"")

    def file(self, name: str, content: bytes, mode: int = 0o644) -> None:
        self.folder(str(Path(name).parent).strip("."))
        self._entry(name, stat.S_IFREG | mode, content)

    def link(self, name: str, target: str) -> None:
        self.folder(str(Path(name).parent).strip("."))
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def device(self, name: str, major: int, minor: int) -> None:
        """A character device."""
        self.folder(str(Path(name).parent).strip("."))
        self._entry(name, stat.S_IFCHR | 0o600, b"", (major, minor))

    def data(self) -> bytes:
        """The whole archive; nothing can be added afterwards."""
        self._entry(TRAILER, 0, b"")
        packed = b"".join(self._chunks)
        return packed + bytes(-len(packed) % ALIGN_BYTES)

    def _entry(self, name: str, mode: int, content: bytes, device: tuple[int, int] = (0, 0)) -> None:
        self._inode += 1
        path = name.strip("/").encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(path), 0)
        header = MAGIC + b"".join(b"%08X" % field for field in fields) + path
        self._chunks.append(header + bytes(-len(header) % 4))
        self._chunks.append(content + bytes(-len(content) % 4))
