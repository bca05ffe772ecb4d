"""Drivers of others: found by their entry points when a person asks and when a node joins, taken along in bundles."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgelite.config import parse
from edgelite_cli import installed_drivers
from edgelite_cli.commands import bundle, driver
from edgelite_cli.failure import Failure
from edgelite_cli.micropython_bundles import contents
from edgelite_cli.mpy_files import find_compiler

ROOT = Path(__file__).resolve().parents[2]
MODULE = '''"""A driver of somebody else's."""

from edgelite.driver import ConfigurationError

NAME = "thermo"


def check_protocol(config):
    if "port" not in config:
        raise ConfigurationError("protocol.configData.port", "is required")
    return config["port"]


def check_visitor(config, property):
    if not isinstance(config.get("sensor"), str):
        raise ConfigurationError("visitors.configData.sensor", "must be text")
    return config["sensor"]


def target(protocol):
    return "tcp", "127.0.0.1", protocol


def make_bus(target, random_bytes):
    return None


def same_value(visitor, one, other):
    return one == other
'''
MODEL = """
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: thermometer}
spec: {protocol: thermo, properties: [{name: inside, type: FLOAT, accessMode: ReadOnly}]}
"""
DEVICE = """
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: attic}
spec:
  deviceModelRef: {name: thermometer}
  nodeName: kitchen
  protocol: {protocolName: thermo, configData: {port: 7000}}
  properties: [{name: inside, visitors: {protocolName: thermo, configData: {sensor: roof}}}]
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on Python's path, as `pip install` leaves one behind."""
    folder = tmp_path / "packages"
    (folder / "thermo_pack").mkdir(parents=True)
    (folder / "thermo_pack" / "__init__.py").write_text("")
    (folder / "thermo_pack" / "driver.py").write_text(MODULE)
    info = folder / "thermo-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thermo\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[edgelite.drivers]\nthermo = thermo_pack.driver\n")
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in ("thermo_pack", "thermo_pack.driver"):
        sys.modules.pop(name, None)


def told(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own: what is found is remembered in one."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    words = [sys.executable, "-m", "edgelite_cli", "driver", *arguments]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)


def manifest(folder: Path, *documents: str) -> str:
    path = folder / "site.yaml"
    path.write_text("---".join(documents))
    return str(path)


def test_the_list_says_where_each_comes_from_and_runs(site: Path, tmp_path: Path) -> None:
    named = "drivers = scale:process:/opt/scale --fast, far:far_driver\n"
    (tmp_path / "agent.conf").write_text("node = a\nhub = b\n" + named)
    listed = told("list", "--state", str(tmp_path), folder=site).stdout
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in listed.splitlines()}
    assert rows["modbus"] == "edgelite edgelite_drivers.modbus the agent"
    assert rows["thermo"] == "thermo thermo_pack.driver the agent"
    assert rows["scale"] == f"{tmp_path}/agent.conf - a process: /opt/scale --fast"
    assert rows["far"] == f"{tmp_path}/agent.conf far_driver the agent"


def test_a_driver_that_cannot_be_loaded_does_not_end_the_list(site: Path) -> None:
    (site / "thermo_pack" / "driver.py").write_text("raise ValueError('half of it')\n")
    assert "cannot be loaded: ValueError: half of it" in told("list", folder=site).stdout


def test_good_files_are_all_well(site: Path, tmp_path: Path) -> None:
    done = told("check", manifest(tmp_path, DEVICE, MODEL), folder=site)
    assert (done.returncode, done.stdout) == (0, "2 objects checked, all well\n"), done.stderr


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("port: 7000", "", "Device attic: spec.protocol.configData.port: "),
        ("sensor: roof", "sensor: 5", "Device attic: spec.properties[0].visitors.configData.sensor: "),
        ("name: inside", "name: outside", "Device attic: spec.properties[0].name: "),
        ("nodeName", "nodename", 'Device attic: spec.nodename: unknown field "spec.nodename"'),
        ("{name: attic}", "{}", "Device (without a name): metadata.name: "),
        (
            "deviceModelRef: {name: thermometer}",
            "deviceModelRef: {name: other}",
            "no DeviceModel other is in these files",
        ),
        (
            "{protocolName: thermo, configData: {port",
            "{protocolName: lonworks, configData: {port",
            "no driver lonworks",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_path(site: Path, tmp_path: Path, old: str, new: str, line: str) -> None:
    assert old in DEVICE
    done = told("check", manifest(tmp_path, DEVICE.replace(old, new, 1), MODEL), folder=site)
    assert done.returncode == 1 and done.stdout.endswith("2 objects checked, 1 problems\n"), done.stdout
    assert line in done.stdout
    assert done.stdout.startswith(str(tmp_path / "site.yaml") + ", document 1, Device ")


def test_files_without_any_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pod.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n")
    assert driver.main(["check", str(tmp_path / "pod.yaml")]) == 1
    assert "no Device and no DeviceModel" in capsys.readouterr().err


def test_what_is_shipped_as_examples_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert driver.main(["check", str(ROOT / "examples" / "meter.yaml")]) == 0
    assert "all well" in capsys.readouterr().out


def test_a_node_that_joins_names_them(site: Path) -> None:
    found = installed_drivers.of_others()
    assert [(one.name, one.module, one.origin) for one in found] == [("thermo", "thermo_pack.driver", "thermo")]
    config = parse("node = a\nhub = b\n" + installed_drivers.config_lines(found, []))
    assert config.drivers["thermo"].module == "thermo_pack.driver"
    assert config.driver_path == [str(site)]
    assert "driver_path" not in installed_drivers.config_lines(found, [str(site)]), "the agent looks there anyway"
    assert installed_drivers.config_lines([], []) == ""


def test_a_name_that_no_device_could_give(site: Path) -> None:
    points = site / "thermo-1.2.dist-info" / "entry_points.txt"
    points.write_text("[edgelite.drivers]\nThermo-2 = thermo_pack.driver\n")
    with pytest.raises(Failure, match="thermo has a driver named 'Thermo-2'"):
        installed_drivers.found()


def test_a_bundle_takes_it_along_so_that_joining_there_finds_it(site: Path, tmp_path: Path) -> None:
    target = tmp_path / "bundle.tar.gz"
    assert bundle.main(["--port", "linux", "--out", str(target), "--driver", "thermo"]) == 0
    with tarfile.open(target) as packed:
        packed.extractall(tmp_path / "out", filter="data")
    lib = next((tmp_path / "out").iterdir()) / "lib"
    script = "from edgelite_cli import installed_drivers as i; print(i.config_lines(i.of_others(), [%r]), end='')"
    base = str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}")
    words = [base, "-S", "-c", script % str(lib)]
    done = subprocess.run(words, env={"PYTHONPATH": str(lib)}, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "drivers = thermo:thermo_pack.driver\n", done.stderr


def test_a_bundle_for_micropython_has_it_compiled(site: Path) -> None:
    try:
        compiler = find_compiler(None)
    except Failure as failure:
        if os.environ.get("CI"):
            raise
        pytest.skip(failure.text)
    rows = [row for one in installed_drivers.chosen(["thermo"]) for row in one.files()]
    ports = ROOT / "ports" / "edgelite_ports"
    names = [name for name, _content, _mode in contents("micropython-linux", ports, compiler, rows)]
    assert {"lib/thermo_pack/__init__.mpy", "lib/thermo_pack/driver.mpy"} <= set(names)


def test_a_driver_that_is_not_installed(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bundle.main(["--port", "linux", "--out", str(tmp_path / "x.tar.gz"), "--driver", "lonworks"]) == 2
    assert "no package has a driver lonworks" in capsys.readouterr().err and "there are: thermo" not in str(tmp_path)
    assert not (tmp_path / "x.tar.gz").exists()
