"""The hunt: random swarms of faults until something does not hold, then the smallest scenario that shows it."""

from __future__ import annotations

from edgelite_sim.hunt.found import Found, read_found, write_found
from edgelite_sim.hunt.shrink import shrink
from edgelite_sim.hunt.swarm import swarm
from edgelite_sim.hunt.trial import Trial, try_scenario

__all__ = ["Found", "Trial", "read_found", "shrink", "swarm", "try_scenario", "write_found"]
