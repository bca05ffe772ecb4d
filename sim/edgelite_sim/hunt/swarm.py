"""A random scenario from a seed: a small fleet, and a random subset of all kinds of faults.

Each run leaves most kinds out, because a fault that is everywhere hides what the others would show (swarm testing). The
last part of each run is quiet: what must hold in the end is asked of a world that had time to recover.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from edgelite_sim.faults import KINDS, Kind
from edgelite_sim.network import profile as profiles
from edgelite_sim.scenario.model import ChangePart, DevicePart, FaultPart, FleetPart, Scenario, WorkloadPart
from edgelite_sim.written.fields import Field

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
QUIET_MS = 25 * MINUTE_MS  # nothing goes wrong in the last of a run: longer than any backoff
FAULTY_MINUTES = (10, 15, 20, 30, 45, 60, 90, 180)
LASTING_MS = (1_000, 10 * MINUTE_MS)  # of one fault
NODES = (1, 1, 1, 2, 2, 3, 4)
SHARE_OF_KINDS = 0.3
TIMES_MAX = 5  # of one kind in one run
# Profiles whose own outages leave time to recover within the quiet part.
PROFILES = ("lan", "lte", "flaky-lte", "gprs", "satellite", "half-open", "asymmetric")
COMMANDS = (
    ["sim", "runs"],
    ["sim", "exits", "--after", "90s", "--code", "0"],
    ["sim", "crashes", "--every", "4m"],
    ["sim", "ignores-sigterm"],
    ["sim", "forks", "--children", "5"],
)
# A count of its own answered reads names each reading; the register beside it can be written.
METER: dict[str, Any] = {
    "kind": "modbus",
    "framing": "tcp",
    "unit": [
        {
            "number": 1,
            "range": [
                {"name": "reads", "table": "input", "address": 0, "type": "uint32", "value": {"counter": "reads"}},
                {"name": "limit", "table": "holding", "address": 0, "type": "uint16", "values": [100]},
            ],
        }
    ],
}
NEEDS_BACKUP = "hub-restore"
# A card that rots away altogether has nothing left that a journal could be held to.
BOUNDS = {("bit-rot", "bits"): 3}
NOT_BY_THEMSELVES = ("hub-backup", "heal")  # they come with what they are for
# An empty hub knows no node, and refuses all until people let them join again: nobody does here, so nothing can be
# asked of what the hub holds. That the nodes go on as before can.
EMPTY_HUB = "hub-empty"
NEEDS_THE_HUB = ("desired-state-is-reached", "nothing-acknowledged-is-lost")


def swarm(seed: int, kinds: Sequence[str] = ()) -> Scenario:
    """The scenario of that seed, always the same; only with faults of `kinds`, where there are any."""
    draw = random.Random(f"swarm {seed}")
    faulty_ms = draw.choice(FAULTY_MINUTES) * MINUTE_MS
    scenario = Scenario(
        name=f"swarm-{seed}",
        duration=faulty_ms + QUIET_MS,
        description="a random fleet and random faults",
        seed=seed,
    )
    scenario.fleets.append(_fleet(draw))
    _equip(scenario, draw)
    _change(scenario, draw, faulty_ms)
    chosen = [kind for name, kind in sorted(KINDS.items()) if _is_drawn(kind, draw) and (not kinds or name in kinds)]
    for kind in chosen or [KINDS["outage"], KINDS["power-cut"]]:
        for _ in range(draw.randint(1, TIMES_MAX)):
            scenario.faults += _faults(kind, scenario, draw, faulty_ms)
    scenario.faults.sort(key=lambda part: part.at or 0)
    if any(part.kind == EMPTY_HUB for part in scenario.faults):
        scenario.invariants = dict.fromkeys(NEEDS_THE_HUB, False)
    return scenario


def _is_drawn(kind: Kind, draw: random.Random) -> bool:
    return draw.random() < SHARE_OF_KINDS and kind.name not in NOT_BY_THEMSELVES


def _fleet(draw: random.Random) -> FleetPart:
    names = [name for name in PROFILES if name in profiles.names()]
    settings: dict[str, Any] = {"backoff_cap_ms": draw.choice((10_000, 60_000, 120_000))}
    if draw.random() < 0.5:
        settings["segment_bytes"] = 32768
        settings["journal_bytes_max"] = 32768 * draw.randint(8, 16)
        settings["telemetry_bytes_max"] = 32768 * 4
    return FleetPart(
        name="node-{n}",
        count=draw.choice(NODES),
        profile=draw.choice(names),
        stagger=draw.choice((0, MINUTE_MS)),
        drift_ppm=draw.choice((0.0, 50.0, 1000.0)),
        settings=settings,
    )


def _equip(scenario: Scenario, draw: random.Random) -> None:
    poll_ms = draw.choice((2_000, 10_000, 30_000, 60_000))
    report = draw.choice(("each", "change"))
    scenario.devices.append(DevicePart(name="meter", on=["all"], model=METER, poll=poll_ms, report=report))
    for number in range(draw.randint(0, 3)):
        command = list(draw.choice(COMMANDS))
        scenario.workloads.append(WorkloadPart(name=f"work-{number}", on=["all"], command=command))


def _change(scenario: Scenario, draw: random.Random, faulty_ms: int) -> None:
    """What people do meanwhile."""
    for _ in range(draw.randint(0, 4)):
        scenario.changes.append(
            ChangePart(
                at=draw.randint(MINUTE_MS, faulty_ms), device=["meter@*"], property="limit", value=draw.randint(0, 999)
            )
        )
    for part in scenario.workloads:
        if draw.random() < 0.4:
            command = list(draw.choice(COMMANDS))
            at = draw.randint(MINUTE_MS, faulty_ms)
            scenario.changes.append(ChangePart(at=at, workload=[part.name + "@*"], command=command))
    scenario.changes.sort(key=lambda part: part.at)


def _faults(kind: Kind, scenario: Scenario, draw: random.Random, faulty_ms: int) -> list[FaultPart]:
    targets = _targets(kind, scenario, draw)
    if targets is None:
        return []
    at = draw.randint(0, faulty_ms)
    parameters = {one.name: value for one in kind.fields if (value := _drawn(one, draw)) is not None}
    for (name, parameter), most in BOUNDS.items():
        if kind.name == name and parameter in parameters:
            parameters[parameter] = min(most, parameters[parameter])
    if kind.has_duration:
        parameters["for"] = draw.randint(LASTING_MS[0], max(LASTING_MS[0], min(LASTING_MS[1], faulty_ms - at)))
    elif kind.lasts in parameters:
        parameters[kind.lasts] = _within(kind, parameters[kind.lasts], faulty_ms - at)
    part = FaultPart(kind=kind.name, target=targets, at=at, parameters=parameters)
    if kind.name != NEEDS_BACKUP:
        return [part]
    backup = FaultPart(kind="hub-backup", target=targets, at=draw.randint(0, at), parameters={"name": f"backup-{at}"})
    part.parameters["backup"] = f"backup-{at}"
    return [backup, part]


def _within(kind: Kind, lasts_ms: int, left_ms: int) -> int:
    """The quiet part is for recovery."""
    field = kind.field(kind.lasts)
    least_ms = field.minimum if field is not None and field.minimum is not None else 0
    return int(min(lasts_ms, max(left_ms, least_ms)))


def _targets(kind: Kind, scenario: Scenario, draw: random.Random) -> list[str] | None:
    """None where there is nothing of the kind."""
    nodes = scenario.nodes()
    if kind.target == "hub":
        return [scenario.hubs[0].name]
    some = draw.choice((["all"], [draw.choice(nodes)], [draw.choice(nodes)]))
    if kind.target in ("node", "link"):
        return some
    parts: Sequence[Any] = scenario.devices if kind.target == "device" else scenario.workloads
    if not parts:
        return None
    name = draw.choice(parts).name
    return [f"{name}@{'*' if some == ['all'] else some[0]}"]


def _drawn(one: Field, draw: random.Random) -> Any:
    """A value of a parameter; None leaves it at its default."""
    if one.name == "for":
        return None
    if one.name == "profile":
        return draw.choice([name for name in PROFILES if name in profiles.names()])
    if one.choices:
        return draw.choice(one.choices)
    if one.type == "flag":
        return draw.random() < 0.5
    if one.type in ("count", "number", "duration", "size", "jump") and draw.random() < 0.7:
        return _number(one, draw)
    return None


def _number(one: Field, draw: random.Random) -> Any:
    low = 0 if one.minimum is None else one.minimum
    high = low + 1000 if one.maximum is None else one.maximum
    if one.type == "number":
        return round(draw.uniform(low, high), 3)
    # Small ones matter as much as large ones: each size is as likely as the next.
    span = int(high - low)
    value = int(low) + (draw.getrandbits(draw.randint(0, span.bit_length())) % (span + 1) if span else 0)
    return min(value, HOUR_MS) if one.type == "duration" else value
