"""A site with a hub and one node that has joined, for a scene that a test plays on it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from edgelite_sim.site import Site

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "ports"))
import micropython_site

NODE = "node-1"

Scene = Callable[[Site], Awaitable[None]]


@pytest.fixture
def play_by(tmp_path: Path) -> Callable[[list[str], Scene], None]:
    """Play a scene with the agent that these words start; none: the one of CPython."""

    async def staged(agent_words: list[str], scene: Scene) -> None:
        site = Site(tmp_path)
        site.agent_words = agent_words or site.agent_words
        try:
            await site.start_hub()
            await site.join(NODE, await site.token(), site.node_port, "backoff_cap_ms = 1000\n")
            await site.start_agent(NODE)
            await scene(site)
        finally:
            await site.stop()

    return lambda agent_words, scene: asyncio.run(staged(agent_words, scene))


@pytest.fixture
def play(play_by: Callable[[list[str], Scene], None]) -> Callable[[Scene], None]:
    return lambda scene: play_by([], scene)


@pytest.fixture(params=["cpython", "micropython"])
def play_on_both(
    request: pytest.FixtureRequest, play_by: Callable[[list[str], Scene], None]
) -> Callable[[Scene], None]:
    """The same, with an agent of either runtime."""
    words = micropython_site.agent_words() if request.param == "micropython" else []
    return lambda scene: play_by(words, scene)
