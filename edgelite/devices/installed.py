"""Which drivers are here: every module or package beside the shared ones, so that one that somebody added is announced
like those that came along."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PACKAGE = "edgelite_drivers"
SUFFIXES = (".py", ".mpy")


def announced_drivers(own: "tuple[str, ...]", configured: "Any") -> "tuple[str, ...]":
    """What hello tells: edgelite's own, and those that agent.conf names."""
    return tuple(sorted(set(own) | set(configured)))


def installed_drivers(list_folder: "Callable[[str], list[str]]", package: "Any" = None) -> "tuple[str, ...]":
    """Sorted names. `list_folder` is os.listdir; OSError from it means that there is no folder to look into."""
    package = package or __import__(PACKAGE)
    path = package.__path__  # a list under CPython, text under MicroPython
    try:
        entries = list_folder(path if isinstance(path, str) else path[0])
    except OSError:
        return tuple(sorted(package.SHIPPED))
    names = {_module_name(entry) for entry in entries}
    return tuple(sorted(name for name in names if name and name not in package.MACHINERY))


def _module_name(entry: str) -> str:
    """ "" for what is no module: a name that begins with "_", or has anything but a suffix behind a dot."""
    for suffix in SUFFIXES:
        if entry.endswith(suffix):
            entry = entry[: -len(suffix)]
            break
    return "" if "." in entry or entry.startswith("_") else entry
