"""The table of kinds. Adding a kind to the API is one entry here: everything else is generic over it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from edgelite_hub.model.objects import Object
from edgelite_hub.model.schema import Struct
from edgelite_hub.model.strategy import Strategy

READ_VERBS = ("get", "list", "watch")
ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: `cell(object, now_ms)`. Priority 1 shows with -o wide only."""

    name: str
    cell: Callable[[Object, int], Any]
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Kind:
    """`dependents` are the resources in the same namespace that go with their owner. `generation`: whether
    metadata.generation counts the changes of what is desired. `stored_status`: a status that a fresh object starts
    with."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    schema: Struct
    columns: tuple[Column, ...]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    namespaced: bool = True
    status: bool = False
    generation: bool = True
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[str, ...] = ()  # those that others serve: listed in discovery
    stored_status: Object = field(default_factory=dict)
    dependents: tuple[str, ...] = ()
    strategy: Strategy = field(default_factory=Strategy)

    def __repr__(self) -> str:
        return f"<Kind {self.api_version} {self.kind}>"

    @property
    def resource(self) -> str:
        """The name in the store and in authorization."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


class Registry:
    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._by_path: dict[tuple[str, str, str], Kind] = {}
        self._by_resource: dict[str, Kind] = {}
        for kind in kinds:
            self._by_path[kind.group, kind.version, kind.plural] = kind
            self._by_resource[kind.resource] = kind

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._by_path.values())

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        return self._by_path.get((group, version, plural))

    def __getitem__(self, resource: str) -> Kind:
        return self._by_resource[resource]

    def groups(self) -> dict[str, list[str]]:
        """Versions of each named group, in order of registration; the core group is not among them."""
        found: dict[str, list[str]] = {}
        for kind in self:
            versions = found.setdefault(kind.group, [])
            if kind.version not in versions:
                versions.append(kind.version)
        found.pop("", None)
        return found
