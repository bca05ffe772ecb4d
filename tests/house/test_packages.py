"""Every package can be imported from the checkout, from an editable install, from the built wheel; the portable ones
under MicroPython too."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import runtime
from house_files import ROOM_FOLDERS, ROOT, all_room_files, module_of, portable_core_files, portable_port_files

# Beside their room, to be found by whoever looks for them; packages of their own in a wheel.
DATA_FOLDERS = {
    ROOT / "sim" / "scenarios": "edgelite_sim/scenarios",
    ROOT / "sim" / "devices": "edgelite_sim/device_files",
}
ROOM_PARENTS = [str(folder.parent) for folder in ROOM_FOLDERS.values()]
# Modules that run something when imported, by design.
NOT_IMPORTED = ("__main__",)
# These need a MicroPython with ffi, which neither CPython nor the pinned one has; tests/ports/test_agent.py runs them.
NEEDS_FFI = "edgelite_ports.micropython.unix."
# What CPython's own port gives to these under CPython, ffi does under MicroPython.
NEEDS_FFI_THERE = (NEEDS_FFI, "edgelite_ports.posix")
# The other half of a driver, which runs in a process of its own, with a framework that most nodes do not have.
NEEDS_FRAMEWORK = ("edgelite_ports.linux.ble.bleak_radio",)
MODULES = [
    name
    for name in map(module_of, all_room_files())
    if name.rpartition(".")[2] not in NOT_IMPORTED and not name.startswith(NEEDS_FFI)
]
PORTABLE_MODULES = [
    name
    for name in map(module_of, [*portable_core_files(), *portable_port_files()])
    if not name.startswith(NEEDS_FFI_THERE)
]

IMPORT_ALL = """
import sys
failed = []
for name in sys.argv[1:]:
    try:
        __import__(name)
    except Exception as error:
        failed.append(name + ": " + repr(error))
print("\\n".join(failed))
sys.exit(1 if failed else 0)
"""


def import_all(python: list[str], modules: list[str], folder: Path, environment: dict[str, str] | None = None) -> str:
    """What could not be imported, in a fresh process that runs in `folder`; "" where all could."""
    told = subprocess.run(
        [*python, *modules], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    return "" if told.returncode == 0 else told.stdout + told.stderr


def test_from_the_checkout(tmp_path: Path) -> None:
    # -S leaves site-packages out: what a node runs needs no third-party package.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(ROOM_PARENTS))}
    rooms = ("edgelite", "edgelite_protocol", "edgelite_drivers", "edgelite_ports")
    bare = [name for name in MODULES if name.split(".")[0] in rooms and name not in NEEDS_FRAMEWORK]
    assert import_all([sys.executable, "-S", "-c", IMPORT_ALL], bare, tmp_path, environment) == ""
    assert import_all([sys.executable, "-c", IMPORT_ALL], MODULES, tmp_path, environment) == ""


def test_from_the_editable_install(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    assert import_all([sys.executable, "-c", IMPORT_ALL], MODULES, tmp_path, environment) == ""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the files that are here, in a copy, so that no build folder appears in the checkout; by way of a
    source distribution, which needs no network."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    for folder in (*ROOM_FOLDERS.values(), ROOT / "vendoring", *DATA_FOLDERS):
        copy_room(folder, source / folder.relative_to(ROOT))
    output = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(output), str(source)]
    environment = {**os.environ, "PIP_NO_INDEX": "1", "EDGELITE_CACHE": str(output / "empty")}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    return next(output.glob("*.whl"))


def copy_room(folder: Path, target: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            copy = target / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())


def test_the_wheel_holds_every_module_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    modules = {name for name in names if name.endswith(".py")}
    expected = {
        "/".join([room, *path.relative_to(folder).parts])
        for room, folder in ROOM_FOLDERS.items()
        for path in folder.rglob("*.py")
    }
    assert modules == expected
    assert {f"{room}/py.typed" for room in ROOM_FOLDERS} <= names
    assert {"edgelite/vendored/umqtt.py", "edgelite/vendored/umqtt.LICENSE"} <= names
    for folder, package in DATA_FOLDERS.items():
        files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
        assert {f"{package}/{path}" for path in files} <= names


def test_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    # The unpacked wheel comes first, and everything must come from it, not from the checkout.
    check = IMPORT_ALL.replace(
        "sys.exit(", "assert sys.modules['edgelite'].__file__.startswith(sys.path[1])\nsys.exit("
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    assert import_all([sys.executable, "-c", check], MODULES, tmp_path, environment) == ""


def test_portable_modules_under_micropython(tmp_path: Path) -> None:
    script = tmp_path / "import_all.py"
    script.write_text(IMPORT_ALL)
    try:
        command = [*runtime.command(), str(script)]
    except runtime.UnavailableError as error:
        if "pinned" in str(error):
            raise
        pytest.skip(str(error))
    assert import_all(command, PORTABLE_MODULES, tmp_path, runtime.environment(ROOT)) == ""


def test_a_module_that_cannot_be_imported_is_told(tmp_path: Path) -> None:
    (tmp_path / "planted.py").write_text("import no_such_module\n")
    assert "no_such_module" in import_all([sys.executable, "-c", IMPORT_ALL], ["planted", "sys"], tmp_path)
