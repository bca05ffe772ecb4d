"""How invariants reach what only the world can show: a hub's store, a node's settings. One place, so that the rest
depends on observers' calls alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from edgelite.config import Config
from edgelite_hub.settings import Settings
from edgelite_hub.store.memory import MemoryStore

if TYPE_CHECKING:
    from edgelite_sim.invariants.readings import Series
    from edgelite_sim.world.world import World

OTHER_STORE = ("restored", "emptied")  # what a hub says when its store is not the one that it had
SAMPLES_MAX = 1_000_000_000


def stored_values(world: World | None, hub: str, series: Series) -> Iterable[object]:
    """What the hub's store holds of a series now."""
    if world is None or hub not in world.hubs:
        return []
    found = world.hubs[hub].samples(series.device, series.property)
    return [sample.value for sample in found if sample.node == series.node]


def objects(world: World | None, hub: str, resource: str) -> list[dict[str, Any]]:
    """All objects of a kind that the hub has now."""
    if world is None or hub not in world.hubs:
        return []
    return list(world.hubs[hub].list(resource))


def position(world: World | None, hub: str, node: str, lane: int) -> list[tuple[int, int]] | None:
    """(generation, sequence) up to which the hub's store has a lane of each of the node's journals; None where that
    cannot be asked. The contract lists no positions, so this looks into the store that a world has."""
    store = world.hubs[hub].store if world is not None and hub in world.hubs else None
    if not isinstance(store, MemoryStore):
        return None
    rows = store._tables.positions.items()
    return [(one.generation, one.sequence) for (owner, _, where), one in rows if owner == node and where == lane]


def config(world: World | None, node: str) -> Config:
    """The node's settings, or an agent's defaults."""
    found = world.nodes.get(node) if world is not None else None
    return found.config if found is not None else Config(node, [])


def retention_ms(world: World | None, hub: str) -> int:
    """How long a sample stays in the hub's store by its settings, less what one round of trimming may take."""
    settings = world.hubs[hub].settings if world is not None and hub in world.hubs else Settings()
    return settings.telemetry_retention_ms - settings.maintenance_ms


def hub_of(world: World | None, node: str) -> str:
    """The hub whose address the node knows; "" where it cannot be told."""
    return world.hub_of(node).name if world is not None and node in world.nodes else ""


def waiting_work(world: World | None) -> list[tuple[str, int]]:
    """How many transactions wait at each hub."""
    if world is None:
        return []
    hubs = sorted(world.hubs.items())
    return [(name, hub.process.writer.waiting) for name, hub in hubs if hub.process is not None]


def hangs(world: World | None, node: str) -> bool:
    """Whether its agent hangs, or the machine sleeps, so that nothing that arrives is taken."""
    found = world.nodes.get(node) if world is not None else None
    return found is not None and found.hangs


def clock_ms(world: World | None, hub: str) -> int:
    """The hub's clock, right or wrong, as a time of the world."""
    return world.hubs[hub].unix_ms - world.start_unix_ms if world is not None and hub in world.hubs else 0
