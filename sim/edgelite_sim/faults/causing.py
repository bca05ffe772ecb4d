"""Faults one by one, as a program or a test causes them, named as in scenarios (docs/simulator.md):

with cause(Scene(world), "slow-sync", "node-1", takes="5s"):
    world.run("10m")
"""

from __future__ import annotations

import datetime
from types import TracebackType
from typing import Any

from edgelite.driver import ConfigurationError
from edgelite_sim.faults import KINDS
from edgelite_sim.faults.kind import Ending, Kind, Scene
from edgelite_sim.world.queue import Event
from edgelite_sim.written import fields
from edgelite_sim.written.names import one_of


class Trouble:
    """A fault that has begun. The end of `with`, or `end`, ends it, if it has not ended by itself or is one that just
    happens."""

    def __init__(self, scene: Scene, kind: str, target: str, ending: Ending | None) -> None:
        self._scene = scene
        self._kind = kind
        self._target = target
        self._ending = ending
        self._event: Event | None = None

    def end(self) -> None:
        ending, self._ending = self._ending, None
        if ending is None:
            return
        if self._event is not None:
            self._event.cancel()
        ending()
        self._scene.world.tell_fault("heal", self._target, self._kind)

    def end_after(self, delay_ms: int) -> None:
        if self._ending is not None:
            self._event = self._scene.world.queue.after(delay_ms, self.end)

    def __enter__(self) -> Trouble:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


def cause(scene: Scene, kind: str, target: str, **parameters: Any) -> Trouble:
    """Now. A `for` is written `for_`. ConfigurationError says what is wrong and what is allowed."""
    found = KINDS.get(kind)
    if found is None:
        raise ConfigurationError("fault", f"there is no fault {kind!r}; {one_of(kind, tuple(KINDS))}")
    known = _targets(scene, found)
    if target not in known:
        raise ConfigurationError(kind, f"there is no {found.target} {target!r}; {one_of(target, known)}")
    draw = scene.world.draw(f"{kind} {target} {scene.world.now_ms}")
    given = {**found.defaults(), **_read(found, parameters)}
    drawn = {name: draw.randint(*value) if isinstance(value, tuple) else value for name, value in given.items()}
    scene.world.tell_fault(kind, target, " ".join(f"{name}={value}" for name, value in sorted(parameters.items())))
    trouble = Trouble(scene, kind, target, found.apply(scene, target, drawn))
    if drawn.get(found.lasts) is not None:
        trouble.end_after(drawn[found.lasts])
    return trouble


def _targets(scene: Scene, kind: Kind) -> tuple[str, ...]:
    world = scene.world
    if kind.target == "hub":
        return tuple(world.hubs)
    if kind.target == "device":
        return tuple(f"{name.rpartition('/')[2].removesuffix('-' + node)}@{node}" for node, name in world.devices)
    if kind.target == "workload":
        running = ((node.name, one.workload) for node in world.nodes.values() for one in node.processes.running())
        return tuple(f"{name.rpartition('/')[2].removesuffix('-' + node)}@{node}" for node, name in running)
    return tuple(world.nodes)


def _read(kind: Kind, parameters: dict[str, Any]) -> dict[str, Any]:
    values = {}
    for name, value in parameters.items():
        field = kind.field(name.rstrip("_"))
        if field is None:
            names = tuple(one.name for one in kind.fields)
            raise ConfigurationError(name, f"is no parameter of {kind.name}; {one_of(name, names)}")
        try:
            values[field.name] = fields.read(field, _as_toml(field, value))
        except fields.UnfitError as error:
            raise ConfigurationError(f"{kind.name}.{field.name}", f"{error.text}; {error.allowed}") from error
    missing = [one.name for one in kind.fields if one.is_required and one.name not in values]
    if missing:
        raise ConfigurationError(kind.name, "needs " + ", ".join(missing))
    return values


def _as_toml(field: fields.Field, value: Any) -> Any:
    """TOML has dates of its own; a program writes them as text."""
    if field.type != "moment" or not isinstance(value, str):
        return value
    try:
        return datetime.datetime.fromisoformat(value)
    except ValueError:
        return value
