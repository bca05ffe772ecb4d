"""nothing-raises: an agent that dies of its own code is a bug, however well it comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgelite_sim.invariants.invariant import Invariant

if TYPE_CHECKING:
    from edgelite_sim.world.world import World


class NothingRaises(Invariant):
    name = "nothing-raises"
    sentence = "No agent ends because its own code raised an error that nobody expected."

    def end(self, world: World, now_ms: int) -> None:
        for name, node in sorted(world.nodes.items()):
            for text in node.faults:
                self.violate(now_ms, name, text.strip().splitlines()[-1])
