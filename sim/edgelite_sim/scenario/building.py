"""From a scenario to a world in which nothing has happened yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from edgelite_hub.model.status import StatusError
from edgelite_sim.faults import Scene
from edgelite_sim.scenario import checking, devices, targets, workloads
from edgelite_sim.scenario.errors import ScenarioError
from edgelite_sim.scenario.model import FleetPart, HubPart, Scenario
from edgelite_sim.scenario.timetable import Timetable
from edgelite_sim.world.hub import SimHub
from edgelite_sim.world.observer import Observer
from edgelite_sim.world.trace import Trace
from edgelite_sim.world.world import World


def build(
    scenario: Scenario, seed: int | None = None, observers: Iterable[Observer] = (), trace: Trace | None = None
) -> World:
    """A world in which the scenario will happen as time passes: `world.run(scenario.duration)`, then `world.end()`.
    The first moment raises ScenarioError where a hub refuses an object."""
    return Built(scenario, seed, observers, trace).world


class Built:
    """`world`, and the `timetable` that tells what hubs have refused."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int | None = None,
        observers: Iterable[Observer] = (),
        trace: Trace | None = None,
    ) -> None:
        self.scenario = scenario
        self.seed = scenario.seed if seed is None else seed
        self.world = World(self.seed, scenario.start, trace, list(observers))
        self.scene = Scene(self.world, checking.own_profiles(scenario))
        for hub in scenario.hubs:
            self._add_hub(hub)
        for fleet in scenario.fleets:
            self._add_fleet(fleet)
        self._add_devices()
        self.world.queue.at(0, self._apply_objects)  # observers have begun by then
        self.timetable = Timetable(scenario, self.scene)
        self.timetable.schedule()

    def _add_hub(self, part: HubPart) -> None:
        self.world.add_hub(part.name).faults.store_ms = part.store_ms

    def _add_fleet(self, fleet: FleetPart) -> None:
        names = fleet.nodes()
        draw = self.world.draw("fleet " + fleet.name)
        for number, name in enumerate(names):
            node = self.world.add_node(
                name, self.scene.profile(fleet.profile), checking.settings(fleet), [fleet.hub], is_on=False
            )
            if fleet.flash_bytes:
                node.flash.resize(fleet.flash_bytes)
            node.clock.drift(round(draw.uniform(-fleet.drift_ppm, fleet.drift_ppm)))
            self.world.queue.at(fleet.stagger * number // len(names), partial(node.power_on))

    def _add_devices(self) -> None:
        nodes = self.scenario.nodes()
        for part in self.scenario.devices:
            for node in targets.chosen(part.on, nodes, self.world.draw("device " + part.name)):
                seed = self.world.draw(f"device {part.name} {node}").getrandbits(31)
                source = devices.source_of(self.scenario, part, seed)
                where = devices.target(self.scenario, part, node, source)
                name = f"{devices.NAMESPACE}/{devices.object_name(part, node)}"
                self.world.add_device(node, name, source, where)
                objects = devices.objects(self.scenario, part, node, source)
                self.world.queue.at(0, partial(self._apply, self.world.hub_of(node), objects, part.name))

    def _apply_objects(self) -> None:
        first = self.world.hubs[self.scenario.hubs[0].name]
        for name in self.scenario.objects:
            self._apply(first, [(self.scenario.folder / name).read_text("utf-8")], name)
        nodes = self.scenario.nodes()
        for part in self.scenario.workloads:
            for node in targets.chosen(part.on, nodes, self.world.draw("workload " + part.name)):
                self._apply(self.world.hub_of(node), [workloads.pod(part, node)], part.name)

    def _apply(self, hub: SimHub, manifests: Sequence[object], what: str) -> None:
        for manifest in manifests:
            try:
                hub.apply(manifest)  # type: ignore[arg-type]
            except (StatusError, ValueError) as error:
                raise ScenarioError(self.scenario.name, 0, f"the hub refuses what {what} asks for: {error}") from error
