"""Which room may import which, and how a file's imports are found."""

import ast
from pathlib import Path

# ARCHITECTURE.md's table. `edgelite_cli` may name every room, the others never name it, the simulator or the tests.
MAY_IMPORT: dict[str, set[str]] = {
    "edgelite_protocol": set(),
    "edgelite": {"edgelite_protocol"},
    "edgelite_drivers": {"edgelite", "edgelite_protocol"},
    "edgelite_ports": {"edgelite", "edgelite_protocol"},
    "edgelite_hub": {"edgelite_protocol"},
    "edgelite_sim": {
        "edgelite",
        "edgelite_protocol",
        "edgelite_drivers",
        "edgelite_ports",
        "edgelite_hub",
        "edgelite_cli",
    },
    "edgelite_cli": {
        "edgelite",
        "edgelite_protocol",
        "edgelite_drivers",
        "edgelite_ports",
        "edgelite_hub",
        "edgelite_sim",
    },
}
ROOMS = {*MAY_IMPORT, "tests"}
# Parts of a port that are the other half of one driver, in a process or a part of the firmware of its own.
DRIVER_HALVES = ("edgelite_ports.linux.ble", "edgelite_ports.micropython.ble")


def imported(source: str, package: str) -> list[tuple[int, str]]:
    """Line and dotted module of each import, at any depth and under TYPE_CHECKING too: a type is a dependency.
    `package` is the importing module's package, to resolve relative imports."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.lineno, resolved(node, package)))
        elif isinstance(node, ast.Call) and named_in_call(node):
            found.append((node.lineno, named_in_call(node)))
    return found


def resolved(node: ast.ImportFrom, package: str) -> str:
    if node.level == 0:
        return node.module or ""
    base = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def named_in_call(node: ast.Call) -> str:
    """`import_module("x")` and `__import__("x")` are imports too, where they name a module."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    named = node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
    return str(node.args[0].value) if name in ("import_module", "__import__") and named else ""  # type: ignore[attr-defined]


def broken(source: str, package: str) -> list[str]:
    """One line for each import that the importing room may not have."""
    room = package.split(".")[0]
    allowed = MAY_IMPORT[room] | ({"edgelite_drivers"} if package in DRIVER_HALVES else set())
    found = []
    for line, module in imported(source, package):
        target = module.split(".")[0]
        if target in ROOMS and target != room and target not in allowed:
            found.append(f"{line}: {room} may not import {module}")
    return found


def package_of(module: str, path: Path) -> str:
    return module if path.name == "__init__.py" else module.rpartition(".")[0]
