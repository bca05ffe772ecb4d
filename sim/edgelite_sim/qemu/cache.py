"""Built things (Debian trees, firmware, images), kept by what they were made from.

They live outside the checkout, so that a fresh clone finds what another one built: $EDGELITE_CACHE, or
$XDG_CACHE_HOME/edgelite, or ~/.cache/edgelite. It may be removed whenever nothing runs from it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

KEY_LENGTH = 16  # hex digits; the names of a handful of things need no more
UNUSED_DAYS_MAX = 30  # what nobody asked for that long goes when its successor is built


def folder() -> Path:
    """The cache's folder, which exists after the call."""
    named = os.environ.get("EDGELITE_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    path = Path(named) if named else Path(home) / "edgelite"
    path.mkdir(parents=True, exist_ok=True)
    return path.resolve()


def tell(text: str) -> None:
    sys.stderr.write(f"edgelite: {text}\n")
    sys.stderr.flush()


def digest_of(*paths: Path) -> str:
    """One part of a recipe: the contents of files, and of all files below folders, with their names."""
    digest = hashlib.sha256()
    for path in paths:
        files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
        for file in files:
            if "__pycache__" not in file.parts:
                content = file.read_bytes()
                digest.update(b"%s\0%d\0%s" % (str(file.relative_to(path)).encode(), len(content), content))
    return digest.hexdigest()


def build(name: str, recipe: Iterable[str], make: Callable[[Path], None], takes: str) -> Path:
    """The folder `NAME-KEY`, made by `make(folder)` if it is not there yet.

    `recipe` is everything that the result depends on; KEY is its hash. `takes` completes the line told on a build, such
    as "about 10 s". A build that fails leaves nothing; of several builders at once one builds and the others wait.
    """
    parts = [part.encode() for part in recipe]
    key = hashlib.sha256(b"".join(b"%d:%s" % (len(part), part) for part in parts)).hexdigest()[:KEY_LENGTH]
    path = folder() / f"{name}-{key}"
    with _locked(path):
        if not path.exists():
            tell(f"building {name} ({takes}, once)")
            _make(path, make)
            _forget_unused(name, path)
        os.utime(path)  # the day of its last use
    return path


def _make(path: Path, make: Callable[[Path], None]) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    remove(unfinished)  # we hold the lock, so whoever left it is gone
    unfinished.mkdir()
    try:
        make(unfinished)
        unfinished.rename(path)
    finally:
        remove(unfinished)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the kernel gives it back, however this process ends
        yield


def _forget_unused(name: str, kept: Path) -> None:
    before_s = time.time() - UNUSED_DAYS_MAX * 24 * 3600
    for other in kept.parent.glob(f"{name}-{'?' * KEY_LENGTH}"):
        if other != kept and other.stat().st_mtime < before_s:
            remove(other)


def remove(path: Path) -> None:
    """A folder that may hold anything a Debian tree holds, or nothing at all."""
    if path.exists():
        shutil.rmtree(path)
