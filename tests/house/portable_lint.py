"""Finds in a portable file what MicroPython lacks (portable_rules.py). Annotations and `if TYPE_CHECKING:` are left
out: MicroPython evaluates neither."""

import ast
import re
from collections.abc import Iterable, Iterator

import portable_rules as rules

ROOMS = ("edgelite", "edgelite_protocol", "edgelite_drivers", "edgelite_ports")
_WITH = re.compile(r"(?:async\s+)?with\s*\(")
_BUILTINS = {rule.name: rule for rule in rules.BUILTINS}
_METHODS = {rule.name: rule for rule in rules.METHODS}
_MODULE_ATTRIBUTES = {rule.name: rule for rule in rules.MODULE_ATTRIBUTES}


def lint(source: str, modules: Iterable[str]) -> list[str]:
    """One "line: rule: reason" for each thing that breaks a rule; `modules` are those that may be imported."""
    allowed = {*modules, *ROOMS}
    found = []
    for node in run_time_nodes(ast.parse(source)):
        line = getattr(node, "lineno", 0)
        for name, reason in broken(node, source, allowed):
            found.append(f"{line}: {name}: {reason}")
    return found


def run_time_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it that a runtime executes."""
    yield node
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns"):
            continue
        children = value if isinstance(value, list) else [value]
        if field == "body" and isinstance(node, ast.If) and is_type_checking(node.test):
            continue
        for child in children:
            if isinstance(child, ast.AST):
                yield from run_time_nodes(child)


def is_type_checking(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def broken(node: ast.AST, source: str, allowed: set[str]) -> Iterator[tuple[str, str]]:
    for rule in rules.SYNTAX_RULES:
        if isinstance(node, rule.node) and rule.breaks(node):
            yield rule.name, rule.reason
    found = None
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        found = _BUILTINS.get(node.id)
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        found = _MODULE_ATTRIBUTES.get(f"{node.value.id}.{node.attr}")
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        found = _METHODS.get(f"{node.func.attr}()")
    elif isinstance(node, ast.With | ast.AsyncWith) and is_parenthesised(node, source):
        found = rules.PARENTHESISED_WITH
    if found is not None:
        yield found.name, found.reason
    yield from imports_broken(node, allowed)


def is_parenthesised(node: ast.With | ast.AsyncWith, source: str) -> bool:
    """`with (a as b):`; parentheses around a plain expression are fine."""
    segment = ast.get_source_segment(source, node) or ""
    header = segment[: segment.index(":\n") if ":\n" in segment else len(segment)].rstrip()
    bound = any(item.optional_vars is not None for item in node.items)
    return bound and _WITH.match(header) is not None and header.endswith(")")


def imports_broken(node: ast.AST, allowed: set[str]) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        names = [node.module or ""]
        if node.module == "collections":
            for alias in node.names:
                if alias.name not in rules.COLLECTIONS:
                    yield f"import collections.{alias.name}", "collections lacks it"
    else:
        return
    for name in names:
        if name.split(".")[0] not in allowed or name == "collections.abc":
            yield f"import {name}", "not among the modules that a portable file of this kind may import"
