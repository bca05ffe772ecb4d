"""Functions stay short and files tell one idea."""

import ast
from pathlib import Path

import pytest
from house_files import ROOT, all_python_files, all_room_files

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500
# Files of tests are held to the bound on functions only: a table of cases may be long, and splitting it hides gaps.
MEDIAN_LINES_MAX = 10


def functions(source: str) -> list[tuple[str, int]]:
    """Name and length in lines of each function, docstring included; decorators are not, they hold tables of cases."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [(node.name, (node.end_lineno or node.lineno) - node.lineno + 1) for node in nodes]


def too_long(source: str) -> list[str]:
    return [f"{name}: {lines} lines" for name, lines in functions(source) if lines > FUNCTION_LINES_MAX]


@pytest.mark.parametrize("path", all_python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_functions_of(path: Path) -> None:
    assert too_long(path.read_text()) == []


@pytest.mark.parametrize("path", all_room_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_length_of(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= FILE_LINES_MAX


def test_the_median_function_is_short() -> None:
    lengths = sorted(lines for path in all_room_files() for _, lines in functions(path.read_text()))
    assert lengths[len(lengths) // 2] <= MEDIAN_LINES_MAX


def test_a_planted_giant_is_found() -> None:
    body = "    pass\n" * FUNCTION_LINES_MAX
    assert too_long("def giant():\n" + body) == [f"giant: {FUNCTION_LINES_MAX + 1} lines"]
    assert too_long("class A:\n  async def giant():\n" + body)
    assert too_long("def just_fits():\n" + "    pass\n" * (FUNCTION_LINES_MAX - 1)) == []
