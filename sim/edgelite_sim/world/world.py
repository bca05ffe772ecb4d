"""The deterministic world: hubs, nodes, devices and what is between them, in virtual time, from one seed.

    world = World(seed=7)
    hub = world.add_hub()
    node = world.add_node("kitchen-1", profile="lte")
    hub.apply(yaml_text)
    world.run(3_600_000)
    print(world.trace.digest)

The hub's logic, store and controllers and the agents' core, journal and drivers are the real ones. One seed and one
commit give one trace, byte for byte.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgelite_protocol.errors import MisuseError
from edgelite_sim.network import profile as profiles
from edgelite_sim.network.profile import Profile
from edgelite_sim.world.hub import Backup, SimHub
from edgelite_sim.world.node import SimNode
from edgelite_sim.world.observer import Observer
from edgelite_sim.world.programs import Programs
from edgelite_sim.world.queue import EventQueue
from edgelite_sim.world.trace import Trace
from edgelite_sim.written import units

if TYPE_CHECKING:
    from edgelite_sim.world.wires import DeviceWire

START_UNIX_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
HUB = "hub"


class WorldDevice:
    """A simulated device where one node reaches it. `source` is of edgelite_sim.devices."""

    def __init__(self, world: World, node: str, name: str, source: Any, target: tuple[Any, ...]) -> None:
        self.node = node
        self.name = name
        self.source = source
        self.target = target
        self.is_on = True
        self._world = world
        self._wires: list[DeviceWire] = []

    def begin(self) -> None:
        """What it answers is told where anybody looks."""
        if self._world.observers:
            self.source.on_answered = self._answered

    def peer(self, node: str) -> Any:
        return self.source.make_peer(self._world.now_ms)

    def wired(self, wire: DeviceWire) -> None:
        self._wires = [*self._wires[-3:], wire]

    def switch(self, is_on: bool) -> None:
        """Off: connections end, and new ones are refused."""
        self.is_on = is_on
        if not is_on:
            wires, self._wires = self._wires, []
            for wire in wires:
                wire.drop("connection reset by peer")

    def _answered(self, values: dict[str, object], now_ms: int) -> None:
        for observer in self._world.observers:
            observer.answered(self.node, self.name, values, now_ms)


class World:
    def __init__(
        self,
        seed: int = 1,
        start_unix_ms: int = START_UNIX_MS,
        trace: Trace | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.seed = seed
        self.start_unix_ms = start_unix_ms
        self.queue = EventQueue()
        self.trace = trace if trace is not None else Trace()
        self.observers: list[Observer] = list(observers)
        self.hubs: dict[str, SimHub] = {}
        self.nodes: dict[str, SimNode] = {}
        self.devices: dict[tuple[str, str], WorldDevice] = {}  # by (node, name)
        self.profiles: dict[str, Profile] = {}  # a scenario's own, and those of edgelite_sim.network when asked for
        self.backups: dict[tuple[str, str], Backup] = {}  # by (hub, name)
        self.programs = Programs()  # a user's own, by command: what Pods with that command run
        self._reached: dict[tuple[str, tuple[Any, ...]], WorldDevice] = {}
        self._doubles: dict[str, list[SimHub]] = {}  # hubs that answer at another's address, by mistake
        self._draw_doubles = self.draw("doubles")
        self._has_begun = False

    # ---- time and chance

    @property
    def now_ms(self) -> int:
        return self.queue.now_ms

    @property
    def unix_ms(self) -> int:
        return self.start_unix_ms + self.queue.now_ms

    def draw(self, name: str) -> random.Random:
        """A generator of its own for each part, so that a part more or less disturbs no other's draws."""
        return random.Random(f"{self.seed} {name}")

    def run(self, duration: int | str) -> None:
        """Milliseconds, or text such as "1h30m"."""
        duration_ms = units.as_ms(duration)
        if not self._has_begun:
            self._has_begun = True
            for device in self.devices.values():
                device.begin()
            for observer in self.observers:
                observer.begin(self)
        self.queue.run(self.queue.now_ms + duration_ms)

    def end(self) -> None:
        """Nothing more will happen: observers judge."""
        for node in self.nodes.values():
            if node.node is not None:
                node._tell_gauges()
        for observer in self.observers:
            observer.end(self, self.queue.now_ms)

    # ---- who is there

    def add_hub(self, name: str = HUB, **options: Any) -> SimHub:
        hub = SimHub(
            self.queue,
            self.draw("hub " + name),
            self.trace,
            self.observers,
            name=name,
            start_unix_ms=self.start_unix_ms,
            **options,
        )
        self.hubs[name] = hub
        hub.start()
        return hub

    def add_node(
        self,
        name: str,
        profile: str | Profile = "lan",
        settings: dict[str, object] | None = None,
        hubs: Sequence[str] = (),
        is_on: bool = True,
    ) -> SimNode:
        """A node that has joined the first of its hubs, as if by token. `settings` are those of agent.conf."""
        names = list(hubs) or list(self.hubs)[:1]
        if not names or name in self.nodes:
            raise MisuseError(f"there is a node {name} already" if names else "a node joins a hub: add_hub() first")
        found = self.profile(profile) if isinstance(profile, str) else profile
        node = SimNode(self, name, found, settings or {}, names)
        self.nodes[name] = node
        node.identity = self.hubs[names[0]].provision(name)
        if is_on:
            node.power_on()
        return node

    def add_device(self, node: str, name: str, source: Any, target: tuple[Any, ...]) -> WorldDevice:
        """`name` is the Device's, "namespace/name"; `target` ("tcp", host, port) or ("serial", path)."""
        device = WorldDevice(self, node, name, source, target)
        self.devices[node, name] = device
        if self._has_begun:
            device.begin()
        self._reached[node, _key(target)] = device
        return device

    def profile(self, name: str) -> Profile:
        """One of this world's own, or of those that are built in; UnknownProfileError lists them."""
        return self.profiles.get(name) or profiles.builtin(name)

    # ---- who reaches whom

    def hub_at(self, host: str, node: str) -> SimHub | None:
        doubles = self._doubles.get(host)
        if doubles:
            return self._draw_doubles.choice([self.hubs[host], *doubles])
        return self.hubs.get(host)

    def hub_of(self, node: str) -> SimHub:
        return self.hubs[self.nodes[node].config.hubs[0][0]]

    def double(self, host: str, hub: SimHub | None) -> None:
        """Another hub answers at that address as well; None ends it."""
        if hub is None:
            self._doubles.pop(host, None)
        else:
            self._doubles.setdefault(host, []).append(hub)

    def device_at(self, node: str, target: tuple[Any, ...]) -> WorldDevice | str:
        """The device, or why it cannot be reached."""
        device = self._reached.get((node, _key(target)))
        if device is None:
            return "no such device" if target[0] == "serial" else "no route to host"
        return device if device.is_on else "connection refused"

    def tell_fault(self, kind: str, target: str, detail: str = "") -> None:
        self.trace.note(self.now_ms, "fault", f"{kind} {target} {detail}".rstrip())
        for observer in self.observers:
            observer.fault(kind, target, detail, self.now_ms)


def _key(target: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(target[:2]) if target[0] == "serial" else tuple(target[:3])
