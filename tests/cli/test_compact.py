"""Sources on their way to a device: the same program, without what is for readers, each line under its number."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from edgelite_cli.compact import compact

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("edgelite", "protocol/edgelite_protocol", "drivers/edgelite_drivers", "ports/edgelite_ports")


class Bare(ast.NodeTransformer):
    """Takes the same things out of a tree, by other means."""

    def __init__(self) -> None:
        self.depth = 0

    def generic_visit(self, node: ast.AST) -> ast.AST:
        body = getattr(node, "body", None)
        if isinstance(body, list):
            first = body[0] if body else None
            is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            if is_text and isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                node.body = body[1:] or [ast.Pass()]  # type: ignore[attr-defined]
        return super().generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1
        return node

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if not self.depth or node.value is None:
            return node
        return ast.Assign([node.target], node.value)

    def visit_If(self, node: ast.If) -> ast.AST | None:
        is_for_types = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return None if is_for_types and not node.orelse else self.generic_visit(node)


def lines_of(tree: ast.AST) -> list[tuple[str, int]]:
    return [(type(node).__name__, node.lineno) for node in ast.walk(tree) if isinstance(node, ast.stmt)]


@pytest.mark.parametrize("room", ROOMS)
def test_every_file_of_a_device_stays_the_same_program(room: str) -> None:
    shrunk = [0, 0]
    for path in sorted((ROOT / room).rglob("*.py")):
        source = path.read_bytes()
        made = compact(source)
        assert ast.dump(Bare().visit(ast.parse(made))) == ast.dump(Bare().visit(ast.parse(source))), path
        shrunk = [shrunk[0] + len(source), shrunk[1] + len(made)]
    assert shrunk[1] < 0.7 * shrunk[0]


def test_what_goes_and_what_stays() -> None:
    source = b'''"""Words."""
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
text = "# no comment"  # a comment
class Thing:
    """Only words."""
def act(self, one: "int" = 1, *rest: "Any") -> "dict[str, Any]":  # why
    """Words
    on two lines."""
    found: dict[str, int] = {}
    return found
'''
    assert compact(source).decode().split("\n") == [
        "",
        "TYPE_CHECKING = False",
        "",
        "",
        'text = "# no comment"',
        "class Thing:",
        " pass",
        "def act(self, one = 1, *rest):",
        "",
        "",
        " found = {}",
        " return found",
        "",
    ]


def test_what_is_text_keeps_its_blanks() -> None:
    source = b'def act():\n    return f"""\n      a {len("b")}\n    {1}\n""" + call(\n        "c")\n'
    assert compact(source) == b'def act():\n return f"""\n      a {len("b")}\n    {1}\n""" + call(\n"c")\n'


def test_lines_keep_their_numbers() -> None:
    for path in sorted((ROOT / "edgelite").glob("*.py")):
        source = path.read_bytes()
        before = set(lines_of(ast.parse(source)))
        assert {row for row in lines_of(ast.parse(compact(source))) if row[0] not in ("Pass", "Assign")} <= before


def test_text_beyond_ascii_keeps_its_place() -> None:
    assert compact('a = "grüße"  # ü\n'.encode()).decode() == 'a = "grüße"\n'
    assert compact(b"") == b"\n"
