"""The differences that portable code is written around, on a 32-bit processor; and those that only exist there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import runtimes

TESTS = Path(__file__).parents[2]
sys.path[:0] = [str(TESTS / folder) for folder in ("divergences", "house", "micropython")]

from micropython_probe import outcomes  # noqa: E402
from test_silent_differences import DIFFERENCES  # noqa: E402

from edgelite_sim.qemu.emulators import UnavailableError  # noqa: E402

RUNTIMES = ("MicroPython armv7", "MicroPython ARMv6")

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module", params=RUNTIMES)
def found(request: pytest.FixtureRequest) -> dict[str, str]:
    return outcomes([(name, code) for name, code, _, _ in DIFFERENCES], request.param)


@pytest.mark.parametrize(("name", "micropython", "cpython"), [(row[0], row[3], row[2]) for row in DIFFERENCES])
def test_difference(name: str, micropython: str | None, cpython: str, found: dict[str, str]) -> None:
    assert found[name] == micropython if micropython is not None else found[name] != cpython


def nested_imports(folder: Path, depth: int) -> None:
    for number in range(1, depth):
        (folder / f"m{number}.py").write_text(f"import m{number + 1}\n")
    (folder / f"m{depth}.py").write_text("")


@pytest.mark.parametrize(("depth", "outcome"), [(8, "imported"), (9, "maximum recursion depth exceeded")])
def test_imports_nest_eight_deep_on_armv7(depth: int, outcome: str, tmp_path: Path) -> None:
    """So portable modules are held to 6 (tests/house/test_import_depth.py). The stack that MicroPython allows itself
    is 40 KB where words have 32 bits, and each import in progress takes more than 4 KB of it."""
    nested_imports(tmp_path, depth)
    code = "try:\n    import m1\n    print('imported')\nexcept RuntimeError as error:\n    print(error)\n"
    try:
        command = runtimes.command("MicroPython armv7")
    except UnavailableError as error:
        runtimes.skip_or_fail(error)
        raise
    told = subprocess.run([*command, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout.strip() == outcome
