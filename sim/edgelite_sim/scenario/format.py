"""The format of scenario files: which tables there are, and what may be written into each."""

from __future__ import annotations

from dataclasses import dataclass

from edgelite_sim.scenario.model import (
    START_UNIX_MS,
    ChangePart,
    DevicePart,
    ExpectPart,
    FaultPart,
    FleetPart,
    HubPart,
    WorkloadPart,
)
from edgelite_sim.written.fields import Field

DAY_MS = 86_400_000
YEAR_MS = 366 * DAY_MS
NODES_MAX = 10_000
HUB_STORE_MS_MAX = 60_000

TOP = (
    Field("name", "text", "what reports call it; left out: the file's name", ""),
    Field("description", "text", "one line for `edgelite sim list`", ""),
    Field("seed", "count", "all chance comes from it; `--seed` overrides it", 1, minimum=0, maximum=2**63 - 1),
    Field(
        "duration", "duration", "simulated time from the first power-on to the end", minimum=1000, maximum=3 * YEAR_MS
    ),
    Field(
        "start", "moment", "what the calendar says at the start", START_UNIX_MS, minimum=0, maximum=4_102_444_800_000
    ),
    Field("objects", "names", "YAML files that are applied at the start, beside this file", []),
)

HUB = (
    Field("name", "text", "what fleets and faults call it", "hub"),
    Field("store_ms", "count", "what one commit takes, in milliseconds", 0, minimum=0, maximum=HUB_STORE_MS_MAX),
    Field("backup_every", "duration", "backups named backup, made so often; 0s: none", 0, minimum=0, maximum=YEAR_MS),
)

FLEET = (
    Field("name", "text", "of its nodes, with {n} for the number: shop-{n}; without it, of the one node"),
    Field("count", "count", "how many nodes", 1, minimum=1, maximum=NODES_MAX),
    Field("profile", "text", "what network they have (`edgelite sim profiles`)", "lan"),
    Field("hub", "text", "which hub they belong to", "hub"),
    Field("stagger", "duration", "their first power-on is spread over so long", 0, minimum=0, maximum=30 * DAY_MS),
    Field(
        "drift_ppm",
        "number",
        "how fast their clocks run, at most; each node draws its own, either way",
        0.0,
        minimum=0,
        maximum=1000,
    ),
    Field("flash_bytes", "size", "of the file system that the journal is on; 0: 64 MiB", 0, minimum=0, maximum=10**12),
    Field("settings", "table", "lines of agent.conf, such as telemetry_bytes_max", {}),
)

DEVICE = (
    Field("name", "text", "what faults call it; its object is NAME-NODE at the hub"),
    Field("on", "names", "nodes that have one each, by name or pattern (shop-*)"),
    Field("file", "text", "the register map, as `edgelite sim device` takes it", ""),
    Field("model", "table", "the same, written here", {}),
    Field("poll", "duration", "how often each property is read", 60_000, minimum=10, maximum=DAY_MS),
    Field(
        "report",
        "text",
        "what goes up: each reading, or a value that has changed",
        "change",
        choices=("each", "change"),
    ),
    Field(
        "objects",
        "text",
        "a YAML file with DeviceModel and Device, in place of those that are made from the file; {node} is replaced",
        "",
    ),
)

WORKLOAD = (
    Field("name", "text", "its Pod is NAME-NODE at the hub"),
    Field("on", "names", "nodes that run it, by name or pattern"),
    Field("command", "texts", "what it does, in words of simulated processes, below"),
    Field("restart", "text", "the Pod's restartPolicy", "Always", choices=("Always", "OnFailure", "Never")),
    Field("environment", "table", "variables of its container", {}),
)

CHANGE = (
    Field("at", "duration", "when somebody does it"),
    Field("apply", "names", "YAML files to apply", []),
    Field("text", "text", "YAML to apply, written here", ""),
    Field("delete", "names", "objects to delete, as resource/name: pods/till-shop-1", []),
    Field("device", "names", "devices (name@node, patterns) whose `property` shall become `value`", []),
    Field("property", "text", "of these devices", ""),
    Field("value", "value", "which value is desired", None),
    Field("workload", "names", "workloads (name@node, patterns) that shall run `command` from now on", []),
    Field("command", "texts", "the new command", []),
    Field(
        "spread",
        "duration",
        "where there are several: over so long, one after the other",
        0,
        minimum=0,
        maximum=YEAR_MS,
    ),
)

FAULT = (
    Field("kind", "text", "which (the table below, `edgelite sim faults`)"),
    Field(
        "target",
        "names",
        "names, patterns (shop-*, meter@shop-*), or so many drawn each time: 3 random, "
        "3 random shop-*, 10% random; a hub's fault needs none where there is one hub",
        [],
    ),
    Field("at", "duration", "once, at this time", None),
    Field("every", "duration", "again and again", 0, minimum=0, maximum=YEAR_MS),
    Field("from", "duration", "the first of these", 0),
    Field("until", "duration", "none later than this", None),
    Field(
        "per_hour", "number", "by chance: how many an hour each target has on average", 0.0, minimum=0.0, maximum=3600.0
    ),
    Field("jitter", "duration", "each comes up to so much later", 0, minimum=0, maximum=YEAR_MS),
    Field(
        "spread",
        "duration",
        "the targets are hit within so long, each at a time of its own",
        0,
        minimum=0,
        maximum=YEAR_MS,
    ),
)

EXPECT = (
    Field("figure", "text", "which (the table below)"),
    Field("nodes", "names", "of which nodes; left out: of all", []),
    Field("at", "duration", "at which time, for a figure that has one", None),
    Field("at_least", "bound", "the least that passes", None),
    Field("at_most", "bound", "the most that passes", None),
)


@dataclass(frozen=True)
class Table:
    """`attribute` is the Scenario's; `make` builds one part."""

    name: str
    attribute: str
    sentence: str
    fields: tuple[Field, ...]
    make: type


TABLES = (
    Table("hub", "hubs", "A hub. Left out: one named hub.", HUB, HubPart),
    Table("fleet", "fleets", "Nodes that are alike.", FLEET, FleetPart),
    Table("device", "devices", "A field device, one of its kind at each of these nodes.", DEVICE, DevicePart),
    Table("workload", "workloads", "A program, one Pod on each of these nodes.", WORKLOAD, WorkloadPart),
    Table("change", "changes", "What people do at the hub while time passes.", CHANGE, ChangePart),
    Table("fault", "faults", "What goes wrong. The kind's parameters stand beside these.", FAULT, FaultPart),
    Table("expect", "expectations", "What must hold of a figure at the end.", EXPECT, ExpectPart),
)
