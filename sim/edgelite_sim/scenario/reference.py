"""The tables of docs/simulator.md, from those of the code: `python -m edgelite_sim.scenario.reference` prints them.

A test holds the page against this.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from edgelite_sim import faults
from edgelite_sim.faults.kind import lasting
from edgelite_sim.faults.of_workloads import MISBEHAVIOURS
from edgelite_sim.scenario import library
from edgelite_sim.scenario.figures import ALL
from edgelite_sim.scenario.format import TABLES, TOP
from edgelite_sim.scenario.model import Scenario
from edgelite_sim.scenario.reading import read
from edgelite_sim.written import fields, units
from edgelite_sim.written.fields import Field

TYPES = {
    "text": "text",
    "flag": "true or false",
    "count": "number",
    "number": "number",
    "duration": "duration",
    "span": "duration, or 2m..8m",
    "jump": "duration, may be negative",
    "size": "size",
    "moment": "date",
    "names": "name or list",
    "texts": "list",
    "table": "table",
    "value": "value",
    "bound": "number, size or duration",
}
TARGETS = {
    "node": "Of nodes",
    "link": "Of links",
    "workload": "Of workloads (target: workload@node)",
    "device": "Of devices (target: device@node)",
    "hub": "Of hubs",
}


def tables() -> dict[str, str]:
    """Each piece of the page, by what it is about."""
    pieces = {"top": _fields(TOP)}
    for table in TABLES:
        pieces[table.name] = f"### `[[{table.name}]]`\n{table.sentence}\n\n{_fields(table.fields)}"
    for target, title in TARGETS.items():
        kinds = [kind for kind in faults.KINDS.values() if kind.target == target]
        pieces[f"faults of a {target}"] = f"### {title}\n\n" + _rows(("kind", "", "parameters"), map(_fault, kinds))
    stories = (read(path.read_text("utf-8"), str(path))[0] for path in sorted(library.folder().glob("*.toml")))
    rows = ((f"[{one.name}](../sim/scenarios/{one.name}.toml)", one.description, _size(one)) for one in stories)
    pieces["library"] = _rows(("scenario", "its story", ""), rows)
    pieces["figures"] = _rows(("figure", "in", ""), ((f"`{one.name}`", one.unit, one.sentence) for one in ALL))
    behaviours = ((f"`{name}`", f"`sim {words}`") for name, words in MISBEHAVIOURS.items())
    pieces["misbehaviours"] = _rows(("`how` of misbehave", "what the process does then"), behaviours)
    return pieces


def _size(scenario: Scenario) -> str:
    count = len(scenario.nodes())
    return f"{count} node{'' if count == 1 else 's'}, {units.duration_text(scenario.duration)}"


def _rows(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(one.replace("|", "\\|") for one in row) + " |" for row in rows]
    return "\n".join(lines).replace("|  |", "| |") + "\n"


def _fields(known: Iterable[Field]) -> str:
    rows = ((f"`{one.name}`", _type(one), _default(one), one.sentence) for one in known)
    return _rows(("field", "", "default", ""), rows)


def _type(field: Field) -> str:
    allowed = fields.bounds(field)
    if field.choices:
        return allowed
    return TYPES[field.type] + (f", {allowed}" if allowed else "")


def _default(field: Field) -> str:
    if field.is_required:
        return "required"
    empty = field.default in (None, "", [], {})
    return "" if empty else fields.shown(field, field.default)


def _fault(kind: faults.Kind) -> tuple[str, str, str]:
    return f"`{kind.name}`", kind.sentence, "; ".join(_parameter(one) for one in kind.fields)


def _parameter(field: Field) -> str:
    if field == lasting():
        return "`for`"  # as the page says it once
    default = _default(field)
    return f"`{field.name}` ({_type(field)}{'; ' + default if default else ''}): {field.sentence}"


if __name__ == "__main__":
    sys.stdout.write("\n".join(tables().values()))
