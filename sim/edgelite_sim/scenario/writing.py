"""A scenario as TOML, as `load` reads it: what the hunt has found and shrunk becomes a file that replays."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from edgelite_sim import faults
from edgelite_sim.scenario.format import TABLES, TOP
from edgelite_sim.scenario.model import FaultPart, Scenario
from edgelite_sim.scenario.reading import attribute
from edgelite_sim.written import fields
from edgelite_sim.written.fields import Field


def to_toml(scenario: Scenario) -> str:
    lines = _lines(scenario, TOP)
    for name, value in scenario.profiles.items():
        lines += ["", f"[profiles.{_key(name)}]", *_pairs(value)]
    if scenario.invariants:
        lines += ["", "[invariants]", *_pairs(scenario.invariants)]
    for table in TABLES:
        for part in getattr(scenario, table.attribute):
            lines += ["", f"[[{table.name}]]", *_lines(part, table.fields)]
            if isinstance(part, FaultPart):
                lines += _given(part.parameters, faults.KINDS[part.kind].fields)
    return "\n".join(lines) + "\n"


def tables(given: Mapping[str, Mapping[str, Any]]) -> str:
    """One table for each."""
    return "\n".join("\n".join([f"[{_key(name)}]", *_pairs(table), ""]) for name, table in given.items())


def _lines(part: Any, known: Iterable[Field]) -> list[str]:
    """What differs from the default."""
    values = {field.name: getattr(part, attribute(field.name)) for field in known}
    return _given({field.name: values[field.name] for field in known if values[field.name] != field.default}, known)


def _given(values: Mapping[str, Any], known: Iterable[Field]) -> list[str]:
    """What TOML has no word for, None, is left out."""
    by_name = {field.name: field for field in known}
    return [
        f"{_key(name)} = {_value(fields.write(by_name[name], value))}"
        for name, value in values.items()
        if value is not None
    ]


def _pairs(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(name)} = {_value(value)}" for name, value in table.items()]


def _key(name: str) -> str:
    is_bare = bool(name) and all(one.isascii() and (one.isalnum() or one in "-_") for one in name)
    return name if is_bare else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return "{" + ", ".join(_pairs(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    return repr(value)  # a number: Python and TOML write inf, nan and exponents alike


ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _text(text: str) -> str:
    """A basic string: control characters are escaped."""
    escaped = "".join(
        ESCAPES.get(one) or (f"\\u{ord(one):04x}" if ord(one) < 32 or one == "\x7f" else one) for one in text
    )
    return f'"{escaped}"'


def document(given: Mapping[str, Any]) -> str:
    """A whole table as TOML; what is within it stands in inline tables."""
    return "\n".join(_pairs(given)) + "\n"
