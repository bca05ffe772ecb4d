"""Formulas of simulated values: arithmetic in Python's notation, and nothing else of Python.

    formula("230 + 5 * sin(t / 60)", "value.formula").at(t=12.0, reads=0, hour=13.5, day=42)

Numbers, the names of `NAMES`, + - * / // % **, comparisons, `and`, `or`, `not`, `a if b else c`, and the functions of
`FUNCTIONS`. What it gives is a number. The text is bounded, so is the tree that it makes, and every result on the way
is: a formula cannot take long or grow without end.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Callable
from types import CodeType

from edgelite.driver import ConfigurationError

TEXT_MAX = 500
NODES_MAX = 200
CONSTANT_MAX = 1e15
POWER_MAX = 1e100  # of what ** gives: such a number can still be multiplied with a few of its kind

NAMES = {
    "t": "seconds since the device's start",
    "reads": "how many reads of this value were answered",
    "hour": "hour of the day, UTC, with its fraction",
    "day": "day of the year, 1 to 366",
    "pi": "3.14159...",
}


def _power(base: float, exponent: float) -> float:
    result = math.pow(base, exponent)
    if abs(result) > POWER_MAX:
        raise OverflowError
    return result


FUNCTIONS: dict[str, tuple[Callable[..., float], int, int]] = {  # with how many arguments at least and at most
    "sin": (math.sin, 1, 1),
    "cos": (math.cos, 1, 1),
    "exp": (math.exp, 1, 1),
    "log": (math.log, 1, 2),
    "sqrt": (math.sqrt, 1, 1),
    "abs": (abs, 1, 1),
    "min": (min, 2, 10),
    "max": (max, 2, 10),
    "floor": (math.floor, 1, 1),
    "round": (round, 1, 2),
}
_SCOPE: dict[str, object] = {"__builtins__": {}, "pi": math.pi, "_power": _power}
_SCOPE.update({name: row[0] for name, row in FUNCTIONS.items()})

_ALLOWED = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.Name, ast.Constant,
    ast.Load, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.UAdd, ast.USub, ast.Not,
    ast.And, ast.Or, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
)  # fmt: skip
_WORDS = {
    ast.Attribute: "a '.' that takes an attribute",
    ast.Subscript: "an index",
    ast.Lambda: "a lambda",
    ast.List: "a list",
    ast.Dict: "a map",
    ast.Tuple: "a tuple",
    ast.BitXor: "'^' (a power is written **)",
    ast.NamedExpr: "an assignment",
}


class Formula:
    def __init__(self, code: CodeType, text: str, path: str, names: frozenset[str]) -> None:
        self._code = code
        self._text = text
        self._path = path
        self.names = names  # of NAMES, those that stand in it

    def at(self, t: float, reads: int, hour: float = 0.0, day: int = 1) -> float:
        """ConfigurationError where the arithmetic has no result: a division by zero, a logarithm of nothing."""
        try:
            value = eval(self._code, _SCOPE, {"t": t, "reads": reads, "hour": hour, "day": day})
            value = float(value) if isinstance(value, bool) else value
            if isinstance(value, complex) or not -1e300 < value < 1e300:
                raise OverflowError
        except (ArithmeticError, ValueError, TypeError) as error:
            told = "is too large" if isinstance(error, OverflowError) else str(error)
            raise ConfigurationError(self._path, f"{self._text!r} has no value at t = {t:g}: {told}") from error
        return float(value)


def formula(text: object, path: str) -> Formula:
    """ConfigurationError says which part of the text is nothing for a formula, and what would be."""
    if not isinstance(text, str) or not 0 < len(text) <= TEXT_MAX:
        raise ConfigurationError(path, f"must be text of 1 to {TEXT_MAX} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", SyntaxWarning)  # "4if t else 2": what Python still takes, and means no good
            tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigurationError(path, f"{text!r} is no formula: {getattr(error, 'msg', error)}") from error
    nodes = list(ast.walk(tree))
    if len(nodes) > NODES_MAX:
        raise ConfigurationError(path, f"has {len(nodes)} parts, and at most {NODES_MAX} may be")
    called = [node.func for node in nodes if isinstance(node, ast.Call)]
    for node in nodes:
        _check(node, path)
        if isinstance(node, ast.Name) and node.id in FUNCTIONS and not any(node is one for one in called):
            raise ConfigurationError(path, f"{node.id} is a function: {node.id}(...)")
    names = frozenset(node.id for node in nodes if isinstance(node, ast.Name) and node.id in NAMES)
    code = compile(ast.fix_missing_locations(_Powers().visit(tree)), "<formula>", "eval")
    return Formula(code, text, path, names)


def _check(node: ast.AST, path: str) -> None:
    if not isinstance(node, _ALLOWED):
        word = _WORDS.get(type(node), type(node).__name__)
        raise ConfigurationError(path, f"{word} is not allowed; only numbers, names, operators, functions are")
    if isinstance(node, ast.Constant) and (
        type(node.value) not in (int, float, bool) or abs(node.value) > CONSTANT_MAX  # type: ignore[arg-type]
    ):
        raise ConfigurationError(path, f"{str(node.value)[:40]!r} is no number up to {CONSTANT_MAX:g}")
    if isinstance(node, ast.Name) and node.id not in NAMES and node.id not in FUNCTIONS:
        known = ", ".join([*NAMES, *(name + "()" for name in FUNCTIONS)])
        raise ConfigurationError(path, f"{node.id!r} is not known; known are {known}")
    if isinstance(node, ast.Call):
        _check_call(node, path)


def _check_call(node: ast.Call, path: str) -> None:
    if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS:
        raise ConfigurationError(path, f"{ast.unparse(node.func)!r} is no function; known are {', '.join(FUNCTIONS)}")
    _, least, most = FUNCTIONS[node.func.id]
    if node.keywords or not least <= len(node.args) <= most:
        count = str(least) if least == most else f"{least} to {most}"
        raise ConfigurationError(path, f"{node.func.id}() takes {count} arguments, without names")


class _Powers(ast.NodeTransformer):
    """`a ** b` becomes a call that is bounded: of integers it could go on for longer than anybody waits."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Pow):
            return ast.Call(ast.Name("_power", ast.Load()), [node.left, node.right], [])
        return node
