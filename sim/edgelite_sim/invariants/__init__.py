"""What must hold in every run, each with a name and a sentence (docs/invariants.md):

invariants = [make(name) for name in names()]
world = World(seed=7, observers=invariants)
...
world.end()
for invariant in invariants:
    print(invariant.verdict())
"""

from __future__ import annotations

from typing import Any

from edgelite.driver import ConfigurationError
from edgelite_sim.invariants.acknowledged import NothingAcknowledgedIsLost
from edgelite_sim.invariants.bounds import BoundsHold
from edgelite_sim.invariants.desired import DesiredStateIsReached
from edgelite_sim.invariants.invariant import Invariant, Verdict, Violation
from edgelite_sim.invariants.orders import NothingIsRemovedWithoutAnOrder
from edgelite_sim.invariants.raised import NothingRaises
from edgelite_sim.invariants.replays import check_replay
from edgelite_sim.invariants.running import WhatShouldRunRuns
from edgelite_sim.invariants.stored import NothingIsStoredTwice, OrderPerDeviceHolds
from edgelite_sim.invariants.storm import NoReconnectStorm
from edgelite_sim.invariants.wishes import SettledWishesRest

__all__ = ["INVARIANTS", "Invariant", "Verdict", "Violation", "bounds_of", "check_replay", "make", "names"]

_ALL: tuple[type[Invariant], ...] = (
    NothingAcknowledgedIsLost,
    NothingIsStoredTwice,
    OrderPerDeviceHolds,
    DesiredStateIsReached,
    SettledWishesRest,
    WhatShouldRunRuns,
    NothingIsRemovedWithoutAnOrder,
    BoundsHold,
    NoReconnectStorm,
    NothingRaises,
)

# By name. `replays-agree` is beside them: it needs two runs (check_replay).
INVARIANTS: dict[str, type[Invariant]] = {one.name: one for one in _ALL}


def names() -> list[str]:
    return list(INVARIANTS)


def bounds_of(name: str) -> list[str]:
    """What can be set of an invariant, each with a unit at its end."""
    return list(_of(name).__init__.__code__.co_varnames[1 : _of(name).__init__.__code__.co_argcount])


def make(name: str, **bounds: Any) -> Invariant:
    """ConfigurationError where there is no such invariant, or it has no such bound."""
    kind = _of(name)
    for bound in bounds:
        if bound not in bounds_of(name):
            allowed = ", ".join(bounds_of(name)) or "none"
            raise ConfigurationError(bound, f"is no bound of {name}, which has: {allowed}")
    return kind(**bounds)


def _of(name: str) -> type[Invariant]:
    kind = INVARIANTS.get(name)
    if kind is None:
        raise ConfigurationError("invariant", f"{name!r} is none of: " + ", ".join(INVARIANTS))
    return kind
