"""When faults and changes of a scenario happen, to whom, and how what lasts comes to its end."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from edgelite_hub.model.status import StatusError
from edgelite_protocol.errors import PlatformError
from edgelite_sim import faults
from edgelite_sim.faults import Ending, Kind, Scene
from edgelite_sim.scenario import targets, workloads
from edgelite_sim.scenario.checking import BACKUP, universe
from edgelite_sim.scenario.devices import NAMESPACE, object_name
from edgelite_sim.scenario.model import ChangePart, FaultPart, Scenario
from edgelite_sim.written import fields

if TYPE_CHECKING:
    from edgelite_sim.world.world import World

HOUR_MS = 3_600_000
AGAIN_MS = 60_000  # a person who finds the hub down tries again
MOMENTS_MAX = 1_000_000  # of one fault: more would be no timetable


@dataclass
class _Lasting:
    """Faults of one group at one target: the last one counts, the first one's end is the end of all."""

    ending: Ending
    active: list[tuple[Kind, dict[str, Any]]]


class Timetable:
    """Puts everything into the world's queue; `refusals` is what hubs would not take."""

    def __init__(self, scenario: Scenario, scene: Scene) -> None:
        self.scenario = scenario
        self.scene = scene
        self.world: World = scene.world
        self.refusals: list[str] = []
        self._lasting: dict[tuple[str, str], _Lasting] = {}
        self._names = {kind: universe(scenario, kind) for kind in faults.TARGETS}

    def schedule(self) -> None:
        for hub in self.scenario.hubs:
            if hub.backup_every:
                self._back_up(hub.name, hub.backup_every)
        seen: dict[str, int] = {}
        for fault in self.scenario.faults:
            text = _label(fault)
            seen[text] = seen.get(text, 0) + 1
            self._schedule_fault(fault, f"fault {text} {seen[text]}")
        for change in self.scenario.changes:
            self._schedule_change(change)

    # ---- faults

    def _schedule_fault(self, fault: FaultPart, label: str) -> None:
        """What comes by chance has draws of its own for each target: a target more changes no other's."""
        if not fault.per_hour:
            draw = self.world.draw(label)
            self._next(fault, _moments(fault, self.scenario.duration, draw), draw, None)
            return
        known = self._names[faults.KINDS[fault.kind].target]
        for name in sorted(targets.possible(self._texts(fault), known)):
            draw = self.world.draw(f"{label} {name}")
            self._next(fault, _chances(fault, self.scenario.duration, draw), draw, [name])

    def _texts(self, fault: FaultPart) -> list[str]:
        return fault.target or ["all"]

    def _next(self, fault: FaultPart, moments: Iterator[int], draw: random.Random, names: list[str] | None) -> None:
        """One at a time stands in the queue, so that a year of them is no burden."""
        at_ms = next(moments, None)
        if at_ms is None:
            return

        def strike() -> None:
            self._strike(fault, draw, names)
            self._next(fault, moments, draw, names)

        self.world.queue.at(at_ms, strike)

    def _strike(self, fault: FaultPart, draw: random.Random, names: list[str] | None) -> None:
        kind = faults.KINDS[fault.kind]
        chosen = names or targets.chosen(self._texts(fault), self._names[kind.target], draw)
        for name in chosen:
            parameters = {key: _drawn(value, draw) for key, value in {**kind.defaults(), **fault.parameters}.items()}
            delay_ms = draw.randrange(fault.spread) if fault.spread else 0
            if delay_ms:
                self.world.queue.after(delay_ms, partial(self.begin, kind, name, parameters))
            else:
                self.begin(kind, name, parameters)

    def begin(self, kind: Kind, name: str, parameters: dict[str, Any]) -> None:
        """One fault at one target, now."""
        self.world.tell_fault(kind.name, name, _detail(kind, parameters))
        if kind.name == "heal":
            self._heal(name)
            if ("line", name) in self._lasting:  # what has an end of its own goes on
                return
        ending = kind.apply(self.scene, name, parameters)
        if ending is None:
            return
        lasts_ms = parameters.get(kind.lasts)
        if not kind.group:
            if lasts_ms is not None:
                self.world.queue.after(lasts_ms, partial(self._end_alone, kind.name, name, ending))
            return
        key = (kind.group_of(parameters), name)
        mine = (kind, parameters)
        lasting = self._lasting.setdefault(key, _Lasting(ending, []))
        lasting.active.append(mine)
        if lasts_ms is not None:
            self.world.queue.after(lasts_ms, lambda: self._end(key, mine))

    def _end(self, key: tuple[str, str], mine: tuple[Kind, dict[str, Any]]) -> None:
        lasting = self._lasting.get(key)
        if lasting is None or not any(one is mine for one in lasting.active):
            return
        was_last = lasting.active[-1] is mine
        lasting.active = [one for one in lasting.active if one is not mine]
        if not lasting.active:
            del self._lasting[key]
            lasting.ending()
        elif was_last:
            kind, parameters = lasting.active[-1]
            kind.apply(self.scene, key[1], parameters)
        self.world.tell_fault("heal", key[1], mine[0].name)

    def _end_alone(self, kind: str, name: str, ending: Ending) -> None:
        ending()
        self.world.tell_fault("heal", name, kind)

    def _heal(self, name: str) -> None:
        lasting = self._lasting.get(("line", name))
        for mine in list(lasting.active) if lasting else []:
            if mine[1].get("for") is None:
                self._end(("line", name), mine)

    def _back_up(self, hub: str, every_ms: int) -> None:
        def back_up() -> None:
            self.scene.backups[hub, BACKUP] = self.world.hubs[hub].backup()
            self.world.queue.after(every_ms, back_up)

        self.world.queue.after(every_ms, back_up)

    # ---- changes

    def _schedule_change(self, change: ChangePart) -> None:
        steps = list(self._steps(change))
        for number, (hub, step) in enumerate(steps):
            at_ms = change.at + change.spread * number // max(1, len(steps))
            self.world.queue.at(at_ms, partial(self._do, hub, step))

    def _steps(self, change: ChangePart) -> Iterator[tuple[str, Any]]:
        """Which hub, and what is done there."""
        first = self.scenario.hubs[0].name
        for name in change.apply:
            yield first, ("apply", (self.scenario.folder / name).read_text("utf-8"))
        if change.text:
            yield first, ("apply", change.text)
        for name in change.delete:
            yield first, ("delete", name)
        for kind in ("device", "workload"):
            for target in targets.chosen(getattr(change, kind), self._names[kind], random.Random(0)):
                yield self.scene.world.hub_of(target.partition("@")[2]).name, (kind, target, change)

    def _do(self, hub: str, step: Any) -> None:
        """A hub that is down is tried again; what it refuses is kept for the end."""
        try:
            getattr(self, "_do_" + step[0])(hub, *step[1:])
        except PlatformError:
            self.world.queue.after(AGAIN_MS, lambda: self._do(hub, step))
        except StatusError as error:
            self.refusals.append(f"{step[0]}: {error}")
            self.world.trace.note(self.world.now_ms, "scenario", f"refused: {step[0]}: {error}")

    def _do_apply(self, hub: str, text: Any) -> None:
        self.world.hubs[hub].apply(text)

    def _do_delete(self, hub: str, name: str) -> None:
        resource, *rest = name.split("/")
        self.world.hubs[hub].delete(resource, rest[-1], rest[0] if len(rest) > 1 else NAMESPACE)

    def _do_device(self, hub: str, target: str, change: ChangePart) -> None:
        name, _, node = target.partition("@")
        part = next(one for one in self.scenario.devices if one.name == name)
        found = self.world.hubs[hub].get("devices", object_name(part, node))
        if found is None:
            raise StatusError(404, "NotFound", f"there is no device {object_name(part, node)}")
        changed = {**found, "spec": {**found["spec"], "properties": [dict(one) for one in found["spec"]["properties"]]}}
        for row in changed["spec"]["properties"]:
            if row["name"] == change.property:
                row["desired"] = {"value": _twin_text(change.value)}
        self.world.hubs[hub].apply(changed)

    def _do_workload(self, hub: str, target: str, change: ChangePart) -> None:
        """A Pod's command is not changed in place: it is deleted, and a new one applied when it is gone."""
        name, _, node = target.partition("@")
        part = next(one for one in self.scenario.workloads if one.name == name)
        of_hub = self.world.hubs[hub]
        pod = workloads.pod_name(part, node)
        if of_hub.get("pods", pod) is not None:
            of_hub.delete("pods", pod)
        self._apply_when_gone(hub, pod, workloads.pod(part, node, change.command))

    def _apply_when_gone(self, hub: str, pod: str, wanted: dict[str, Any]) -> None:
        if self.world.hubs[hub].get("pods", pod) is not None:
            self.world.queue.after(AGAIN_MS, lambda: self._apply_when_gone(hub, pod, wanted))
        else:
            self._do(hub, ("apply", wanted))


def _twin_text(value: Any) -> str:
    """As KubeEdge has twin values: text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _label(fault: FaultPart) -> str:
    """Names a fault's draws by what it is, so that a fault more or less in a scenario disturbs no other's."""
    return " ".join(f"{name}={value}" for name, value in vars(fault).items() if value not in (None, 0, [], {}))


def _drawn(value: Any, draw: random.Random) -> Any:
    """A span becomes one duration."""
    return draw.randint(*value) if isinstance(value, tuple) else value


def _detail(kind: Kind, parameters: dict[str, Any]) -> str:
    shown = [(field, parameters.get(field.name)) for field in kind.fields]
    return " ".join(f"{field.name}={fields.shown(field, value)}" for field, value in shown if value is not None)


def _moments(fault: FaultPart, end_ms: int, draw: random.Random) -> Iterator[int]:
    until_ms = end_ms if fault.until is None else min(fault.until, end_ms)
    at_ms = fault.at if fault.at is not None else fault.from_
    for _ in range(MOMENTS_MAX):
        if at_ms > until_ms:
            return
        yield at_ms + (draw.randrange(fault.jitter) if fault.jitter else 0)
        if not fault.every:
            return
        at_ms += fault.every


def _chances(fault: FaultPart, end_ms: int, draw: random.Random) -> Iterator[int]:
    """A Poisson process."""
    until_ms = end_ms if fault.until is None else min(fault.until, end_ms)
    at_ms = float(fault.from_)
    for _ in range(MOMENTS_MAX):
        at_ms += draw.expovariate(fault.per_hour / HOUR_MS)
        if at_ms > until_ms:
            return
        yield int(at_ms)
