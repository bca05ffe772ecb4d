"""Faults of field devices and their lines. A target is "device@node"."""

from __future__ import annotations

from edgelite_sim.faults.kind import Apply, Ending, Kind, Parameters, Scene, lasting, object_name
from edgelite_sim.written.fields import Field


def _failing(how: str, **names: str) -> Apply:
    """`names`: what the device calls each of the parameters."""

    def apply(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
        node = target.rpartition("@")[2]
        known = [name for on, name in scene.world.devices if on == node]
        source = scene.world.devices[node, object_name(target, known)].source
        if how not in source.condition.kinds:
            return None  # a scale has no Modbus exceptions: a pattern may name devices of several kinds
        source.fail(how, **{name: parameters[own] for own, name in names.items()})
        return lambda: source.heal(how)

    return apply


# Each has a group of its own: a device that is slow may be dead as well, and the end of one is not the other's.
KINDS = (
    Kind("device-dead", "device", "The device answers nothing.", (lasting(),), _failing("dead"), "device-dead"),
    Kind(
        "device-slow",
        "device",
        "The device takes its time for each answer.",
        (Field("takes", "duration", "for one answer", 800, minimum=1, maximum=60_000), lasting()),
        _failing("slow", takes="delay_ms"),
        "device-slow",
    ),
    Kind(
        "device-noise",
        "device",
        "A bad cable: some answers arrive with bytes that are wrong.",
        (Field("share", "number", "of the answers", 0.1, minimum=0.0, maximum=1.0), lasting()),
        _failing("noise", share="chance"),
        "device-noise",
    ),
    Kind(
        "device-exceptions",
        "device",
        "The device refuses each read with a Modbus exception.",
        (Field("code", "count", "4: device failure, 6: busy", 6, minimum=1, maximum=11), lasting()),
        _failing("exceptions", code="code"),
        "device-exceptions",
    ),
    Kind(
        "device-restart",
        "device",
        "The device restarts: its connections end, and it answers nothing until it is up.",
        (Field("boot", "duration", "until it answers again", 3_000, minimum=0, maximum=600_000),),
        _failing("restart", boot="boot_ms"),
        lasts="boot",
    ),
)
