"""What an object may hold, as data: a tree of types that the validator walks, OpenAPI is printed from and a strategic
merge takes its keys from.

A field of a Struct that is absent or null takes its `default` where it has one. Fields that a node cannot honour are
Refused: named in the answer, so that nobody believes in a probe that nobody runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

# Why a text is not one of its kind, or "" where it is.
TextCheck = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    required: bool = False
    default: Any = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Type):
    enum: tuple[str, ...] = ()
    check: TextCheck | None = None
    length_max: int = 1024 * 1024  # the bound of a whole request is near; this only keeps one word from filling it
    empty: bool = True  # may be ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Integer(Type):
    minimum: int = -(2**63)
    maximum: int = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Type):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Boolean(Type):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerOrText(Type):
    check: TextCheck | None = None  # of the text that either makes


@dataclass(frozen=True, slots=True, kw_only=True)
class Open(Type):
    """Any JSON, bounded in depth: drivers' configuration, statuses that only the hub writes."""

    structure: bool = True  # must be an object


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping(Type):
    value: Type
    key_check: TextCheck | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence(Type):
    """`merge_key` names the field by which items are told apart: no two are equal in it, and a strategic merge patch
    merges by it."""

    item: Type
    merge_key: str = ""
    unique: bool = True  # whether the merge key's values must differ
    items_min: int = 0
    items_max: int = 1024  # far above what a constrained device can hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Struct(Type):
    """With `keeps_unknown` a field that it does not name stays as it is."""

    keeps_unknown: bool = False
    fields: dict[str, Type] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(Type):
    """Would change what a workload does and is not there yet. `harmless` values, and an empty list or object, ask for
    nothing and are dropped; with `even_empty` an empty object is a wish like any other."""

    reason: str = "is not supported yet"
    harmless: tuple[Any, ...] = (False, 0, "")
    even_empty: bool = False
