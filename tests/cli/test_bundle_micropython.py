"""Bundles for devices with MicroPython: small, complete, and clear about an interpreter that cannot run them."""

import ast
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

from edgelite_cli.boards import BOARDS
from edgelite_cli.client import Client
from edgelite_cli.commands import bundle, provision
from edgelite_cli.failure import Failure
from edgelite_cli.kubeconfig import load
from edgelite_cli.micropython_bundles import PORTS
from edgelite_cli.mpy_files import MPY_VERSION, Manifest, find_compiler
from tests.hub.hub_process import HubProcess, wait_for

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "ports"))
from micropython_site import micropython

ROOT = Path(__file__).resolve().parents[2]
PORTS_FOLDER = ROOT / "ports" / "edgelite_ports"
SIZE_BYTES_MAX = 1_000_000  # without the interpreter
PINNED = ROOT / ".venv" / "bin" / "micropython"
# What is imported only where it does not run under MicroPython: by edgelite_ports.posix, by a driver's own program.
OF_CPYTHON = ("edgelite_ports.linux", "edgelite_drivers.process_server")
NAMES = [name for name, port in PORTS.items() if (PORTS_FOLDER / "micropython" / port.folder / "manifest.py").exists()]


@pytest.fixture(scope="module")
def compiler() -> str:
    try:
        return find_compiler(None)
    except Failure as failure:
        if os.environ.get("CI"):
            raise
        pytest.skip(failure.text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, compiler: str) -> Path:
    target = tmp_path_factory.mktemp("bundle") / "device"
    assert bundle.main(["--port", "micropython-linux", "--out", str(target), "--mpy-cross", compiler]) == 0
    return target


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("port", NAMES)
def test_each_is_small(port: str, tmp_path: Path, compiler: str) -> None:
    assert bundle.main(["--port", port, "--out", str(tmp_path / "device"), "--mpy-cross", compiler]) == 0
    bound = BOARDS[port].bundle_bytes_max or SIZE_BYTES_MAX  # what `edgelite provision` leaves room for
    assert 100_000 < size_of(tmp_path / "device") < min(bound, SIZE_BYTES_MAX)


def test_the_same_files_give_the_same_bytes(tmp_path: Path, compiler: str) -> None:
    for name in ("one.tar.gz", "two.tar.gz"):
        arguments = ["--port", "micropython-linux", "--out", str(tmp_path / name), "--mpy-cross", compiler]
        assert bundle.main(arguments) == 0
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()
    with tarfile.open(tmp_path / "one.tar.gz") as archive:
        names = archive.getnames()
    assert any(name.endswith("/lib/edgelite/node.mpy") for name in names)
    assert not [name for name in names if "edgelite_hub" in name or "testing" in name or "/linux/" in name]


def imports_of(path: Path) -> set[str]:
    """The edgelite modules that a file imports at any depth, but for those that a type checker alone wants."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("edgelite"):
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return found


@pytest.mark.parametrize("port", NAMES)
def test_everything_that_a_module_imports_is_there(port: str) -> None:
    sources = Manifest(PORTS_FOLDER / "micropython" / PORTS[port].folder / "manifest.py").sources
    there = {source.target.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for source in sources}
    missing = {
        (source.target, name)
        for source in sources
        for name in imports_of(source.path)
        if name not in there and not name.startswith(OF_CPYTHON) and is_module(name)
    }
    assert not missing


def is_module(name: str) -> bool:
    """Of this checkout; looked up and not imported."""
    path = name.replace(".", "/")
    rooms = [ROOT, *(ROOT / folder for folder in ("protocol", "drivers", "ports"))]
    return any((room / f"{path}.py").is_file() or (room / path / "__init__.py").is_file() for room in rooms)


def run(folder: Path, interpreter: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "MICROPYTHON": interpreter}
    command = [str(folder / "bin" / "edgelite-agent"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


def test_a_missing_interpreter_is_named(folder: Path) -> None:
    done = run(folder, "no-such-interpreter")
    assert done.returncode == 2 and "there is no no-such-interpreter here" in done.stderr


@pytest.mark.skipif(not PINNED.exists(), reason="this machine has no pinned MicroPython")
def test_another_version_of_compiled_modules_is_named_before_one_is_loaded(folder: Path) -> None:
    start = folder / "lib" / "edgelite_start.py"
    text = start.read_text()
    start.write_text(text.replace(f"MPY_VERSION = {MPY_VERSION}", "MPY_VERSION = 9"))
    try:
        done = run(folder, str(PINNED))
    finally:
        start.write_text(text)
    assert done.returncode == 2
    assert f"loads compiled modules of version {MPY_VERSION}, and this bundle has version 9" in done.stdout


@pytest.fixture
def start() -> ModuleType:
    spec = importlib.util.spec_from_file_location("start", PORTS_FOLDER / "micropython" / "edgelite_start.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Implementation(tuple[str, tuple[int, ...]]):
    _mpy: int


def implementation(name: str, release: tuple[int, ...], mpy: int) -> Implementation:
    made = Implementation((name, release))
    made._mpy = mpy
    return made


def test_the_check_of_an_interpreter(start: ModuleType) -> None:
    assert start.MPY_VERSION == MPY_VERSION
    assert start.problem(implementation("micropython", (1, 25, 0, ""), 0x1B06)) == ""
    older = start.problem(implementation("micropython", (1, 18, 0), 0x0005))
    assert "1.18" in older and "version 5" in older and "version 6" in older and "--mpy-cross" in older
    assert "no compiled modules" in start.problem(implementation("micropython", (1, 25, 0), 0))
    assert "1.19" in start.problem(implementation("micropython", (1, 19, 1), 0x0006)), "it lacks what edgelite uses"
    assert "--port linux" in start.problem(implementation("cpython", (3, 11, 2), 0))


# ---- what can be wrong


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert bundle.main(["--port", "micropython-linux", *arguments]) == 1
    return capsys.readouterr().err


def test_a_compiler_that_is_none(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    target = str(tmp_path / "out")
    assert "cannot run /no/mpy-cross" in fails(capsys, "--out", target, "--mpy-cross", "/no/mpy-cross")
    assert "cannot compile" in fails(capsys, "--out", target, "--mpy-cross", "/bin/false")
    assert not (tmp_path / "out").exists()


def test_a_compiler_of_another_version(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    other = tmp_path / "mpy-cross"
    other.write_text('#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\nprintf "M\\005" >"$2"\n')
    other.chmod(0o755)
    told = fails(capsys, "--out", str(tmp_path / "out"), "--mpy-cross", str(other))
    assert "version 5" in told and "version 6" in told


def test_a_folder_that_is_not_empty(capsys: pytest.CaptureFixture[str], tmp_path: Path, compiler: str) -> None:
    (tmp_path / "mine").write_text("precious")
    assert "not empty" in fails(capsys, "--out", str(tmp_path), "--mpy-cross", compiler)
    assert (tmp_path / "mine").read_text() == "precious"


# ---- it runs


def test_a_provisioned_device_runs_from_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """With Debian's MicroPython, a real hub, and no openssl anywhere in the device's PATH."""
    interpreter = tmp_path / "micropython"
    interpreter.write_text(f'#!/bin/sh\nexec {shlex.join(micropython())} "$@"\n')
    interpreter.chmod(0o755)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "dirname", "readlink"):
        (tools / name).symlink_to(str(shutil.which(name)))
    hub = HubProcess(tmp_path).start()
    request.addfinalizer(hub.end)
    monkeypatch.setenv("EDGELITE_KUBECONFIG", str(hub.data / "kubeconfig"))
    state = tmp_path / "device"
    arguments = ["micropython-linux", "--out", str(state), "--name", "shed", "--hub", f"127.0.0.1:{hub.nodes_port}"]
    assert provision.main(arguments) == 0
    # On 64 bits an object is twice as large as on a device.
    environment = {"PATH": str(tools), "MICROPYTHON": str(interpreter), "EDGELITE_HEAP": "2m"}
    agent = subprocess.Popen([str(folder / "bin" / "edgelite-agent"), "--state", str(state)], env=environment)
    try:
        wait_for(lambda: b'"SessionOpen"' in node_object(hub, "shed"), hub)
    finally:
        agent.terminate()
        assert agent.wait(15) == 0


def node_object(hub: HubProcess, name: str) -> bytes:
    client = Client(load(str(hub.data / "kubeconfig")))
    return json.dumps(client.request("GET", f"/api/v1/nodes/{name}")).encode()
