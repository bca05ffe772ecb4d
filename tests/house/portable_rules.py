"""What a portable file may not use, each with its reason and an example. The examples are used twice: the lint must
find each (test_portable_lint.py), and MicroPython must really fail on each (tests/divergences)."""

import ast
from collections.abc import Callable
from typing import Any


class Rule:
    """`example` is code that breaks the rule; `probe` is code that fails under MicroPython because of it, "" where
    the difference is silent (then `reason` says what happens)."""

    def __init__(self, name: str, reason: str, example: str, probe: str | None = None) -> None:
        self.name = name
        self.reason = reason
        self.example = example
        self.probe = example if probe is None else probe


class SyntaxRule(Rule):
    """Applies to every node of type `node`, outside annotations and `if TYPE_CHECKING:`, for which `breaks` holds."""

    def __init__(
        self,
        node: type[ast.AST],
        breaks: Callable[[Any], bool],
        name: str,
        reason: str,
        example: str,
        probe: str | None = None,
    ) -> None:
        super().__init__(name, reason, example, probe)
        self.node = node
        self.breaks = breaks


_TYPES = ("int", "float", "bool", "str", "bytes", "bytearray", "list", "dict", "tuple", "set", "frozenset", "type")
_HOOKS = ("__init_subclass__", "__set_name__", "__class_getitem__", "__getattribute__", "__del__", "__prepare__")


def _has_star(node: ast.List | ast.Tuple | ast.Set) -> bool:
    loads = isinstance(node, ast.Set) or isinstance(node.ctx, ast.Load)
    return loads and any(isinstance(item, ast.Starred) for item in node.elts)


def _is_type(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id in _TYPES) or (
        isinstance(node, ast.Subscript) and _is_type(node.value)
    )


def _joins_types(node: ast.BinOp) -> bool:
    return isinstance(node.op, ast.BitOr) and (_is_type(node.left) or _is_type(node.right))


def _deletes_slice(node: ast.Delete) -> bool:
    """`del rows[:]` stays: it empties a list; a bytearray is replaced by a new one."""
    slices = [target.slice for target in node.targets if isinstance(target, ast.Subscript)]
    return any(isinstance(one, ast.Slice) and (one.lower or one.upper) is not None for one in slices)


def _has_step(node: ast.Subscript) -> bool:
    return isinstance(node.slice, ast.Slice) and node.slice.step is not None


def _has_braces(node: ast.JoinedStr) -> bool:
    return any(isinstance(part, ast.Constant) and set(str(part.value)) & set("{}") for part in node.values)


def _is_call_of(node: ast.Call, *names: str) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr in names


def _converts_by_keyword(node: ast.Call) -> bool:
    return _is_call_of(node, "to_bytes", "from_bytes") and (len(node.args) != 2 or bool(node.keywords))


def _zips_strictly(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "zip" and bool(node.keywords)


def _decorates_by_expression(node: ast.FunctionDef) -> bool:
    bare = [item.func if isinstance(item, ast.Call) else item for item in node.decorator_list]
    return any(not isinstance(item, ast.Name | ast.Attribute) for item in bare)


def _assigns_slots(node: ast.Assign) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "__slots__" for target in node.targets)


SYNTAX_RULES = [
    SyntaxRule(ast.Match, lambda node: True, "match", "a syntax error", "match 1:\n    case 1:\n        pass\n"),
    SyntaxRule(
        ast.TryStar, lambda node: True, "except*", "a syntax error", "try:\n    pass\nexcept* ValueError:\n    pass\n"
    ),
    SyntaxRule(
        ast.arguments,
        lambda node: bool(node.posonlyargs),
        "positional-only /",
        "a syntax error",
        "def f(a, /):\n    pass\n",
    ),
    SyntaxRule(ast.List, _has_star, "[*a]", "a syntax error", "a = [*[1]]\n"),
    SyntaxRule(ast.Tuple, _has_star, "(*a,)", "a syntax error", "a = (*[1], 2)\n"),
    SyntaxRule(ast.Set, _has_star, "{*a}", "a syntax error", "a = {*[1]}\n"),
    SyntaxRule(ast.Dict, lambda node: None in node.keys, "{**d}", "a syntax error", "a = {**{}}\n"),
    SyntaxRule(
        ast.comprehension,
        lambda node: bool(node.is_async),
        "async comprehension",
        "a syntax error",
        "async def f(y):\n    return [x async for x in y]\n",
    ),
    SyntaxRule(
        ast.FunctionDef,
        _decorates_by_expression,
        "decorator expression",
        "only names and calls of names may decorate",
        "@(lambda f: f)\ndef g():\n    pass\n",
    ),
    SyntaxRule(
        ast.BinOp,
        _joins_types,
        "int | None at run time",
        "types have no |; quote it, or keep it in annotations",
        "a = int | None\n",
    ),
    SyntaxRule(
        ast.Subscript,
        lambda node: isinstance(node.ctx, ast.Load) and _is_type(node.value),
        "list[int] at run time",
        "types cannot be subscripted; keep it in annotations",
        "a = list[int]\n",
    ),
    SyntaxRule(
        ast.Delete,
        _deletes_slice,
        "del buffer[:n]",
        "a bytearray cannot delete; keep a start offset, or copy the rest",
        "a = bytearray(b'abc')\ndel a[:1]\n",
    ),
    SyntaxRule(
        ast.Subscript,
        _has_step,
        "slice with a step",
        "str and bytes know only step 1",
        "a = b'abc'[::-1]\n",
    ),
    SyntaxRule(
        ast.JoinedStr,
        _has_braces,
        "f-string with braces",
        "beside a literal with braces it formats the literal too; use %",
        "a = f'{1}' '{}'\n",
    ),
    SyntaxRule(
        ast.Call,
        _converts_by_keyword,
        "to_bytes by keyword",
        "length and byte order are positional, 1.25 knows no signed=",
        "a = (5).to_bytes(length=2, byteorder='big')\n",
        "",  # newer ones take keywords, 1.25 does not
    ),
    SyntaxRule(
        ast.Call, _zips_strictly, "zip(strict=)", "zip takes no keyword", "a = list(zip([1], [2], strict=True))\n"
    ),
    SyntaxRule(
        ast.ClassDef,
        lambda node: bool(node.keywords),
        "metaclass",
        "classes take no keywords",
        "class A(metaclass=type):\n    pass\n",
    ),
    SyntaxRule(
        ast.FunctionDef,
        lambda node: node.name in _HOOKS,
        "class hook",
        "never called",
        "class A:\n    def __init_subclass__(cls):\n        raise ValueError\n",
        "class A:\n    def __init_subclass__(cls):\n        A.called = 1\nclass B(A):\n    pass\nA.called\n",
    ),
    SyntaxRule(
        ast.Assign,
        _assigns_slots,
        "__slots__",
        "ignored, so it promises what does not hold",
        "class A:\n    __slots__ = ('a',)\n",
        "",
    ),
]

# Parenthesised `with` leaves no trace in the syntax tree; portable_lint finds it in the text.
PARENTHESISED_WITH = Rule(
    "parenthesised with", "a syntax error", "with (open('/dev/null') as a, open('/dev/null') as b):\n    pass\n"
)


def _rules(owner: str, names: str, reason: str) -> list[Rule]:
    return [Rule(name, reason, f"a = {owner}{name}\n") for name in names.split()]


_OS_ERRORS = """
    TimeoutError ConnectionError ConnectionAbortedError ConnectionRefusedError ConnectionResetError BrokenPipeError
    BlockingIOError InterruptedError ChildProcessError ProcessLookupError FileExistsError FileNotFoundError
    IsADirectoryError NotADirectoryError PermissionError IOError EnvironmentError
"""
_OTHER_ERRORS = "BufferError ReferenceError SystemError FloatingPointError Warning ExceptionGroup"

BUILTINS = [
    *_rules("", _OS_ERRORS, "absent: catch OSError and look at errno"),
    *_rules("", "UnicodeDecodeError UnicodeEncodeError", "absent: catch UnicodeError"),
    *_rules("", "ModuleNotFoundError", "absent: catch ImportError"),
    *_rules("", "RecursionError", "absent: RuntimeError there; bound the depth instead"),
    *_rules("", _OTHER_ERRORS, "absent"),
    *_rules("", "ascii format vars breakpoint aiter anext", "absent"),
]


def _methods(owner: str, names: str, reason: str) -> list[Rule]:
    return [Rule(f"{name}()", reason, f"a = {owner}.{name}()\n", f"a = {owner}.{name}\n") for name in names.split()]


_TEXT_METHODS = """
    capitalize casefold expandtabs format_map isalnum isascii isdecimal isidentifier isnumeric isprintable istitle
    ljust rjust maketrans removeprefix removesuffix swapcase translate zfill
"""

# Flagged where they are called, so names that are also good names of our own (`release`, `copy`) are left out.
METHODS = [
    *_methods("(1)", "bit_length bit_count as_integer_ratio", "int lacks it: shift, or compare"),
    *_methods("(1.0)", "is_integer", "float lacks it: value == int(value)"),
    *_methods("''", _TEXT_METHODS, "str and bytes lack it"),
    *_methods("memoryview(b'')", "cast tobytes tolist", "memoryview lacks it: bytes(view)"),
    *_methods("ValueError()", "with_traceback add_note", "exceptions lack it"),
    *_methods("__import__('collections').namedtuple('A', 'x')(1)", "_replace", "namedtuple lacks it"),
]


def _of_module(module: str, names: str, reason: str) -> list[Rule]:
    return [Rule(f"{module}.{name}", reason, f"import {module}\na = {module}.{name}\n") for name in names.split()]


MODULE_ATTRIBUTES = [
    *_of_module("struct", "Struct iter_unpack", "struct has only the functions"),
    *_of_module("time", "monotonic perf_counter strftime", "a core is given now_ms; a port has ticks_ms there"),
    *_of_module("os", "replace fsync environ path scandir", "it belongs behind the storage contract"),
    *_of_module("errno", "ENOSPC EPIPE ECHILD ESRCH ENOSYS", "errno lacks it: write the number, named"),
    *_of_module("sys", "getrecursionlimit", "sys lacks it"),
]

# What a portable file may import besides the rooms, and why that is enough. Everything else is refused.
CORE_MODULES = {
    "binascii": "CRC-32 and hex, in C on both",
    "collections": "deque, OrderedDict and namedtuple only",
    "errno": "numbers of errors that a port hands in",
    "hashlib": "SHA-256 on MicroPython",
    "_sha2": "SHA-256 on CPython 3.12 and later",
    "_sha256": "SHA-256 on CPython 3.11",
    "cryptolib": "AES on MicroPython; elsewhere the core has its own",
    "math": "in C on both",
    "micropython": "const()",
    "struct": "pack and unpack; range checks are ours",
}
# What one file of the core needs more.
CORE_FILES = {
    "edgelite/mqtt/umqtt_client.py": {"sys": "umqtt imports sockets by name, and must find none"},
}
COLLECTIONS = ("deque", "OrderedDict", "namedtuple")
TEST_MODULES = {
    **CORE_MODULES,
    "asyncio": "run_async",
    "gc": "memory",
    "json": "vectors are JSON",
    "os": "listdir",
    "sys": "the path, stdout",
    "time": "how long a test takes",
}
PORT_MODULES = {
    **TEST_MODULES,
    "array": "addresses for the C library",
    "bluetooth": "MicroPython on bare metal",
    "deflate": "MicroPython",
    "ffi": "MicroPython on Linux: fsync",
    "io": "StringIO, for MicroPython's traceback",
    "machine": "MicroPython on bare metal",
    "network": "MicroPython on bare metal",
    "select": "poll",
    "socket": "a port does the I/O",
    "termios": "serial lines",
    "tls": "MicroPython",
    "uctypes": "MicroPython on Linux: addresses for the C library",
    "vfs": "MicroPython",
}

_ABSENT_MODULES = """
    typing __future__ dataclasses enum abc functools logging contextlib pathlib hmac zlib unittest itertools operator
    copy types datetime threading signal subprocess inspect traceback bisect
"""
ABSENT_MODULES = [Rule(f"import {name}", "absent", f"import {name}\n") for name in _ABSENT_MODULES.split()]

ALL_RULES: list[Rule] = [*SYNTAX_RULES, PARENTHESISED_WITH, *BUILTINS, *METHODS, *MODULE_ATTRIBUTES]
