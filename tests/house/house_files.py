"""Which files the house-keeping tests look at."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOM_FOLDERS = {
    "edgelite": ROOT / "edgelite",
    "edgelite_protocol": ROOT / "protocol" / "edgelite_protocol",
    "edgelite_drivers": ROOT / "drivers" / "edgelite_drivers",
    "edgelite_ports": ROOT / "ports" / "edgelite_ports",
    "edgelite_hub": ROOT / "hub" / "edgelite_hub",
    "edgelite_sim": ROOT / "sim" / "edgelite_sim",
    "edgelite_cli": ROOT / "cli" / "edgelite_cli",
}


# Below ports/edgelite_ports/micropython: read by MicroPython's build, or run on a device as the first thing there. They
# are no modules of the package, and nothing imports them.
DEVICE_FILES = (
    *("boot.py", "main.py", "manifest.py", "core_manifest.py", "board_manifest.py"),
    *("edgelite_start.py", "edgelite_agent.py"),
)


def is_device_file(path: Path) -> bool:
    return path.name in DEVICE_FILES and path.is_relative_to(ROOM_FOLDERS["edgelite_ports"] / "micropython")


VENDORED = ROOM_FOLDERS["edgelite"] / "vendored"


def is_vendored(path: Path) -> bool:
    """Fetched, not ours: held to no rule of this house."""
    return path.parent == VENDORED and path.name != "__init__.py"


def room_files(room: str) -> list[Path]:
    found = ROOM_FOLDERS[room].rglob("*.py")
    return sorted(path for path in found if not is_device_file(path) and not is_vendored(path))


def all_room_files() -> list[Path]:
    return [path for room in ROOM_FOLDERS for path in room_files(room)]


# What a driver's program of its own takes, which runs under CPython wherever it runs.
PROGRAM_FILES = tuple(ROOM_FOLDERS["edgelite_drivers"] / name for name in ("process_server.py", "testing_process.py"))


def portable_core_files() -> list[Path]:
    rooms = ("edgelite", "edgelite_protocol", "edgelite_drivers")
    return [path for room in rooms for path in room_files(room) if path not in PROGRAM_FILES]


def portable_port_files() -> list[Path]:
    ports = ROOM_FOLDERS["edgelite_ports"]
    folders = ("testing", "common", "posix", "micropython")
    found = (path for folder in folders for path in ports.glob(f"{folder}/**/*.py"))
    return sorted(path for path in found if not is_device_file(path))


def portable_test_files() -> list[Path]:
    tests = ROOT / "tests"
    files = [*tests.glob("*/portable/*.py"), *tests.glob("ports/unix/*.py"), tests / "micropython" / "run_portable.py"]
    return sorted(path for path in files if path.name != "conftest.py")


def all_python_files() -> list[Path]:
    return sorted([*all_room_files(), *(ROOT / "tests").rglob("*.py")])


def committed_files() -> list[Path]:
    """What git tracks; in an unpacked archive without git, every file outside hidden folders."""
    told = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if told.returncode == 0:
        return [ROOT / name for name in told.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [path for path in ROOT.rglob("*") if path.is_file() and not path.relative_to(ROOT).parts[0].startswith(".")]


def module_of(path: Path) -> str:
    """The dotted name under which a room's file is imported."""
    for room, folder in ROOM_FOLDERS.items():
        if path.is_relative_to(folder):
            parts = [room, *path.relative_to(folder).with_suffix("").parts]
            return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    raise ValueError(f"{path} is in no room")
