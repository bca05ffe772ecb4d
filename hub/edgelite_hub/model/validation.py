"""Walk an object along its schema: a cleaned copy with defaults, and everything that is wrong, by path.

Null means absent, as in Kubernetes. An unknown field is left out of the copy and noted apart, because what becomes of
it is the client's choice (fieldValidation).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edgelite_hub.model import schema
from edgelite_hub.model.status import (
    Cause,
    duplicate,
    forbidden_value,
    invalid_value,
    not_supported,
    required,
    wrong_type,
)

_ANYTHING = schema.Open(structure=False)
OPEN_DEPTH_MAX = 32  # of untyped JSON: what it is stored and sent through recurses


@dataclass(slots=True)
class Report:
    causes: list[Cause] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def clean(type_: schema.Type, value: Any, path: str, report: Report) -> Any:
    """The cleaned copy of `value`; meaningless where the report has causes."""
    return _WALKERS[type(type_)](type_, value, path, report)


def _text(type_: schema.Text, value: Any, path: str, report: Report) -> Any:
    if not isinstance(value, str):
        report.causes.append(wrong_type(path, value, "a string"))
    elif type_.enum and value not in type_.enum:
        report.causes.append(not_supported(path, value, type_.enum))
    elif not value and not type_.empty:
        report.causes.append(required(path))
    elif len(value) > type_.length_max:
        report.causes.append(
            Cause(path, "FieldValueTooLong", f"Too long: may not be more than {type_.length_max} bytes")
        )
    elif type_.check is not None and value:
        _append_problem(type_.check(value), value, path, report)
    return value


def _append_problem(problem: str, value: Any, path: str, report: Report) -> None:
    if problem:
        report.causes.append(invalid_value(path, value, problem))


def _integer(type_: schema.Integer, value: Any, path: str, report: Report) -> Any:
    if isinstance(value, float) and value.is_integer():  # 1.0, as JavaScript and some YAML tools write it
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        report.causes.append(wrong_type(path, value, "an integer"))
    elif not type_.minimum <= value <= type_.maximum:
        problem = f"must be between {type_.minimum} and {type_.maximum}, inclusive"
        report.causes.append(invalid_value(path, value, problem))
    return value


def _number(type_: schema.Number, value: Any, path: str, report: Report) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        report.causes.append(wrong_type(path, value, "a number"))
    return value


def _boolean(type_: schema.Boolean, value: Any, path: str, report: Report) -> Any:
    if not isinstance(value, bool):
        report.causes.append(wrong_type(path, value, "true or false"))
    return value


def _integer_or_text(type_: schema.IntegerOrText, value: Any, path: str, report: Report) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        report.causes.append(wrong_type(path, value, "a string or a number"))
    elif type_.check is not None:
        _append_problem(type_.check(str(value)), value, path, report)
    return value


def _open(type_: schema.Open, value: Any, path: str, report: Report) -> Any:
    if type_.structure and not isinstance(value, dict):
        report.causes.append(wrong_type(path, value, "an object"))
    elif depth_exceeds(value, OPEN_DEPTH_MAX):
        report.causes.append(invalid_value(path, value, f"is nested deeper than {OPEN_DEPTH_MAX} levels"))
    return value


def depth_exceeds(value: Any, depth_max: int) -> bool:
    level = [value]
    for _ in range(depth_max):
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below.extend(one.values())
            elif isinstance(one, list):
                below.extend(one)
        if not below:
            return False
        level = below
    return True


def _mapping(type_: schema.Mapping, value: Any, path: str, report: Report) -> Any:
    if not isinstance(value, dict):
        report.causes.append(wrong_type(path, value, "an object"))
        return value
    cleaned = {}
    for key, one in value.items():
        if type_.key_check is not None:
            _append_problem(type_.key_check(key), key, path, report)
        if one is not None:
            cleaned[key] = clean(type_.value, one, f"{path}[{key}]", report)
    return cleaned


def _sequence(type_: schema.Sequence, value: Any, path: str, report: Report) -> Any:
    if not isinstance(value, list):
        report.causes.append(wrong_type(path, value, "a list"))
        return value
    if len(value) < type_.items_min:
        report.causes.append(required(path))
    if len(value) > type_.items_max:
        message = f"Too many: {len(value)}: must have at most {type_.items_max} items"
        report.causes.append(Cause(path, "FieldValueTooMany", message))
        return value
    cleaned = [clean(type_.item, one, f"{path}[{index}]", report) for index, one in enumerate(value)]
    if type_.merge_key and type_.unique:
        _check_unique(cleaned, type_.merge_key, path, report)
    return cleaned


def _check_unique(items: list[Any], key: str, path: str, report: Report) -> None:
    seen: list[Any] = []
    for index, item in enumerate(items):
        value = item.get(key) if isinstance(item, dict) else None
        if value is not None and value in seen:
            report.causes.append(duplicate(f"{path}[{index}].{key}", value))
        seen.append(value)


def _struct(type_: schema.Struct, value: Any, path: str, report: Report) -> Any:
    if not isinstance(value, dict):
        report.causes.append(wrong_type(path, value, "an object"))
        return value
    prefix = f"{path}." if path else ""
    unknown = [key for key in value if key not in type_.fields]
    cleaned: dict[str, Any] = {}
    if type_.keeps_unknown:
        cleaned = {key: _open(_ANYTHING, value[key], prefix + key, report) for key in unknown}
    else:
        report.unknown += [prefix + key for key in unknown]
    for name, field_type in type_.fields.items():
        one = value.get(name)
        if one is None:
            one = field_type.default
        if one is None:
            if field_type.required:
                report.causes.append(required(prefix + name))
        elif isinstance(field_type, schema.Refused):
            _refuse(field_type, one, prefix + name, report)
        else:
            cleaned[name] = clean(field_type, one, prefix + name, report)
    return cleaned


def _refuse(type_: schema.Refused, value: Any, path: str, report: Report) -> None:
    empty = value in ([], {}) and not type_.even_empty
    if not empty and not any(type(value) is type(one) and value == one for one in type_.harmless):
        report.causes.append(forbidden_value(path, type_.reason))


_WALKERS: dict[type, Callable[[Any, Any, str, Report], Any]] = {
    schema.Text: _text,
    schema.Integer: _integer,
    schema.Number: _number,
    schema.Boolean: _boolean,
    schema.IntegerOrText: _integer_or_text,
    schema.Open: _open,
    schema.Mapping: _mapping,
    schema.Sequence: _sequence,
    schema.Struct: _struct,
}
