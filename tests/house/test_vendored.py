"""Third-party sources that ship with edgelite are fetched by hash, committed nowhere, and never go without their
licence."""

import hashlib
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from house_files import ROOT, VENDORED, committed_files, is_vendored

from edgelite_cli.commands import bundle
from edgelite_cli.failure import Failure
from edgelite_cli.micropython_bundles import PORTS, contents

sys.path.insert(0, str(ROOT / "vendoring"))
import vendored
from vendored import VendoringError

NAMES = [name for one in vendored.packages() for name in (*(name for _, name in one.files), one.licence_name)]


def test_they_are_in_place_and_committed_nowhere() -> None:
    assert vendored.missing() == []
    assert NAMES
    assert not {VENDORED / name for name in NAMES} & set(committed_files())
    assert all(is_vendored(VENDORED / name) for name in NAMES)
    ignored = ["git", "check-ignore", *(f"edgelite/vendored/{name}" for name in NAMES)]
    if (ROOT / ".git").exists():
        assert subprocess.run(ignored, cwd=ROOT, capture_output=True, check=False).returncode == 0


def test_no_committed_file_is_a_copy_under_another_name() -> None:
    sums = {source.sha256 for one in vendored.packages() for source in one.sources}
    assert not [path for path in committed_files() if hashlib.sha256(path.read_bytes()).hexdigest() in sums]


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip's only index is this folder; nothing is kept yet."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("EDGELITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def publish(index: Path, text: str, more: tuple[str, ...] = ()) -> str:
    """An archive of one module and its metadata; its sha256."""
    top = index.parent / "top" / "made-1.0"
    (top / "made.egg-info").mkdir(parents=True)
    (top / "made.py").write_text(text)
    (top / "made.egg-info/PKG-INFO").write_text(METADATA)
    for name in more:
        (top / name).write_text("")
    archive = index / "made-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(top, "made-1.0")
    return hashlib.sha256(archive.read_bytes()).hexdigest()


METADATA = "Metadata-Version: 1.0\nName: made\nVersion: 1.0\nLicense: MIT\nAuthor: Ann\nHome-page: here\n"
LIST = """[made]
project = "made"
version = "1.0"
sha256 = "%s"
folder = "vendored"
[made.files."made.py"]
name = "made.py"
sha256 = "%s"
[made.licence]
name = "made.LICENSE"
metadata = "made.egg-info/PKG-INFO"
sha256 = "%s"
"""


def listed(folder: Path, archive_sum: str, text: str) -> Path:
    file = folder / "vendored.toml"
    sums = (archive_sum, sum_of(text), sum_of(METADATA))
    file.write_text(LIST % sums)
    return file


def sum_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_one_is_fetched_and_its_licence_written(index: Path, tmp_path: Path) -> None:
    file = listed(tmp_path, publish(index, "x = 1\n"), "x = 1\n")
    assert [one.project for one in vendored.put_in_place(tmp_path, file)] == ["made"]
    assert (tmp_path / "vendored/made.py").read_text() == "x = 1\n"
    licence = (tmp_path / "vendored/made.LICENSE").read_text()
    assert "made 1.0, here" in licence
    assert "Copyright (c) Ann" in licence
    assert "WITHOUT WARRANTY OF ANY KIND" in licence
    assert vendored.put_in_place(tmp_path, file) == []
    (tmp_path / "vendored/made.py").write_text("x = 2\n")
    (index / "made-1.0.tar.gz").unlink()
    assert len(vendored.put_in_place(tmp_path, file)) == 1, "a changed file is put right, from what is kept"
    assert (tmp_path / "vendored/made.py").read_text() == "x = 1\n"


def test_an_archive_with_another_hash_is_refused(index: Path, tmp_path: Path) -> None:
    publish(index, "x = 1\n")
    file = listed(tmp_path, "0" * 64, "x = 1\n")
    with pytest.raises(VendoringError, match=r"made 1\.0: the archive has another sha256 than vendored\.toml names"):
        vendored.put_in_place(tmp_path, file)
    assert not (tmp_path / "vendored").exists()


def test_a_file_with_another_hash_is_refused(index: Path, tmp_path: Path) -> None:
    file = listed(tmp_path, publish(index, "x = 1\n"), "x = 2\n")
    with pytest.raises(VendoringError, match=r"made\.py has another sha256"):
        vendored.put_in_place(tmp_path, file)
    assert not (tmp_path / "vendored").exists()


def test_a_missing_archive_is_told_in_pip_s_words(index: Path, tmp_path: Path) -> None:
    file = listed(tmp_path, "0" * 64, "")
    with pytest.raises(VendoringError, match=r"(?s)made 1\.0 cannot be fetched; pip says:\n.*No matching distribution"):
        vendored.put_in_place(tmp_path, file)


@pytest.mark.parametrize("port", sorted({"linux", *PORTS} - {"qemu-cortex-m3"}))
def test_bundles_hold_them_with_their_licence(port: str) -> None:
    names = bundled(port)
    for one in vendored.packages():
        assert f"edgelite/vendored/{one.licence_name}" in names
        for _, name in one.files:
            assert {f"edgelite/vendored/{name}", f"edgelite/vendored/{Path(name).stem}.mpy"} & names


def test_a_bundle_without_them_is_refused(tmp_path: Path) -> None:
    bundle.require_vendored(ROOT / "edgelite")
    assert {Path(name).name for name in bundle.VENDORED} == set(NAMES)
    with pytest.raises(Failure, match=r"umqtt\.py is missing: in a checkout, \./dev setup fetches it"):
        bundle.require_vendored(tmp_path)


def test_a_node_without_a_network_has_none() -> None:
    assert not [name for name in bundled("qemu-cortex-m3") if "vendored" in name or "mqtt" in name]


def bundled(port: str) -> set[str]:
    if port == "linux":
        return {name for name, _ in bundle.package_files(port)}
    rows = contents(port, bundle.package_root("edgelite_ports"), None)
    return {name.removeprefix("lib/") for name, _, _ in rows}
