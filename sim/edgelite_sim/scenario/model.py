"""A scenario as the code holds it. Times and durations are milliseconds since its start.

`load` makes one from a file; a program makes one by hand, checks it with `check`, and writes it with `to_toml`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgelite_sim.written.fields import Span

START_UNIX_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z


@dataclass
class HubPart:
    name: str = "hub"
    store_ms: int = 0  # what a commit takes
    backup_every: int = 0  # 0: none is made


@dataclass
class FleetPart:
    name: str  # "shop-{n}", or one node's whole name
    count: int = 1
    profile: str = "lan"
    hub: str = "hub"
    stagger: int = 0  # the first power-on of the last node is so much after that of the first
    drift_ppm: float = 0.0
    flash_bytes: int = 0  # 0: what SimNode has by itself
    settings: dict[str, Any] = field(default_factory=dict)  # lines of agent.conf

    def nodes(self) -> list[str]:
        if "{n}" not in self.name:
            return [self.name]
        return [self.name.replace("{n}", str(number)) for number in range(1, self.count + 1)]


@dataclass
class DevicePart:
    name: str
    on: list[str]
    file: str = ""
    model: dict[str, Any] = field(default_factory=dict)  # what the file would hold
    poll: int = 60_000
    report: str = "change"
    objects: str = ""


@dataclass
class WorkloadPart:
    name: str
    on: list[str]
    command: list[str]
    restart: str = "Always"
    environment: dict[str, Any] = field(default_factory=dict)


@dataclass
class ChangePart:
    at: int
    apply: list[str] = field(default_factory=list)
    text: str = ""
    delete: list[str] = field(default_factory=list)
    device: list[str] = field(default_factory=list)
    property: str = ""
    value: str | int | float | bool | None = None
    workload: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    spread: int = 0


@dataclass
class FaultPart:
    kind: str
    target: list[str] = field(default_factory=list)
    at: int | None = None
    every: int = 0
    from_: int = 0
    until: int | None = None
    per_hour: float = 0.0
    jitter: int = 0
    spread: int = 0
    parameters: dict[str, Any] = field(default_factory=dict)  # only those that were given


@dataclass
class ExpectPart:
    figure: str
    nodes: list[str] = field(default_factory=list)
    at: int | None = None
    at_least: float | None = None
    at_most: float | None = None


@dataclass
class Scenario:
    name: str
    duration: int
    description: str = ""
    seed: int = 1
    start: int = START_UNIX_MS
    objects: list[str] = field(default_factory=list)
    hubs: list[HubPart] = field(default_factory=lambda: [HubPart()])
    fleets: list[FleetPart] = field(default_factory=list)
    devices: list[DevicePart] = field(default_factory=list)
    workloads: list[WorkloadPart] = field(default_factory=list)
    changes: list[ChangePart] = field(default_factory=list)
    faults: list[FaultPart] = field(default_factory=list)
    expectations: list[ExpectPart] = field(default_factory=list)
    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)
    invariants: dict[str, dict[str, Any] | bool] = field(default_factory=dict)
    folder: Path = field(default_factory=Path, compare=False)  # what file names in it are relative to

    def nodes(self) -> list[str]:
        return [node for fleet in self.fleets for node in fleet.nodes()]


__all__ = [
    "START_UNIX_MS",
    "ChangePart",
    "DevicePart",
    "ExpectPart",
    "FaultPart",
    "FleetPart",
    "HubPart",
    "Scenario",
    "Span",
    "WorkloadPart",
]
