"""What may be written into one place of a scenario: a field's name, type, bounds, default and meaning.

Tables of these are the format: files are read by them, written by them, and the documentation is checked against them.
A type reads what TOML gives into what the code wants, or says in one sentence what it wants instead.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgelite_sim.written import units


class Required:
    """The default of a field that has none."""

    def __repr__(self) -> str:
        return "required"


REQUIRED = Required()
Span = tuple[int, int]  # a duration drawn anew each time, both ends included, in milliseconds


@dataclass(frozen=True)
class Field:
    """`minimum` and `maximum` are in what the type reads: milliseconds, bytes, the number itself."""

    name: str
    type: str
    sentence: str
    default: Any = REQUIRED
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    is_shown: bool = True  # false for what only programs write

    @property
    def is_required(self) -> bool:
        return self.default is REQUIRED


class UnfitError(Exception):
    """A value that a field does not take. `allowed` says what it takes, or what it might have been."""

    def __init__(self, text: str, allowed: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.allowed = allowed


@dataclass(frozen=True)
class Type:
    """`read` raises UnfitError; `write` gives what TOML has for it; `unit` is what its numbers are called."""

    read: Callable[[Any], Any]
    write: Callable[[Any], Any]
    shown: Callable[[Any], str]


def read(field: Field, value: Any) -> Any:
    """UnfitError where the value is of another type, or out of bounds."""
    found = TYPES[field.type].read(value)
    if field.choices and found not in field.choices:
        from edgelite_sim.written.names import one_of

        raise UnfitError(f"there is no '{found}'", one_of(str(found), field.choices))
    for low_or_high in found if isinstance(found, tuple) else (found,):
        _hold_bounds(field, low_or_high)
    return found


def write(field: Field, value: Any) -> Any:
    return TYPES[field.type].write(value)


def shown(field: Field, value: Any) -> str:
    return TYPES[field.type].shown(value)


def bounds(field: Field) -> str:
    """For people: "1s to 2d", "at least 1", "silent, refused"; "" where all is allowed."""
    if field.choices:
        return ", ".join(field.choices)
    low = None if field.minimum is None else shown(field, _as_read(field, field.minimum))
    high = None if field.maximum is None else shown(field, _as_read(field, field.maximum))
    if low is not None and high is not None:
        return f"{low} to {high}"
    return f"at least {low}" if low is not None else f"at most {high}" if high is not None else ""


def _as_read(field: Field, number: float) -> float:
    return number if field.type == "number" else int(number)


def _hold_bounds(field: Field, value: Any) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    too_low = field.minimum is not None and value < field.minimum
    too_high = field.maximum is not None and value > field.maximum
    if too_low or too_high:
        raise UnfitError(f"{shown(field, value)} is out of bounds", f"allowed: {bounds(field)}")


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise UnfitError(f"{value!r} is no text")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise UnfitError(f"{value!r} is neither true nor false")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise UnfitError(f"{value!r} is no whole number")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise UnfitError(f"{value!r} is no number")
    return float(value)


def _duration(value: Any) -> int:
    found = units.duration_ms(value) if isinstance(value, str) else None
    if found is None:
        raise UnfitError(f"{value!r} is no duration", units.DURATION_EXAMPLES)
    return found


def _span(value: Any) -> int | Span:
    """A duration, or two with ".." between: "2m..8m"."""
    if not isinstance(value, str) or ".." not in value:
        return _duration(value)
    low, _, high = value.partition("..")
    span = (_duration(low), _duration(high))
    if span[0] > span[1]:
        raise UnfitError(f"{value!r} ends before it begins", "write the shorter one first, as in 2m..8m")
    return span


def _jump(value: Any) -> int:
    """A duration with a sign: "-1h"."""
    if isinstance(value, str) and value[:1] == "-":
        return -_duration(value[1:])
    return _duration(value.removeprefix("+") if isinstance(value, str) else value)


def _jump_text(value_ms: int) -> str:
    return ("-" if value_ms < 0 else "") + units.duration_text(abs(value_ms))


def _size(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = units.size_bytes(value) if isinstance(value, str) else None
    if found is None:
        raise UnfitError(f"{value!r} is no size", units.SIZE_EXAMPLES)
    return found


def _moment(value: Any) -> int:
    """Unix time in milliseconds of a date, with or without a time; without a zone it is UTC."""
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime.datetime):
        raise UnfitError(f"{value!r} is no date", "write a date such as 2026-01-01T00:00:00Z")
    zoned = value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
    return round(zoned.timestamp() * 1000)


def _moment_of(unix_ms: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(unix_ms / 1000, datetime.UTC)


def _names(value: Any) -> list[str]:
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not found or not all(isinstance(one, str) and one for one in found):
        raise UnfitError(f"{value!r} is neither a name nor a list of names")
    return list(found)


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise UnfitError(f"{value!r} is no list of texts")
    return list(value)


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise UnfitError(f"{value!r} is no table")
    return dict(value)


def _value(value: Any) -> str | int | float | bool:
    if not isinstance(value, str | int | float | bool):
        raise UnfitError(f"{value!r} is neither a text nor a number")
    return value


def _bound_value(value: Any) -> float:
    """A number, a share, a size or a duration: which of them, the figure tells."""
    if isinstance(value, str):
        for read_one in (units.size_bytes, units.duration_ms):
            if (found := read_one(value)) is not None:
                return float(found)
        raise UnfitError(f"{value!r} is no bound", "write a number, a size (100 kB) or a duration (2h)")
    return _number(value)


def _as_it_is(value: Any) -> Any:
    return value


def _one_or_all(value: Sequence[str]) -> Any:
    return value[0] if len(value) == 1 else list(value)


def _span_text(value: int | Span) -> str:
    if isinstance(value, tuple):
        return f"{units.duration_text(value[0])}..{units.duration_text(value[1])}"
    return units.duration_text(value)


def _listed(value: Sequence[str]) -> str:
    return ", ".join(value) or "none"


TYPES: dict[str, Type] = {
    "text": Type(_text, _as_it_is, str),
    "flag": Type(_flag, _as_it_is, lambda value: "true" if value else "false"),
    "count": Type(_count, _as_it_is, str),
    "number": Type(_number, _as_it_is, lambda value: f"{value:g}"),
    "duration": Type(_duration, units.duration_text, units.duration_text),
    "span": Type(_span, _span_text, _span_text),
    "jump": Type(_jump, _jump_text, _jump_text),
    "size": Type(_size, _as_it_is, units.size_text),
    "moment": Type(_moment, _moment_of, lambda value: _moment_of(value).isoformat().replace("+00:00", "Z")),
    "names": Type(_names, _one_or_all, _listed),
    "texts": Type(_texts, list, _listed),
    "table": Type(_table, dict, str),
    "bound": Type(_bound_value, _as_it_is, lambda value: f"{value:g}"),
    "value": Type(_value, _as_it_is, str),
}
