"""A hub's end as a real agent hears of it over a simulated network."""

from __future__ import annotations

import pytest

from edgelite_sim.world.observer import Observer
from edgelite_sim.world.world import World


class Sessions(Observer):
    def __init__(self) -> None:
        self.heard: list[tuple[int, bool, str]] = []

    def session(self, node: str, is_live: bool, why: str, now_ms: int) -> None:
        self.heard.append((now_ms, is_live, why))


@pytest.mark.parametrize("profile", ["lan", "lte"])
@pytest.mark.parametrize("end", ["crash", "stop", "drop_links"])
def test_a_node_hears_at_once_of_its_hubs_end_and_comes_back(profile: str, end: str) -> None:
    sessions = Sessions()
    world = World(seed=3, observers=[sessions])
    hub = world.add_hub()
    world.add_node("n1", profile=profile)
    world.run(60_000)
    getattr(hub, end)()
    world.run(1_000)
    assert [is_live for _, is_live, _ in sessions.heard[:2]] == [True, False]
    assert sessions.heard[1][0] < 60_500
    if not hub.is_up:
        hub.start()
    world.run(30_000)
    assert sessions.heard[-1][1], "it is back"
