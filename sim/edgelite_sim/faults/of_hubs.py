"""Faults of a hub, its store and its clock."""

from __future__ import annotations

from edgelite_sim.faults.kind import DAY_MS, Ending, Kind, Parameters, Scene, lasting
from edgelite_sim.world import hub_faults
from edgelite_sim.written.fields import Field

AT_ONCE = "at-once"
POINTS = (AT_ONCE, *hub_faults.POINTS)


def start(scene: Scene, target: str) -> Ending:
    def ending() -> None:
        hub = scene.world.hubs[target]
        hub.faults.death = None  # where it has not come to a transaction since
        if not hub.is_up:
            hub.start()

    return ending


def crash(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    hub = scene.world.hubs[target]
    if parameters["point"] == AT_ONCE:
        hub.crash()
    else:
        hub.crash_at(parameters["point"], operation=parameters["operation"])
    return start(scene, target)


def stop(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    scene.world.hubs[target].stop()
    return start(scene, target)


def backup(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    scene.backups[target, parameters["name"]] = scene.world.hubs[target].backup()
    return None


def restore(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    scene.world.hubs[target].restore(scene.backups[target, parameters["backup"]])
    return None


def empty(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    scene.world.hubs[target].empty(parameters["keeps_authority"])
    return None


def twin(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    other = scene.world.hubs[target].twin()
    scene.world.double(target, other)

    def ending() -> None:
        scene.world.double(target, None)
        other.stop()

    return ending


def slow(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    of_hub = scene.world.hubs[target].faults
    before_ms, of_hub.store_ms = of_hub.store_ms, parameters["takes"]

    def ending() -> None:
        of_hub.store_ms = before_ms

    return ending


def error(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    of_hub = scene.world.hubs[target].faults
    of_hub.store_error = parameters["says"]

    def ending() -> None:
        of_hub.store_error = ""

    return ending


def clock_jump(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    hub = scene.world.hubs[target]
    hub.set_clock(hub.unix_ms + parameters["by"])
    return hub.mend_clock


def drop_all(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    """As a load balancer does when it is restarted: the hub's process goes on with nobody connected."""
    hub = scene.world.hubs[target]
    for node in scene.world.nodes.values():
        if scene.world.hub_of(node.name) is hub:
            node.cut("reset")
    return None


KINDS = (
    Kind(
        "hub-crash",
        "hub",
        "The hub's process is killed and started again; what it had not committed is gone.",
        (
            Field("point", "text", "at once, or where in its next transaction", AT_ONCE, choices=POINTS),
            Field("operation", "count", "inside: at which operation on the store", 1, minimum=1, maximum=10_000),
            lasting(5_000, "how long it is down"),
        ),
        crash,
        "hub",
    ),
    Kind(
        "hub-stop",
        "hub",
        "The hub is stopped in good order, as for maintenance.",
        (lasting(600_000, "how long it is down"),),
        stop,
        "hub",
    ),
    Kind(
        "hub-backup",
        "hub",
        "Somebody saves the hub's data.",
        (Field("name", "text", "what a restore calls it", "backup"),),
        backup,
    ),
    Kind(
        "hub-restore",
        "hub",
        "The hub's disk is lost; it comes back with an older backup and has forgotten everything since.",
        (Field("backup", "text", "the name of a hub-backup that came before", "backup"),),
        restore,
    ),
    Kind(
        "hub-empty",
        "hub",
        "The hub comes back with an empty store: no node, no object.",
        (Field("keeps_authority", "flag", "false: with a new certificate authority too", True),),
        empty,
    ),
    Kind(
        "hub-twin",
        "hub",
        "Two hubs by mistake: a copy runs beside it, and nodes meet now one, now the other.",
        (lasting(3_600_000, "how long there are two"),),
        twin,
    ),
    Kind(
        "hub-slow",
        "hub",
        "The hub's disk is busy: each commit takes this long.",
        (Field("takes", "duration", "one commit", 1_000, minimum=1, maximum=60_000), lasting()),
        slow,
        "store-speed",
    ),
    Kind(
        "hub-error",
        "hub",
        "The hub's store fails: commits end with an error.",
        (Field("says", "text", "the medium's words", "disk I/O error"), lasting(60_000)),
        error,
        "store-error",
    ),
    Kind(
        "hub-clock-jump",
        "hub",
        "The hub's own clock is set by somebody.",
        (
            Field(
                "by",
                "jump",
                "by so much, back where negative",
                3_600_000,
                minimum=-3650 * DAY_MS,
                maximum=3650 * DAY_MS,
            ),
            lasting(),
        ),
        clock_jump,
        "clock",
    ),
    Kind("drop-all", "hub", "All sessions end at once; the whole fleet reconnects.", (), drop_all),
)
