"""Sources without what only their readers need: comments, docstrings, types and wide indents go, each line keeps its
number.

Two fifths of the sources are such words, and a device's flash is no place to read them; what a traceback names there
is found under the same number in the sources.
"""

from __future__ import annotations

import ast
import io
import tokenize

_BODIES = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# A text with fields in it is one token before Python 3.12, and several from then on.
_STRINGS = (tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING))
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

Cut = tuple[int, int, int, bytes]  # line from 1, first byte, byte behind the last, what stands there instead


def compact(source: bytes) -> bytes:
    """SyntaxError where it is no Python."""
    lines = source.replace(b"\r\n", b"\n").split(b"\n")
    tree = ast.parse(source)
    cuts = list(_comments(source))
    for node in ast.walk(tree):
        if isinstance(node, _BODIES):
            cuts += _docstring(node.body, lines)
        if isinstance(node, _FUNCTIONS):
            cuts += _types(node, lines)
            cuts += _types_of_variables(node)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            cuts += [] if node.orelse else _block(node, lines)
    for row, start, end, instead in sorted(set(cuts), reverse=True):  # from the back: places before it stay
        line = lines[row - 1]
        lines[row - 1] = line[:start] + instead + line[end:]
    made = b"\n".join(line.rstrip() for line in lines).rstrip(b"\n") + b"\n"
    return _narrowed(made)


def _narrowed(source: bytes) -> bytes:
    """One blank for each level; what goes on from the line before needs none."""
    depth, begins = 0, {}
    of_text: set[int] = set()
    is_new_line = True
    for token in tokenize.tokenize(io.BytesIO(source).readline):
        if token.type in _STRINGS:
            of_text |= set(range(token.start[0] + 1, token.end[0] + 1))
        if token.type in (tokenize.INDENT, tokenize.DEDENT):
            depth += 1 if token.type == tokenize.INDENT else -1
        elif token.type == tokenize.NEWLINE:
            is_new_line = True
        elif is_new_line and token.type not in (tokenize.NL, tokenize.COMMENT, tokenize.ENCODING):
            begins[token.start[0]] = depth
            is_new_line = False
    lines = source.split(b"\n")
    for row, line in enumerate(lines, 1):
        if row not in of_text:
            lines[row - 1] = b" " * begins.get(row, 0) + line.lstrip()
    return b"\n".join(lines)


def _comments(source: bytes) -> list[Cut]:
    found = []
    for token in tokenize.tokenize(io.BytesIO(source).readline):
        if token.type == tokenize.COMMENT and not token.string.startswith("#!"):
            start = len(token.line[: token.start[1]].encode())
            found.append((token.start[0], start, start + len(token.string.encode()), b""))
    return found


def _docstring(body: list[ast.stmt], lines: list[bytes]) -> list[Cut]:
    """Where it is all that there is, `pass` takes its place."""
    first = body[0] if body else None
    if not isinstance(first, ast.Expr) or not isinstance(first.value, ast.Constant):
        return []
    return _block(first, lines, b"pass" if len(body) == 1 else b"") if isinstance(first.value.value, str) else []


def _block(node: ast.stmt, lines: list[bytes], instead: bytes = b"") -> list[Cut]:
    end_row = node.end_lineno or node.lineno
    found = []
    for row in range(node.lineno, end_row + 1):
        start = node.col_offset if row == node.lineno else 0
        end = (node.end_col_offset or 0) if row == end_row else len(lines[row - 1])
        found.append((row, start, end, instead if row == node.lineno else b""))
    return found


def _types(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[bytes]) -> list[Cut]:
    found = []
    given = node.args
    for one in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg):
        if one is not None and one.annotation is not None and one.annotation.end_lineno == one.lineno:
            start = one.col_offset + len(one.arg.encode())
            found.append((one.lineno, start, one.annotation.end_col_offset or start, b""))
    if node.returns is not None and node.returns.end_lineno == node.returns.lineno:
        row, end = node.returns.lineno, node.returns.end_col_offset or 0
        before = lines[row - 1][: node.returns.col_offset].rstrip()
        if before.endswith(b"->"):
            found.append((row, len(before[:-2].rstrip()), end, b""))
    return found


def _types_of_variables(function: ast.AST) -> list[Cut]:
    """Within functions alone: in a class they may mean something to a decorator."""
    found = []
    for node in ast.walk(function):
        if not isinstance(node, ast.AnnAssign) or node.value is None:
            continue
        row, start = node.target.end_lineno or 0, node.target.end_col_offset or 0
        if row == node.annotation.end_lineno:
            found.append((row, start, node.annotation.end_col_offset or start, b""))
    return found
