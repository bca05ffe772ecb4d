"""The portable suite under every runtime of a device: each test must come to what it comes to under this CPython."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
import runtimes
from runtimes import HOST, ROOT, RUNTIMES, Outcomes, Suite

from edgelite_sim.qemu.emulators import UnavailableError

DEVICES = [name for name in RUNTIMES if name != HOST]

pytestmark = pytest.mark.timeout(runtimes.TIMEOUT_S + 80)  # the first question waits for builds and a whole run


def portable_tests() -> list[str]:
    """Read from the files, not from what a runtime found in them."""
    names = []
    for folder in runtimes.portable_folders():
        for path in sorted((ROOT / folder).glob("test_*.py")):
            module = ast.parse(path.read_text())
            tests = [node.name for node in module.body if isinstance(node, ast.FunctionDef)]
            names += [f"{folder}/{path.name}::{name}" for name in tests if name.startswith("test_")]
    return names


@pytest.fixture(scope="module")
def suite() -> Iterator[Suite]:
    suite = Suite()
    yield suite
    suite.close()


def outcomes(suite: Suite, runtime: str) -> Outcomes:
    try:
        return suite.outcomes(runtime)
    except UnavailableError as error:
        runtimes.skip_or_fail(error)
        raise


@pytest.mark.parametrize("test", portable_tests())
@pytest.mark.parametrize("runtime", DEVICES)
def test_comes_to_the_same(suite: Suite, runtime: str, test: str) -> None:
    there = outcomes(suite, runtime)
    assert outcomes(suite, HOST).rows.get(test) == "passed"
    assert there.rows.get(test, "did not run") == "passed", there.about(test)


@pytest.mark.parametrize("runtime", DEVICES)
def test_runs_the_same_tests(suite: Suite, runtime: str) -> None:
    there = outcomes(suite, runtime)
    assert there.rows == outcomes(suite, HOST).rows, there.output[-2000:]
    assert there.rows
