"""Simulated and emulated surroundings of real hubs and agents: outages, devices, and the demo built on them.

`edgelite_sim.World` is the deterministic world (edgelite_sim.world.world), loaded when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgelite_sim.world.world import World

__all__ = ["World"]


def __getattr__(name: str) -> object:
    if name == "World":
        from edgelite_sim.world.world import World

        return World
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
