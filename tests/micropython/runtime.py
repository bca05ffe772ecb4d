"""Finds a MicroPython and runs it:  python tests/micropython/runtime.py FILE.py ARGS...

1. On x86-64 the environment of `./dev test` holds one, pinned by version and hash in requirements.lock; there it must
   never be skipped.
2. Elsewhere (aarch64, armv7) the system's own, Debian's package `micropython` from 1.22 on; where root, it is
   installed.
3. Otherwise the suite is skipped, and says why.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

VERSION_MIN = (1, 22)
ROOMS = ("", "protocol", "drivers", "ports")
_TELL_VERSION = "import sys; print('%d %d' % sys.implementation[1][:2])"


class UnavailableError(Exception):
    """There is no MicroPython here; the text says why and what to do."""


def find(executable_folder: Path, machine: str) -> str:
    """The path of a MicroPython that is new enough, or UnavailableError."""
    pinned = executable_folder / "micropython"
    if pinned.exists():
        return str(pinned)
    if machine == "x86_64":
        raise UnavailableError("the environment lacks its pinned MicroPython: run ./dev setup")
    found = shutil.which("micropython")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "-qq", "install", "-y", "micropython"], check=False, stdout=subprocess.DEVNULL)
        found = shutil.which("micropython")
    if found is None:
        raise UnavailableError("no MicroPython here: install the package micropython")
    version = version_of(found)
    if version < VERSION_MIN:
        raise UnavailableError(f"{found} is {version[0]}.{version[1]}, older than 1.22")
    return found


def version_of(path: str) -> tuple[int, ...]:
    told = subprocess.run([path, "-c", _TELL_VERSION], capture_output=True, text=True, check=True, timeout=30)
    return tuple(int(part) for part in told.stdout.split())


# Its 2 MB are too little for the tests' in-memory flash, whose segments alone take 256 KiB in one piece. What a node
# itself takes is measured elsewhere, on a device's own build.
HEAP = ["-X", "heapsize=16m"]


def command() -> list[str]:
    return [find(Path(sys.executable).parent, platform.machine()), *HEAP]


def environment(root: Path) -> dict[str, str]:
    """Lets MicroPython find the portable rooms of a checkout, and its own frozen modules."""
    return {**os.environ, "MICROPYPATH": ":".join([*(str(root / room) for room in ROOMS), ".frozen"])}


def main(arguments: list[str]) -> int:
    try:
        micropython = command()
    except UnavailableError as error:
        sys.stdout.write(f"MicroPython: {error}\n0 passed, 0 failed, 1 skipped\n")
        return 1 if platform.machine() == "x86_64" else 0
    root = Path(__file__).resolve().parents[2]
    return subprocess.run([*micropython, *arguments], cwd=root, env=environment(root), check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
