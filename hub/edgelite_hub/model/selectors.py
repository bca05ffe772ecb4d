"""Label and field selectors: parsed once, asked for each object."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgelite_hub.model.objects import Object
from edgelite_hub.model.status import bad_request

Labels = dict[str, str]
REQUIREMENTS_MAX = 64  # of one selector

_SET = re.compile(r"\s*([^\s=!,()]+)\s+(in|notin)\s*\(([^()]*)\)\s*")
_EQUAL = re.compile(r"\s*([^\s=!,()]+)\s*(==|=|!=)\s*([^\s=!,()]*)\s*")
_EXISTS = re.compile(r"\s*(!?)\s*([^\s=!,()]+)\s*")


@dataclass(frozen=True, slots=True)
class Requirement:
    key: str
    operator: str  # In, NotIn, Exists, DoesNotExist
    values: tuple[str, ...] = ()

    def matches(self, labels: Labels) -> bool:
        """A label that is absent is not in any set, so NotIn holds for it."""
        return _OPERATORS[self.operator](self.key in labels, labels.get(self.key) in self.values)


_OPERATORS: dict[str, Callable[[bool, bool], bool]] = {
    "In": lambda present, among: present and among,
    "NotIn": lambda present, among: not (present and among),
    "Exists": lambda present, among: present,
    "DoesNotExist": lambda present, among: not present,
}


def parse_label_selector(text: str) -> list[Requirement]:
    """`a=b,c!=d,e in (f,g),h notin (i),j,!k`; StatusError 400."""
    requirements = []
    rest = text.strip()
    while rest:
        requirement, rest = _next_requirement(rest, text)
        requirements.append(requirement)
    if len(requirements) > REQUIREMENTS_MAX:
        raise bad_request(f"a label selector may have {REQUIREMENTS_MAX} requirements")
    return requirements


def _next_requirement(rest: str, whole: str) -> tuple[Requirement, str]:
    for pattern, make in _FORMS:
        match = pattern.match(rest)
        if match and rest[match.end() : match.end() + 1] in ("", ","):
            return make(match), rest[match.end() + 1 :]
    raise bad_request(f'unable to parse the label selector "{whole}" at "{rest[:50]}"')


def _from_set(match: re.Match[str]) -> Requirement:
    values = tuple(value.strip() for value in match[3].split(","))
    return Requirement(match[1], "In" if match[2] == "in" else "NotIn", values)


_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Requirement]], ...] = (
    (_SET, _from_set),
    (_EQUAL, lambda match: Requirement(match[1], "NotIn" if match[2] == "!=" else "In", (match[3],))),
    (_EXISTS, lambda match: Requirement(match[2], "DoesNotExist" if match[1] else "Exists")),
)


def requirements_of(selector: Object) -> list[Requirement]:
    """Of a LabelSelector object (matchLabels, matchExpressions)."""
    found = [Requirement(key, "In", (value,)) for key, value in (selector.get("matchLabels") or {}).items()]
    for one in selector.get("matchExpressions") or []:
        found.append(Requirement(one["key"], one["operator"], tuple(one.get("values") or ())))
    return found


def matches_label_selector(selector: Object, labels: Labels) -> bool:
    return all(requirement.matches(labels) for requirement in requirements_of(selector))


# ---- fields
@dataclass(frozen=True, slots=True)
class FieldRequirement:
    path: tuple[str, ...]
    value: str
    equal: bool

    def matches(self, value: Object) -> bool:
        return (_field(value, self.path) == self.value) is self.equal


# What the API can select by, beside a name and a namespace, by resource.
SELECTABLE_FIELDS = {
    "pods": ("spec.nodeName", "spec.restartPolicy", "status.phase"),
    "devices.devices.kubeedge.io": ("spec.nodeName",),
    "events": (
        "involvedObject.kind", "involvedObject.name", "involvedObject.namespace", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.fieldPath", "involvedObject.resourceVersion", "reason", "type",
    ),
    "secrets": ("type",),
    "nodes": ("spec.unschedulable",),
}  # fmt: skip


def parse_field_selector(text: str, resource: str) -> list[FieldRequirement]:
    """`metadata.name=x,status.phase!=Running`; StatusError 400, also for a field that the kind is not selectable by."""
    known = ("metadata.name", "metadata.namespace", *SELECTABLE_FIELDS.get(resource, ()))
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = re.fullmatch(r"([^=!]+)(==|=|!=)(.*)", part)
        if match is None:
            raise bad_request(f'invalid field selector "{part}"; use field=value or field!=value')
        if match[1] not in known:
            raise bad_request(f"field label not supported: {match[1]}; supported: {', '.join(known)}")
        found.append(FieldRequirement(tuple(match[1].split(".")), match[3], match[2] != "!="))
    return found


def _field(value: Object, path: tuple[str, ...]) -> str:
    found: Any = value
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if isinstance(found, bool):
        return str(found).lower()
    return "" if found is None else str(found)


@dataclass(frozen=True, slots=True)
class Selector:
    """Both kinds together."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[FieldRequirement, ...] = ()

    def matches(self, value: Object) -> bool:
        labels = value["metadata"].get("labels") or {}
        return all(one.matches(labels) for one in self.labels) and all(one.matches(value) for one in self.fields)

    def field_value(self, path: str) -> str | None:
        """The value that a field must equal, where the selector says so."""
        wanted = tuple(path.split("."))
        return next((one.value for one in self.fields if one.equal and one.path == wanted), None)


def parse_selector(labels: str, fields: str, resource: str) -> Selector:
    return Selector(tuple(parse_label_selector(labels)), tuple(parse_field_selector(fields, resource)))
