"""The bundle for a device: small, the same bytes for the same files, and enough to join and run a node."""

import asyncio
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from edgelite_cli.commands.bundle import main, pack
from edgelite_sim.site import Site

SIZE_BYTES_MAX = 1_000_000  # what a device may be asked to hold, without the interpreter


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundle") / "bundle.tar.gz"
    assert pack("linux", target) > 50
    return target


def unpacked(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return next(folder.iterdir())


def test_it_is_small_packed_and_unpacked(archive: Path) -> None:
    with tarfile.open(archive) as packed:
        unpacked_bytes = sum(member.size for member in packed.getmembers())
    assert archive.stat().st_size < unpacked_bytes < SIZE_BYTES_MAX


def test_the_same_files_give_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    pack("linux", tmp_path / "again.tar.gz")
    assert (tmp_path / "again.tar.gz").read_bytes() == archive.read_bytes()


def test_hub_simulator_and_fakes_are_left_out(archive: Path) -> None:
    with tarfile.open(archive) as packed:
        names = packed.getnames()
    assert not [name for name in names if "edgelite_hub" in name or "edgelite_sim" in name or "testing" in name]


def run(top: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """With the interpreter alone, without the packages of this environment."""
    bare = {"PATH": "/usr/bin:/bin", "PYTHON": base_python()}
    return subprocess.run([str(top / "bin" / "edgelite"), *arguments], env=bare, capture_output=True, text=True)


def base_python() -> str:
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}")


def test_what_opens_serial_lines_comes_along_with_its_licence_and_works(archive: Path, tmp_path: Path) -> None:
    top = unpacked(archive, tmp_path)
    found = sorted(file.name for file in (top / "lib" / "serial").iterdir())
    assert found == ["LICENSE", "__init__.py", "rs485.py", "serialposix.py", "serialutil.py"]
    assert "Chris Liechti" in (top / "lib" / "serial" / "LICENSE").read_text()
    program = (
        "import os, serial, serial.rs485; port = serial.Serial(os.ttyname(os.openpty()[1]), 19200); "
        "print(serial.__file__, port.baudrate)"
    )
    done = subprocess.run(
        [base_python(), "-S", "-c", program], env={"PYTHONPATH": str(top / "lib")}, capture_output=True
    )
    assert done.stdout.decode().split() == [str(top / "lib" / "serial" / "__init__.py"), "19200"], done.stderr


def test_without_pyserial_the_bundle_says_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    assert main(["--port", "linux", "-o", str(tmp_path / "bundle.tar.gz")]) == 0
    assert "pip install 'edgelite[serial]'" in capsys.readouterr().out
    with tarfile.open(tmp_path / "bundle.tar.gz") as packed:
        assert not [name for name in packed.getnames() if "/lib/serial/" in name]


def test_it_runs_without_any_installed_package_and_says_what_it_leaves_out(archive: Path, tmp_path: Path) -> None:
    top = unpacked(archive, tmp_path)
    assert run(top, "version").stdout.startswith("edgelite ")
    left_out = run(top, "hub")
    assert left_out.returncode == 1
    assert "not part of this bundle" in left_out.stderr


def test_a_device_joins_and_runs_from_it(archive: Path, tmp_path: Path) -> None:
    top = unpacked(archive, tmp_path / "device")

    async def scene(site: Site) -> None:
        await site.start_hub()
        state = tmp_path / "site" / "device"
        token = await site.token()
        done = run(top, "join", f"127.0.0.1:{site.node_port}", "--token", token, "--name", "d", "--state", str(state))
        assert done.returncode == 0, done.stderr
        await site.launch(
            "d",
            [
                "env",
                "-i",
                f"PYTHON={base_python()}",
                "PATH=/usr/bin:/bin",
                str(top / "bin/edgelite"),
                *("agent", "--state", str(state)),
            ],
        )
        await site.until("the device is Ready", lambda: is_ready(site))
        await site.processes["d"].end(signal.SIGTERM)

    def is_ready(site: Site) -> bool:
        conditions = site.get("/api/v1/nodes/d")["status"].get("conditions", [])
        return any(found["type"] == "Ready" and found["status"] == "True" for found in conditions)

    async def staged() -> None:
        (tmp_path / "site").mkdir()
        site = Site(tmp_path / "site")
        try:
            await scene(site)
        finally:
            await site.stop()

    asyncio.run(staged())
