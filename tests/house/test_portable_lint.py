"""Portable files use nothing that MicroPython lacks; and the lint finds each thing that it is there for."""

from collections.abc import Iterable
from pathlib import Path

import portable_rules as rules
import pytest
from house_files import ROOT, portable_core_files, portable_port_files, portable_test_files
from portable_lint import lint


def check(path: Path, modules: Iterable[str]) -> None:
    found = lint(path.read_text(), modules)
    assert not found, "\n".join(f"{path.relative_to(ROOT)}:{line}" for line in found)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", portable_core_files(), ids=name_of)
def test_core_file(path: Path) -> None:
    check(path, {*rules.CORE_MODULES, *rules.CORE_FILES.get(name_of(path), ())})


@pytest.mark.parametrize("path", portable_port_files(), ids=name_of)
def test_port_file(path: Path) -> None:
    check(path, rules.PORT_MODULES)


@pytest.mark.parametrize("path", portable_test_files(), ids=name_of)
def test_test_file(path: Path) -> None:
    check(path, {*rules.TEST_MODULES, *(file.stem for file in path.parent.glob("*.py"))})


@pytest.mark.parametrize("rule", rules.ALL_RULES, ids=lambda rule: rule.name)
def test_the_lint_finds(rule: rules.Rule) -> None:
    planted = "import binascii\n\n\n" + rule.example
    assert any(
        f": {rule.name}: " in line
        for line in lint(planted, {"binascii", "collections", "os", "struct", "sys", "time", "errno"})
    )


@pytest.mark.parametrize("rule", rules.ABSENT_MODULES, ids=lambda rule: rule.name)
def test_the_lint_finds_imports(rule: rules.Rule) -> None:
    assert lint(rule.example, rules.PORT_MODULES)
    assert lint(f"def f():\n    {rule.example}", rules.PORT_MODULES)
    assert lint(f"from {rule.name.split()[1]} import something\n", rules.PORT_MODULES)


@pytest.mark.parametrize(
    "source",
    [
        "import time\n",
        "import os\n",
        "import socket\n",
        "from collections import defaultdict\n",
        "import collections.abc\n",
    ],
)
def test_the_core_reads_no_clock_and_opens_nothing(source: str) -> None:
    assert lint(source, rules.CORE_MODULES)


@pytest.mark.parametrize(
    "source",
    [
        "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    from typing import Any\n",
        "def f(a: 'Any | None', b: list[int] | None = None) -> dict[str, int]:\n    return {}\n",
        "a: dict[int, str] = {}\n",
        "with open('a') as b, open('c') as d:\n    pass\n",
        "with (a + b):\n    pass\n",
        "first, *rest = [1, 2]\nf(*rest, **{})\n",
        "a = 5\nb = a.to_bytes(2, 'big')\nc = x | y\nd = x[1:2]\ne = f'{a} b'\n",
        "@property\ndef f(self):\n    pass\n",
        "a = 'x'.replace('y', 'z')\nb = node.path\n",
    ],
)
def test_the_lint_leaves_alone(source: str) -> None:
    assert lint(source, rules.CORE_MODULES) == []
