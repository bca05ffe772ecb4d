"""Kernel modules as files: which others each needs, and in which order to load them. No depmod, no modprobe."""

from __future__ import annotations

import lzma
from collections.abc import Iterable
from pathlib import Path


class ModuleError(Exception):
    """The kernel has no such module, or it is not a module file."""


class Modules:
    """All modules below one folder, such as `usr/lib/modules/6.12/kernel`."""

    def __init__(self, folder: Path) -> None:
        self._paths = {name_of(path): path for path in folder.rglob("*.ko*")}
        self._contents: dict[str, bytes] = {}

    def content(self, name: str) -> bytes:
        """The module itself, decompressed."""
        key = name.replace("-", "_")
        if key not in self._contents:
            path = self._paths.get(key)
            if path is None:
                raise ModuleError(f"this kernel has no module {name}")
            data = path.read_bytes()
            self._contents[key] = lzma.decompress(data) if path.suffix == ".xz" else data
        return self._contents[key]

    def needs(self, name: str) -> list[str]:
        """What `name` depends on directly, as modinfo(8) tells it."""
        return [needed for needed in info(self.content(name), b"depends").split(",") if needed]

    def in_order(self, names: Iterable[str]) -> list[str]:
        """`names` and all that they need, each once, after what it needs."""
        order: list[str] = []

        def add(name: str) -> None:
            for needed in self.needs(name):
                add(needed)
            key = name.replace("-", "_")
            if key not in order:
                order.append(key)

        for name in names:
            add(name)
        return order


def name_of(path: Path) -> str:
    return path.name.split(".")[0].replace("-", "_")


def info(module: bytes, field: bytes) -> str:
    """A field of the section .modinfo, which is a row of "name=value" with a zero byte after each."""
    at = module.find(b"\0" + field + b"=")
    if at < 0:
        return ""
    start = at + len(field) + 2
    return module[start : module.index(b"\0", start)].decode()
