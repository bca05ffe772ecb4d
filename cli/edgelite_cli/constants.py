"""Puts constants where they are used, before a module is compiled for a small device.

A table such as `((m.HELLO_NODE, "node", REQUIRED, NAME), ...)` is made at import and lies in the heap, since it names
what other modules define. With the values in place it is a constant, which a frozen module keeps in flash; and a name
that is only ever a number needs no place in a module's dictionary. Meaning is not changed: a constant is a name in
capitals that is assigned once, at the top of a module, to integers, text, bytes, None, or tuples of these.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

_NAME = re.compile(r"_?[A-Z][A-Z0-9_]*")
_UNKNOWN = object()
_OPERATIONS: dict[type[ast.operator], Any] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.LShift: lambda a, b: a << b,
    ast.RShift: lambda a, b: a >> b,
    ast.BitOr: lambda a, b: a | b,
    ast.BitAnd: lambda a, b: a & b,
    ast.FloorDiv: lambda a, b: a // b,
}


class Modules:
    """`texts` are the sources of all modules that go along, by their dotted names."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._trees = {name: ast.parse(text) for name, text in texts.items()}
        self._packages = {name for name in texts if any(other.startswith(name + ".") for other in texts)}
        self._scopes: dict[str, _Scope] = {}
        self._asked: set[tuple[str, str]] = set()  # (module, name): somebody takes the name from that module
        for name in self._trees:
            self._asked |= self._scope(name).asked_of_others()

    def fold(self, name: str) -> str:
        """The module's source with constants in place."""
        scope = self._scope(name)
        tree = _Fold(scope).visit(ast.parse(ast.unparse(self._trees[name])))
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        keeps_all = name in self._packages  # a package's names are what it offers
        tree.body = [kept for node in tree.body if (kept := self._trimmed(scope, node, used, keeps_all)) is not None]
        return ast.unparse(ast.fix_missing_locations(tree)) + "\n"

    def _trimmed(self, scope: _Scope, node: ast.stmt, used: set[str], keeps_all: bool) -> ast.stmt | None:
        """Without names that nobody uses any more."""
        if keeps_all:
            return node
        if isinstance(node, ast.ImportFrom):
            names = [alias for alias in node.names if self._is_wanted(scope, alias.asname or alias.name, used)]
            node.names = names
            return node if names else None
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            target = node.targets[0].id
            is_private = target.startswith("_") or target == "TYPE_CHECKING"
            return None if is_private and not self._is_wanted(scope, target, used) else node
        if isinstance(node, ast.If) and isinstance(node.test, ast.Constant) and node.test.value is False:
            return None
        return node

    def _is_wanted(self, scope: _Scope, name: str, used: set[str]) -> bool:
        return scope.value(name) is _UNKNOWN or name in used or (scope.name, name) in self._asked

    def _scope(self, name: str) -> _Scope:
        if name not in self._scopes:
            self._scopes[name] = _Scope(self, name, self._trees[name])
        return self._scopes[name]

    def constant(self, module: str, name: str) -> Any:
        return self._scope(module).value(name) if module in self._trees else _UNKNOWN

    def is_module(self, name: str) -> bool:
        return name in self._trees


class _Scope:
    """The names at the top of one module."""

    def __init__(self, modules: Modules, name: str, tree: ast.Module) -> None:
        self.name = name
        self._modules = modules
        self._tree = tree
        self._values: dict[str, Any] = {}
        self._defined: dict[str, ast.expr] = {}
        self._taken: dict[str, tuple[str, str]] = {}  # name here: (module, name there)
        self.aliases: dict[str, str] = {}  # name here: module
        for node in tree.body:
            self._note(node)
        for name_ in _stored_elsewhere(tree):
            self._defined.pop(name_, None)
            self._taken.pop(name_, None)
            self.aliases.pop(name_, None)

    def _note(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if _NAME.fullmatch(name):
                self._defined[name] = node.value
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                here = alias.asname or alias.name
                whole = f"{node.module}.{alias.name}"
                if self._modules.is_module(whole):
                    self.aliases[here] = whole
                elif _NAME.fullmatch(alias.name):
                    self._taken[here] = (node.module, alias.name)

    def asked_of_others(self) -> set[tuple[str, str]]:
        """What this module takes from others by name, constants included: it may be loaded with other tools."""
        found = {
            (node.module, alias.name)
            for node in ast.walk(self._tree)
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
            if self._modules.constant(node.module, alias.name) is _UNKNOWN or node not in self._tree.body
        }
        return found | {
            (self.aliases[node.value.id], node.attr)
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in self.aliases
        }

    def value(self, name: str) -> Any:
        if name not in self._values:
            self._values[name] = _UNKNOWN  # of one that needs itself
            if name in self._taken:
                self._values[name] = self._modules.constant(*self._taken[name])
            elif name in self._defined:
                self._values[name] = self.evaluate(self._defined[name])
        return self._values[name]

    def evaluate(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant) and node.value is not ... and not isinstance(node.value, float | complex):
            return node.value
        if isinstance(node, ast.Name):
            return self.value(node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in self.aliases:
            return self._modules.constant(self.aliases[node.value.id], node.attr)
        if isinstance(node, ast.Tuple):
            parts = [self.evaluate(part) for part in node.elts]
            return _UNKNOWN if any(part is _UNKNOWN for part in parts) else tuple(parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            inner = self.evaluate(node.operand)
            return -inner if type(inner) is int else _UNKNOWN
        return self._operation(node)

    def _operation(self, node: ast.expr) -> Any:
        if not isinstance(node, ast.BinOp) or type(node.op) not in _OPERATIONS:
            return _UNKNOWN
        sides = self.evaluate(node.left), self.evaluate(node.right)
        if any(type(side) is not int for side in sides):
            return _UNKNOWN
        return _OPERATIONS[type(node.op)](*sides)


class _Fold(ast.NodeTransformer):
    def __init__(self, scope: _Scope) -> None:
        self._scope = scope

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._constant(node) if isinstance(node.ctx, ast.Load) and _NAME.fullmatch(node.id) else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.ctx, ast.Load) and _NAME.fullmatch(node.attr):
            found = self._constant(node)
            if found is not node:
                return found
        return self.generic_visit(node)  # type: ignore[return-value]

    def _constant(self, node: ast.expr) -> ast.expr:
        value = self._scope.evaluate(node)
        return node if value is _UNKNOWN else _literal(value)


def _literal(value: Any) -> ast.expr:
    if isinstance(value, tuple):
        return ast.Tuple([_literal(part) for part in value], ast.Load())
    return ast.Constant(value)


def _stored_elsewhere(tree: ast.Module) -> set[str]:
    """Names that are assigned more than once, or anywhere but at the top."""
    counts: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            counts[node.id] = counts.get(node.id, 0) + 1
        elif isinstance(node, ast.arg):
            counts[node.arg] = counts.get(node.arg, 0) + 2
        elif isinstance(node, ast.Global):
            counts.update(dict.fromkeys(node.names, 2))
    return {name for name, count in counts.items() if count > 1}
