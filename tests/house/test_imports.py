"""Rooms import only what ARCHITECTURE.md lets them."""

import re
from pathlib import Path

import import_rules
import pytest
from house_files import ROOM_FOLDERS, ROOT, all_room_files, module_of


@pytest.mark.parametrize("path", all_room_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_of(path: Path) -> None:
    package = import_rules.package_of(module_of(path), path)
    found = import_rules.broken(path.read_text(), package)
    assert not found, "\n".join(f"{path.relative_to(ROOT)}:{line}" for line in found)


def test_every_room_has_its_row() -> None:
    assert set(import_rules.MAY_IMPORT) == set(ROOM_FOLDERS)
    folders = {path.parent for path in ROOT.glob("*/__init__.py")} | {
        path.parent for path in ROOT.glob("*/edgelite_*/__init__.py")
    }
    assert set(ROOM_FOLDERS.values()) == folders - {ROOT / "tests"}


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("edgelite_protocol", "import edgelite\n"),
        ("edgelite_protocol", "from edgelite.storage import Storage\n"),
        ("edgelite", "def f():\n    from edgelite_drivers import modbus\n"),
        ("edgelite", "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    from edgelite_hub import store\n"),
        ("edgelite_hub.store", "from edgelite.storage import Storage\n"),
        ("edgelite_hub", "import importlib\nimportlib.import_module('edgelite_sim.demo')\n"),
        ("edgelite_ports.linux", "__import__('edgelite_cli')\n"),
        ("edgelite_ports.linux", "import edgelite_sim\n"),
        ("edgelite_sim", "import tests.protocol\n"),
        ("edgelite_hub", "from edgelite_cli.main import main\n"),
    ],
)
def test_a_planted_import_is_found(package: str, source: str) -> None:
    assert import_rules.broken(source, package)


@pytest.mark.parametrize(
    ("package", "source"),
    [
        (
            "edgelite.journal",
            "from ..storage import Storage\nfrom . import layout\nfrom edgelite_protocol import cbor\n",
        ),
        ("edgelite_cli.commands", "import edgelite_hub.main\nfrom edgelite_ports.linux import agent\n"),
        ("edgelite_hub", "import cbor2\nfrom .store import contract\nfrom edgelite_protocol import cbor\n"),
    ],
)
def test_what_may_be_imported(package: str, source: str) -> None:
    assert import_rules.broken(source, package) == []


def test_a_relative_import_that_leaves_the_room_is_resolved() -> None:
    assert import_rules.imported("from ..storage import Storage", "edgelite.journal") == [(1, "edgelite.storage")]


ROW = re.compile(r"^\| `[a-z]+/` \| `(\w+)` \|.*\| ([^|]+) \|$", re.MULTILINE)


def test_architecture_says_the_same() -> None:
    rows = dict(ROW.findall((ROOT / "ARCHITECTURE.md").read_text()))
    assert set(rows) == set(ROOM_FOLDERS)
    for room, says in rows.items():
        expected = import_rules.MAY_IMPORT[room]
        if says.startswith("all"):
            assert expected >= set(ROOM_FOLDERS) - {room, "edgelite_cli"}
        else:
            words = {word.strip() for word in says.split(",")} - {"nothing"}
            assert {word if word == "edgelite" else "edgelite_" + word for word in words} == expected
