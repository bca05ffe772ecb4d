"""Every kind of fault that a scenario or the hunt can cause, in one table."""

from __future__ import annotations

from edgelite_sim.faults import of_devices, of_hubs, of_links, of_nodes, of_workloads
from edgelite_sim.faults.kind import TARGETS, Apply, Ending, Kind, Parameters, Scene

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (*of_links.KINDS, *of_nodes.KINDS, *of_workloads.KINDS, *of_devices.KINDS, *of_hubs.KINDS)
}

__all__ = ["KINDS", "TARGETS", "Apply", "Ending", "Kind", "Parameters", "Scene"]
