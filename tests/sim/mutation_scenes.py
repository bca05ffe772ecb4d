"""Small worlds for the mutations: one hub, one to some nodes, each with a meter that counts its answers and a program.

Each scene is a function of nothing that gives the world after its end. The code as it is keeps every invariant in all
of them; that is what makes a mutation's violation mean something.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgelite_hub.settings import Settings
from edgelite_sim.devices.source import device_from
from edgelite_sim.invariants import Invariant, make, names
from edgelite_sim.world.node import SimNode
from edgelite_sim.world.observer import Observer
from edgelite_sim.world.world import World

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
SETTLE = 16 * MINUTE  # longer than any bound of an invariant but that of devices

# The smallest segments there may be, so that little has to happen until they are full.
SMALL: dict[str, object] = {"segment_bytes": 4096, "journal_bytes_max": 65536, "telemetry_bytes_max": 32768}

METER = """
kind = "modbus"
framing = "tcp"
[[unit]]
number = 1
[[unit.range]]
table = "input"
address = 0
type = "uint32"
value = {formula = "reads"}
name = "reads"
[[unit.range]]
table = "holding"
address = 10
type = "uint16"
values = [7]
name = "limit"
"""
MODEL = """
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: meter}
spec:
  protocol: modbus
  properties:
    - {name: reads, type: INT, accessMode: ReadOnly}
    - {name: limit, type: INT, accessMode: ReadWrite}
"""


class Scene:
    """A world with all invariants watching it. `node(name)` makes a node with its meter; `program` a Pod on it."""

    def __init__(self, seed: int = 1, **hub: Any) -> None:
        self.invariants: list[Invariant] = [make(name) for name in names()]
        self.world = World(seed, observers=self.invariants)
        self.hub = self.world.add_hub(**hub)
        self.hub.apply(MODEL)

    def node(
        self, name: str = "n1", collect_ms: int = MINUTE, desired: str = "", settings: dict[str, object] | None = None
    ) -> SimNode:
        node = self.world.add_node(name, settings=settings)
        self.world.add_device(name, f"default/meter-{name}", device_from(METER), ("tcp", "10.0.0.9", 502))
        self.hub.apply(device(name, collect_ms, desired))
        return node

    def program(self, name: str = "app", node: str = "n1", command: str = "sim runs") -> None:
        self.hub.apply(pod(name, node, command))

    def run(self, duration_ms: int) -> None:
        self.world.run(duration_ms)

    def end(self) -> World:
        self.world.end()
        return self.world

    def outage(self, node: SimNode, duration_ms: int, kind: str = "silent") -> None:
        node.cut(kind)
        self.run(duration_ms)
        node.heal()


def device(node: str, collect_ms: int, desired: str = "") -> dict[str, Any]:
    def row(name: str, register: str, offset: int, **more: Any) -> dict[str, Any]:
        visitor = {"register": register, "offset": offset, **more.pop("visitor", {})}
        visitors = {"protocolName": "modbus", "configData": visitor}
        return {"name": name, "collectCycle": collect_ms, "visitors": visitors, **more}

    wish = {"desired": {"value": desired}} if desired else {}
    properties = [
        row("reads", "InputRegister", 0, visitor={"limit": 2, "type": "uint32"}),
        row("limit", "HoldingRegister", 10, reportToCloud=False, **wish),
    ]
    protocol = {"protocolName": "modbus", "configData": {"ip": "10.0.0.9", "port": 502, "slaveID": 1}}
    spec = {"deviceModelRef": {"name": "meter"}, "nodeName": node, "protocol": protocol, "properties": properties}
    return {
        "apiVersion": "devices.kubeedge.io/v1beta1",
        "kind": "Device",
        "metadata": {"name": f"meter-{node}"},
        "spec": spec,
    }


def pod(name: str, node: str, command: str) -> dict[str, Any]:
    container = {"name": "main", "image": "host", "command": command.split()}
    spec = {
        "nodeName": node,
        "runtimeClassName": "process",
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 5,
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


# ---- links


def outage() -> Scene:
    """A tunnel of forty minutes."""
    scene = Scene()
    node = scene.node()
    scene.program()
    scene.run(10 * MINUTE)
    scene.outage(node, 40 * MINUTE)
    scene.run(SETTLE)
    return scene


def half_open() -> Scene:
    """What is between them forgets their connection at rest, without a word; later something is desired."""
    scene = Scene()
    node = scene.node(collect_ms=DAY)
    scene.run(10 * MINUTE)
    node.cut("half-open")
    scene.run(MINUTE)
    scene.program()
    scene.run(2 * SETTLE)
    return scene


def refused_for_hours() -> Scene:
    """Connections are refused for five hours."""
    scene = Scene()
    node = scene.node(collect_ms=10 * MINUTE)
    scene.run(MINUTE)
    scene.outage(node, 5 * HOUR, "refused")
    scene.run(SETTLE)
    return scene


class Stumbling(Observer):
    """Whoever has a session loses it a little later: a hub that takes everybody and then falls over."""

    def __init__(self, world: World, after_ms: int) -> None:
        self._world = world
        self._after_ms = after_ms

    def session(self, node: str, is_live: bool, why: str, now_ms: int) -> None:
        if is_live:
            self._world.queue.after(self._after_ms, lambda: self._world.nodes[node].cut("reset"))


def stumbling() -> Scene:
    """Each session ends after three seconds, for forty minutes."""
    scene = Scene()
    stumbling = Stumbling(scene.world, 3 * SECOND)
    scene.world.observers.append(stumbling)
    scene.node(collect_ms=10 * MINUTE)
    scene.run(40 * MINUTE)
    scene.world.observers.remove(stumbling)
    scene.run(SETTLE)
    return scene


def fleet() -> Scene:
    """Twenty-five nodes; their hub dies and is there again at once."""
    scene = Scene()
    for number in range(25):
        scene.node(f"n{number}", collect_ms=10 * MINUTE)
    scene.run(5 * MINUTE)
    scene.hub.crash()
    scene.run(100)
    scene.hub.start()
    scene.run(SETTLE)
    return scene


# ---- hubs


def hub_dies(*points: str) -> Callable[[], Scene]:
    """It dies at these points of transactions that store readings, and is there again ten seconds later."""

    def run() -> Scene:
        scene = Scene()
        scene.node(collect_ms=10 * SECOND)
        scene.run(2 * MINUTE)
        for point in points:
            scene.run(7 * SECOND)
            scene.hub.crash_at(point)
            while scene.hub.is_up:
                scene.run(SECOND)
            scene.run(10 * SECOND)
            scene.hub.start()
            scene.run(2 * MINUTE)
        scene.run(SETTLE)
        return scene

    return run


def hub_restored() -> Scene:
    """A program comes after the backup, and readings; the node holds on to what it has until a person decides."""
    scene = Scene()
    scene.node()
    scene.program()
    scene.run(10 * MINUTE)
    backup = scene.hub.backup()
    scene.program("later")
    scene.run(10 * MINUTE)
    scene.hub.restore(backup)
    scene.run(2 * SETTLE)
    return scene


def hub_emptied() -> Scene:
    """The hub begins on an empty store, and the node is let in again, as if it had joined under its own name."""
    scene = Scene()
    node = scene.node()
    scene.program()
    scene.run(10 * MINUTE)
    scene.hub.empty()
    node.identity = scene.hub.provision("n1")
    scene.run(2 * SETTLE)
    return scene


def hub_clock() -> Scene:
    """The hub's clock jumps a year ahead, between two sessions."""
    scene = Scene()
    node = scene.node()
    scene.program()
    scene.run(10 * MINUTE)
    scene.hub.set_clock(scene.world.unix_ms + 20 * DAY)
    scene.outage(node, MINUTE, "refused")
    scene.run(SETTLE)
    return scene


def long_absence() -> Scene:
    """A node is out of reach for an hour: its hub calls it NotReady, and nothing else may follow."""
    scene = Scene()
    node = scene.node()
    scene.program()
    scene.run(5 * MINUTE)
    scene.outage(node, HOUR)
    scene.run(SETTLE)
    return scene


def compacted() -> Scene:
    """While a node is away its feed is compacted, so it gets a snapshot of what is there now."""
    scene = Scene(settings=Settings(feed_keep=1))
    node = scene.node()
    scene.program("first")
    scene.program("second")
    scene.run(10 * MINUTE)
    node.cut()
    for number in range(6):
        scene.program(f"p{number}")
        scene.run(MINUTE)
    scene.run(30 * MINUTE)
    node.heal()
    scene.run(SETTLE)
    return scene


# ---- programs


def crashing() -> Scene:
    """A program that crashes each twenty minutes."""
    scene = Scene()
    scene.node(collect_ms=10 * MINUTE)
    scene.program(command="sim crashes --every 20m")
    scene.run(2 * HOUR)
    return scene


def agent_crashes() -> Scene:
    """The agent is killed; programs go on."""
    scene = Scene()
    node = scene.node()
    scene.program()
    for _ in range(4):
        scene.run(10 * MINUTE)
        node.crash()
    scene.run(SETTLE)
    return scene


def reboot_without_hub() -> Scene:
    """Power fails while the hub is out of reach; what runs must run again by what the node knows."""
    scene = Scene()
    node = scene.node()
    scene.run(MINUTE)
    scene.program()
    scene.run(10 * MINUTE)
    node.cut()
    scene.run(MINUTE)
    node.power_cycle("random")
    scene.run(HOUR)
    node.heal()
    scene.run(SETTLE)
    return scene


def changes() -> Scene:
    """A program comes, changes and goes, while the node is in session."""
    scene = Scene()
    scene.node(collect_ms=DAY)
    scene.run(MINUTE)
    scene.program("one")
    scene.program("two")
    scene.run(2 * MINUTE)
    scene.hub.delete("pods", "one")
    scene.run(2 * MINUTE)
    scene.program("three")
    scene.run(SETTLE)
    return scene


# ---- flash and power


def power_cuts(count: int = 12, sync_ms: int = 4, collect_ms: int = 5 * SECOND) -> Scene:
    """Power fails again and again, with readings each few seconds and programs that come and go."""
    scene = Scene(3)
    node = scene.node(collect_ms=collect_ms)
    node.flash.sync_ms = sync_ms
    for number in range(count):
        if number % 3 == 0:
            scene.program(f"p{number}")
        scene.run(47 * SECOND + 311 * number)
        node.power_cycle("random")
        scene.run(40 * SECOND)
    scene.run(SETTLE)
    return scene


def small_flash_outage() -> Scene:
    """A day without a hub, on a small flash, with a reading each ten seconds: telemetry has to give way."""
    scene = Scene()
    node = scene.node(collect_ms=10 * SECOND, settings=SMALL)
    scene.program()
    scene.run(5 * MINUTE)
    scene.outage(node, 3 * HOUR)
    scene.run(2 * SETTLE)
    return scene


def small_flash_churn() -> Scene:
    """State that changes all the time, on a small flash: it has to be cleaned."""
    scene = Scene()
    sizes: dict[str, object] = {"segment_bytes": 4096, "journal_bytes_max": 36864, "telemetry_bytes_max": 16384}
    scene.node(collect_ms=MINUTE, settings=sizes)
    scene.program(command="sim exits --after 11m")
    for number in range(60):
        scene.program(f"p{number}")
        scene.run(20 * SECOND)
        scene.hub.delete("pods", f"p{number}")
        scene.run(40 * SECOND)
    scene.run(SETTLE)
    return scene


def bit_rot() -> Scene:
    """Bits turn in what rests, and the agent starts anew."""
    scene = Scene(5)
    node = scene.node(collect_ms=2 * SECOND, settings=SMALL)
    scene.program()
    scene.run(5 * MINUTE)
    node.cut()
    scene.run(10 * MINUTE)
    scene.world.tell_fault("bit-rot", "n1", "bits 200")
    node.flash.rot(node.draw, 200)
    node.power_cycle("kept")
    scene.run(5 * MINUTE)
    node.heal()
    scene.run(SETTLE)
    return scene


def churn_and_cuts() -> Scene:
    """State that changes all the time, syncs that take long, and power that fails: files are used again and again."""
    scene = Scene(2)
    node = scene.node(collect_ms=2 * SECOND, settings=SMALL)
    node.flash.sync_ms = 900
    scene.program(command="sim exits --after 11m")
    for number in range(24):
        scene.program(f"p{number}")
        scene.run(13 * SECOND)
        scene.hub.delete("pods", f"p{number}")
        scene.run(9 * SECOND + 137 * number)
        if number % 4 == 3:
            node.power_cycle("random")
            scene.run(30 * SECOND)
    scene.run(SETTLE)
    return scene


# ---- devices


def wish_for_a_dead_device() -> Scene:
    """Something is desired of a device that answers only an hour later."""
    scene = Scene()
    scene.node(desired="30")
    meter = scene.world.devices["n1", "default/meter-n1"]
    meter.switch(False)
    scene.world.tell_fault("device-dead", "meter@n1")
    scene.run(20 * MINUTE)
    meter.switch(True)
    scene.world.tell_fault("heal", "meter@n1", "device-dead")
    scene.run(40 * MINUTE)
    return scene


def hand_at_the_device() -> Scene:
    """What is desired is taken; then a hand at the device sets something else, and the node starts anew."""
    scene = Scene()
    node = scene.node(desired="30")
    scene.run(10 * MINUTE)
    turn_knob(scene, 12)
    scene.run(5 * MINUTE)
    node.power_cycle("random")
    scene.run(5 * MINUTE)
    node.crash()
    scene.run(SETTLE)
    return scene


def turn_knob(scene: Scene, value: int) -> None:
    source: Any = scene.world.devices["n1", "default/meter-n1"].source
    unit = source.slaves.map.units[1]
    for one in unit.ranges:
        if getattr(one, "name", "") == "limit":
            one.data[:] = value.to_bytes(2, "big")
