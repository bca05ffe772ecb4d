"""What a device runs before anything compiled: whether its MicroPython can load the bundle. Goes along as source, at
the top of the bundle, since a compiled module of another version could not say what is wrong with it."""

import os
import sys

MPY_VERSION = 6  # of the bundle's compiled modules
RELEASES = "1.22 or later"  # MicroPython's that load it and have what edgelite uses
RELEASE_MIN = (1, 22)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def problem(implementation: "Any") -> str:
    """Why this interpreter (sys.implementation) cannot run the bundle, and what to do; "" where it can."""
    name, release = implementation[0], tuple(implementation[1][:2])
    if name != "micropython":
        return "this bundle is for MicroPython, and %s is %d.%d: use `edgelite bundle --port linux`" % (
            name,
            release[0],
            release[1],
        )
    loads = getattr(implementation, "_mpy", 0) & 0xFF
    if loads == MPY_VERSION and release >= RELEASE_MIN:
        return ""
    what = "loads compiled modules of version %d" % loads if loads else "loads no compiled modules"
    return (
        "MicroPython %d.%d %s, and this bundle has version %d: install MicroPython %s, or make the bundle with that "
        "release's own compiler: edgelite bundle --port PORT --mpy-cross PATH"
    ) % (release[0], release[1], what, MPY_VERSION, RELEASES)


def require() -> None:
    """End the program with a line for a person where the bundle cannot run."""
    text = problem(sys.implementation)
    if text:
        print("edgelite: " + text)  # noqa: T201 - a device's console
        raise SystemExit(2)


def load(name: str, folder: str) -> "Any":
    """Import a module of the bundle in that folder. Where a file of it was compiled for another MicroPython (copied
    from elsewhere, or not copied whole), end the program with a line that names it."""
    try:
        __import__(name)
    except ValueError:  # the interpreter says neither which file nor which version
        wrong = wrong_modules(folder)
        if not wrong:
            raise
        path, version = wrong[0]
        print(  # noqa: T201 - a device's console
            "edgelite: %s is compiled for another MicroPython (version %d of compiled modules, this one loads %d; "
            "%d such files): copy the whole bundle again, or make it anew: edgelite bundle --port PORT"
            % (path, version, MPY_VERSION, len(wrong))
        )
        raise SystemExit(2)
    return sys.modules[name]


def wrong_modules(folder: str) -> "list[tuple[str, int]]":
    """Compiled modules that this interpreter cannot load: path and version. A file that is none has version 0."""
    found = []
    for name in sorted(os.listdir(folder)):
        path = folder + "/" + name
        if name.endswith(".mpy"):
            with open(path, "rb") as file:
                head = file.read(2)
            version = head[1] if len(head) == 2 and head[:1] == b"M" else 0
            if version != MPY_VERSION:
                found.append((path, version))
        elif os.stat(path)[0] & 0x4000:  # a folder
            found += wrong_modules(path)
    return found
