"""Faults of a node's power, flash, clock, memory, and of its agent."""

from __future__ import annotations

from edgelite_sim.faults.kind import DAY_MS, Ending, Kind, Parameters, Scene, lasting
from edgelite_sim.world import flash
from edgelite_sim.written.fields import Field

# What becomes of writes that no sync has made durable; "kept" is a reboot's.
FATES = tuple(how for how in flash.HOWS if how != "kept")


def power_cut(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    node = scene.world.nodes[target]
    if parameters["at_write"] and node.is_on:
        node.power_cut_at_write(parameters["at_write"], parameters["fates"], parameters["for"])
    else:
        node.power_cut(parameters["fates"])
    return node.power_on


def reboot(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    """`power_cycle` waits for the agent's end, which may come after this fault's."""
    node = scene.world.nodes[target]
    if node.node is None or node.hangs:
        node.power_cut("kept", "reboot")
    else:
        node.stop(lambda: node.power_cycle("kept", parameters["for"], "reboot"))
    return node.power_on


def bit_rot(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    node = scene.world.nodes[target]
    node.flash.rot(node.draw, parameters["bits"])
    return None


def flash_full(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    node = scene.world.nodes[target]
    node.flash.shrink(parameters["free"])
    return node.flash.release


def slow_sync(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    of_node = scene.world.nodes[target].flash
    before_ms, of_node.sync_ms = of_node.sync_ms, parameters["takes"]

    def ending() -> None:
        of_node.sync_ms = before_ms

    return ending


def io_error(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    of_node = scene.world.nodes[target].flash
    of_node.fail(parameters["of"])
    return lambda: of_node.heal(parameters["of"])


def agent_crash(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    scene.world.nodes[target].crash()
    return None


def agent_hang(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    scene.world.nodes[target].hang()
    return None


def clock_drift(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    clock = scene.world.nodes[target].clock
    before_ppm = clock.drift_ppm
    clock.drift(round(parameters["ppm"]))
    return lambda: clock.drift(before_ppm)


def clock_jump(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    clock = scene.world.nodes[target].clock
    if parameters["to"] is not None:
        clock.set_wall(parameters["to"])
    else:
        clock.jump_wall(parameters["by"])
    return None


def suspend(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    node = scene.world.nodes[target]
    node.suspend()
    return node.resume


def memory_pressure(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    node = scene.world.nodes[target]
    if parameters["kills"] == "agent":
        node.crash("out of memory")
        return None
    node.processes.memory_pressure(parameters["free"])
    return lambda: node.processes.memory_pressure(None)


def upgrade(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    scene.world.nodes[target].upgrade(parameters["takes"])
    return None


KINDS = (
    Kind(
        "power-cut",
        "node",
        "Power fails at this moment, or within a write: what no sync has made durable may be there, torn or gone.",
        (
            Field("fates", "text", "what becomes of writes since the last sync", "random", choices=FATES),
            Field(
                "at_write",
                "count",
                "within the so-manieth write to flash from now on; 0: at once",
                0,
                minimum=0,
                maximum=1_000_000,
            ),
            lasting((5_000, 60_000), "how long it stays without power"),
        ),
        power_cut,
        "power",
    ),
    Kind(
        "reboot",
        "node",
        "An orderly shutdown and start of the whole machine, workloads included.",
        (lasting(5_000, "how long it is off"),),
        reboot,
        "power",
    ),
    Kind(
        "bit-rot",
        "node",
        "Bits of the flash turn, in what is stored and rests.",
        (Field("bits", "count", "how many", 1, minimum=1, maximum=1000),),
        bit_rot,
    ),
    Kind(
        "flash-full",
        "node",
        "Others on the machine fill its file system: writes of the agent fail for want of space.",
        (Field("free", "size", "what is left", 0, minimum=0, maximum=10**9), lasting()),
        flash_full,
        "space",
    ),
    Kind(
        "slow-sync",
        "node",
        "A card that tidies up: each sync takes this long.",
        (Field("takes", "duration", "one sync", 5_000, minimum=1, maximum=120_000), lasting()),
        slow_sync,
        "sync",
    ),
    Kind(
        "io-error",
        "node",
        "The flash answers with an error (EIO).",
        (Field("of", "text", "which calls fail", "sync", choices=("read", "write", "sync")), lasting()),
        io_error,
        "errors {of}",  # reads and writes fail each by themselves
    ),
    Kind(
        "agent-crash", "node", "The agent's process is killed; init starts it again, workloads go on.", (), agent_crash
    ),
    Kind("agent-hang", "node", "The agent hangs until the watchdog bites and restarts it.", (), agent_hang),
    Kind(
        "clock-drift",
        "node",
        "The node's clocks run fast, or slow where this is negative.",
        (
            Field("ppm", "number", "parts per million; crystals have 20 to 100", 100.0, minimum=-5000, maximum=5000),
            lasting(),
        ),
        clock_drift,
        "drift",
    ),
    Kind(
        "clock-jump",
        "node",
        "The node's calendar clock is set by somebody: a bad NTP server, an empty battery, a person.",
        (
            Field("to", "moment", "to this date", None),
            Field(
                "by",
                "jump",
                "by so much, where `to` is not given",
                365 * DAY_MS,
                minimum=-36_500 * DAY_MS,
                maximum=36_500 * DAY_MS,
            ),
        ),
        clock_jump,
    ),
    Kind(
        "suspend",
        "node",
        "The machine sleeps: nothing runs, its clocks count on, connections rot.",
        (lasting((600_000, 3_600_000), "for so long"),),
        suspend,
        "suspend",
    ),
    Kind(
        "memory-pressure",
        "node",
        "Memory runs out: the kernel kills the largest process.",
        (
            Field("kills", "text", "whom it finds", "workload", choices=("workload", "agent")),
            Field("free", "size", "what workloads may have together", 4_000_000, minimum=0, maximum=10**12),
            lasting(60_000),
        ),
        memory_pressure,
        "memory",
    ),
    Kind(
        "upgrade",
        "node",
        "The agent is stopped in good order and started as a new release would be, workloads go on.",
        (Field("takes", "duration", "from stop to start", 4_000, minimum=100, maximum=DAY_MS),),
        upgrade,
        lasts="takes",
    ),
)
