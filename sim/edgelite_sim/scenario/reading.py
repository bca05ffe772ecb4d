"""From a file's text to a Scenario, one table after the other; every error names its line."""

from __future__ import annotations

import keyword
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from edgelite_sim import faults
from edgelite_sim.scenario.errors import ScenarioError
from edgelite_sim.scenario.format import FAULT, TABLES, TOP, Table
from edgelite_sim.scenario.model import Scenario
from edgelite_sim.written import fields, places
from edgelite_sim.written.fields import Field, UnfitError
from edgelite_sim.written.names import one_of

FILE_BYTES_MAX = 4 * 1024 * 1024  # a fleet is a line, whatever its size; keeps a wrong file from filling the memory


class Source:
    """A file's text, to say where in it something is wrong. Without a text, errors name no line."""

    def __init__(self, file: str, text: str = "") -> None:
        self.file = file
        self.places = places.Places(text)

    def error(self, path: places.Path, text: str, allowed: str = "") -> ScenarioError:
        return ScenarioError(self.file, self.places.line(path), text, allowed)


def read(text: str, file: str) -> tuple[Scenario, Source]:
    source = Source(file, text)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(file, _line_in(str(error)), f"this is no TOML: {error}") from error
    others = ("profiles", "invariants", *(table.name for table in TABLES))
    for name in document:
        if name not in {field.name for field in TOP} | set(others):
            allowed = one_of(name, [*(field.name for field in TOP), *others])
            raise source.error((name,), f"a scenario has no '{name}'", allowed)
    values = _values(
        source, (), {name: value for name, value in document.items() if name not in others}, TOP, "scenario"
    )
    values["name"] = values["name"] or Path(file).stem
    for table in TABLES:
        if table.name in document:
            values[table.attribute] = _parts(source, table, document[table.name])
    values["profiles"] = _tables(source, "profiles", document.get("profiles", {}))
    values["invariants"] = _switches(source, document.get("invariants", {}))
    return Scenario(folder=Path(file).parent, **values), source


def _line_in(text: str) -> int:
    """tomllib says "(at line 3, column 7)"."""
    _, found, rest = text.partition("at line ")
    digits = rest.split(",")[0]
    return int(digits) if found and digits.isdigit() else 0


def _parts(source: Source, table: Table, given: Any) -> list[Any]:
    if not isinstance(given, list) or not all(isinstance(one, Mapping) for one in given):
        raise source.error((table.name,), f"'{table.name}' is a list of tables", f"write [[{table.name}]]")
    return [_part(source, table, (table.name, number), one) for number, one in enumerate(given)]


def _part(source: Source, table: Table, path: places.Path, given: Mapping[str, Any]) -> Any:
    if table.fields is not FAULT:
        return table.make(**_values(source, path, given, table.fields, f"[[{table.name}]]"))
    kind = _kind(source, path, given)
    own = {field.name for field in FAULT}
    parameters = {name: value for name, value in given.items() if name not in own}
    common = {name: value for name, value in given.items() if name in own}
    values = _values(source, path, common, FAULT, "[[fault]]")
    allowed = [field.name for field in (*kind.fields, *FAULT)]
    return table.make(**values, parameters=_given(source, path, parameters, kind.fields, kind.name, allowed))


def _kind(source: Source, path: places.Path, given: Mapping[str, Any]) -> faults.Kind:
    name = given.get("kind")
    if name is None:
        raise source.error(path, "this fault has no kind", one_of("", faults.KINDS))
    if not isinstance(name, str) or name not in faults.KINDS:
        raise source.error((*path, "kind"), f"there is no fault '{name}'", one_of(str(name), faults.KINDS))
    return faults.KINDS[name]


def _values(
    source: Source, path: places.Path, given: Mapping[str, Any], known: Iterable[Field], where: str
) -> dict[str, Any]:
    """All fields by attribute, defaults where nothing is given."""
    known = list(known)
    found = _given(source, path, given, known, where, [field.name for field in known])
    values = {}
    for field in known:
        if field.name not in found and field.is_required:
            raise source.error(path, f"{where} needs '{field.name}': {field.sentence}")
        default = field.default
        copied = type(default)(default) if isinstance(default, list | dict) else default
        values[attribute(field.name)] = found.get(field.name, copied)
    return values


def _given(
    source: Source,
    path: places.Path,
    given: Mapping[str, Any],
    known: Iterable[Field],
    where: str,
    allowed: list[str],
) -> dict[str, Any]:
    """What was given, read; nothing else."""
    by_name = {field.name: field for field in known}
    found = {}
    for name, value in given.items():
        field = by_name.get(name)
        if field is None:
            raise source.error((*path, name), f"{where} has no '{name}'", one_of(name, allowed))
        try:
            found[name] = fields.read(field, value)
        except UnfitError as error:
            raise source.error((*path, name), f"{name}: {error.text}", error.allowed) from error
    return found


def attribute(name: str) -> str:
    return name + "_" if keyword.iskeyword(name) else name


def _tables(source: Source, name: str, given: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(given, Mapping):
        raise source.error((name,), f"'{name}' is a table of tables", f"write [{name}.NAME]")
    for one, value in given.items():
        if not isinstance(value, Mapping):
            raise source.error((name, one), f"{name}.{one} is no table", f"write [{name}.{one}]")
    return {one: dict(value) for one, value in given.items()}


def _switches(source: Source, given: Any) -> dict[str, dict[str, Any] | bool]:
    """NAME = true or false, or a table of bounds."""
    if not isinstance(given, Mapping):
        raise source.error(("invariants",), "'invariants' is a table", "write [invariants]")
    for one, value in given.items():
        if not isinstance(value, bool | Mapping):
            raise source.error(("invariants", one), f"{one}: {value!r} is neither true, false nor a table of bounds")
    return {one: value if isinstance(value, bool) else dict(value) for one, value in given.items()}
