"""What a kind of fault is: a row of the table that scenarios, the hunt and the documentation share."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgelite_sim.network.profile import Profile, builtin
from edgelite_sim.written.fields import Field

if TYPE_CHECKING:
    from edgelite_sim.world.hub import Backup
    from edgelite_sim.world.world import World

TARGETS = ("node", "link", "workload", "device", "hub")
NAMESPACE = "default"  # of the workloads and devices that faults name
DAY_MS = 86_400_000
Ending = Callable[[], None]
Parameters = Mapping[str, Any]
# Does it to one target. What it gives back ends it; None: it ends by itself, or never.
Apply = Callable[["Scene", str, Parameters], "Ending | None"]


class Scene:
    """A world, and what faults know beside it."""

    def __init__(self, world: World, profiles: Mapping[str, Profile] | None = None) -> None:
        self.world = world
        self.profiles = {} if profiles is None else profiles  # beside those that come with the simulator
        self.backups: dict[tuple[str, str], Backup] = {}  # by hub and name

    def profile(self, name: str) -> Profile:
        return self.profiles[name] if name in self.profiles else builtin(name)


def object_name(target: str, known: Container[str]) -> str:
    """Of "name@node": "default/name" where that is known, or as scenarios name what they put on several nodes."""
    name, _, node = target.partition("@")
    return f"{NAMESPACE}/{name}" if f"{NAMESPACE}/{name}" in known else f"{NAMESPACE}/{name}-{node}"


@dataclass(frozen=True)
class Kind:
    """Faults of one `group` stand in for each other at a target: where one ends while an earlier one lasts, that counts
    again, and the end of the first is the end of all. A group may have parameters in it: "errors {of}". `lasts` is the
    parameter that says how long."""

    name: str
    target: str
    sentence: str
    fields: tuple[Field, ...]
    apply: Apply
    group: str = ""
    lasts: str = "for"

    def group_of(self, parameters: Parameters) -> str:
        return self.group.format(**parameters)

    @property
    def has_duration(self) -> bool:
        return any(field.name == "for" for field in self.fields)

    def field(self, name: str) -> Field | None:
        return next((field for field in self.fields if field.name == name), None)

    def defaults(self) -> dict[str, Any]:
        return {field.name: field.default for field in self.fields if not field.is_required}


def lasting(default: Any = None, sentence: str = "then it ends by itself; left out: it stays to the end") -> Field:
    """The `for` of a kind that has a duration."""
    return Field("for", "span", sentence, default, minimum=1, maximum=400 * DAY_MS)
