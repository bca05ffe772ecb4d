"""Constants are put in place where that changes nothing but the memory that a module takes."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgelite_cli.constants import Modules
from edgelite_cli.mpy_files import Manifest, prepared

ROOT = Path(__file__).resolve().parents[2]
BOARD = ROOT / "ports/edgelite_ports/micropython/boards/qemu_cortex_m3/manifest.py"

NUMBERS = """
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
ONE = 1
_TWO = ONE << 1
PAIR = (ONE, _TWO, None, "text", b"bytes")
TABLE = (PAIR, -3)
changes = 5
COUNTER = 0
RATE = 1.5

def count():
    global COUNTER
    COUNTER += 1
    return COUNTER + _TWO
"""
USER = """
from package import numbers as n
from package.numbers import COUNTER, ONE, RATE, TABLE, count
HERE = (n.PAIR, ONE, TABLE)

def run(ONE=7):
    return ONE, HERE, n.TABLE, count(), COUNTER, RATE
"""


def folded(**texts: str) -> dict[str, str]:
    whole = {"package": "", **{f"package.{name}": text for name, text in texts.items()}}
    modules = Modules(whole)
    return {name: modules.fold(name) for name in whole}


def test_values_take_the_place_of_names() -> None:
    texts = folded(numbers=NUMBERS, user=USER)
    assert "TYPE_CHECKING" not in texts["package.numbers"] and "typing" not in texts["package.numbers"]
    assert "_TWO = " not in texts["package.numbers"]
    assert "PAIR = (1, 2, None, 'text', b'bytes')" in texts["package.numbers"]
    assert "COUNTER += 1\n    return COUNTER + 2" in texts["package.numbers"]
    assert "HERE = ((1, 2, None, 'text', b'bytes'), ONE, ((1, 2, None, 'text', b'bytes'), -3))" in texts["package.user"]
    assert "import COUNTER, ONE, RATE, count" in texts["package.user"], "TABLE is in place, the others are no constants"


def test_what_it_means_stays(tmp_path: Path) -> None:
    told = []
    for name, texts in (("before", {"numbers": NUMBERS, "user": USER}), ("after", None)):
        folder = tmp_path / name / "package"
        folder.mkdir(parents=True)
        whole = texts or {key.partition(".")[2]: text for key, text in folded(numbers=NUMBERS, user=USER).items()}
        for module, text in whole.items():
            (folder / f"{module or '__init__'}.py").write_text(text)
        command = [sys.executable, "-c", "from package.user import run; print(run(), run())"]
        environment = {**os.environ, "PYTHONPATH": str(folder.parent)}
        told.append(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert told[0] == told[1] and "'text'" in told[0]


def test_the_tables_of_the_protocol_become_constants() -> None:
    text = prepared(Manifest(BOARD).sources)["edgelite_protocol/body_tables.py"]
    assert "import" not in text
    names = {node.targets[0].id: node.value for node in ast.parse(text).body if isinstance(node, ast.Assign)}  # type: ignore[attr-defined]
    assert ast.literal_eval(names["WORKLOAD"])[0][1] == "uid"


@pytest.mark.parametrize("room", ["edgelite", "protocol"])
def test_the_modules_of_a_board_pass_their_tests(room: str, tmp_path: Path) -> None:
    """All that is portable runs again, under MicroPython, from the text that a board is given."""
    interpreter = ROOT / ".venv" / "bin" / "micropython"
    if not interpreter.exists():
        pytest.skip("this machine has no pinned MicroPython")
    for target, text in prepared(Manifest(BOARD).sources).items():
        path = tmp_path / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    (tmp_path / "protocol").mkdir()
    for name in ("SPEC.md", "vectors"):
        (tmp_path / "protocol" / name).symlink_to(ROOT / "protocol" / name)
    for package, folder in (("edgelite", ""), ("edgelite_protocol", "protocol"), ("edgelite_drivers", "drivers")):
        fill(tmp_path / package, ROOT / folder / package)
    for part in ("testing", "common/bus_client"):
        fill(tmp_path / "edgelite_ports", ROOT / "ports" / "edgelite_ports", part)
    command = [str(interpreter), "-X", "heapsize=64m", "tests/micropython/run_portable.py"]
    done = subprocess.run(
        [*command, f"tests/{room}/portable"],
        cwd=tmp_path,
        env={**os.environ, "MICROPYPATH": ".frozen"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0 and " 0 failed" in done.stdout, done.stdout[-2000:]


def fill(there: Path, source: Path, only: str = "") -> None:
    """What a board leaves out and the tests need: the hub's side, the bus and its client, the fakes."""
    for path in source.rglob("*.py"):
        target = there / path.relative_to(source)
        if not target.exists() and path.relative_to(source).as_posix().startswith(only):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
