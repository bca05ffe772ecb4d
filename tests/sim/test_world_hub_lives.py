"""A hub that dies again and again, at random points: what it acknowledged it has, each report once and in order, and
each node ends with what is wanted of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from edgelite_hub.store.contract import Sample
from edgelite_protocol import messages as m
from edgelite_sim.world.hub import SimHub
from edgelite_sim.world.hub_faults import POINTS
from edgelite_sim.world.observer import Observer
from tests.sim.hub_nodes import ScriptedNode, Setting, metered, pod

NODES = 6
STEPS = 40


class Ledger(Observer):
    """What was stored, and what was acknowledged before it was stored."""

    def __init__(self) -> None:
        self.stored_values: dict[str, list[object]] = {}
        self.early: list[str] = []

    def stored(self, hub: str, samples: Sequence[Sample], now_ms: int) -> None:
        for sample in samples:
            self.stored_values.setdefault(sample.node, []).append(sample.value)

    def acknowledged(self, node: str, hub: str, lane: int, generation: int, sequence: int, now_ms: int) -> None:
        if lane == m.LANE_TELEMETRY and len(self.stored_values.get(node, [])) < sequence:
            self.early.append(f"{node}: {sequence} at {now_ms}")


class Life:
    def __init__(self, seed: int) -> None:
        self.ledger = Ledger()
        self.setting = Setting(seed, observers=[self.ledger])
        self.nodes = [metered(self.setting, f"n{number}") for number in range(NODES)]
        self.reported = dict.fromkeys((node.name for node in self.nodes), 0)
        self.wanted: dict[str, set[str]] = {node.name: {f"meter-{node.name}"} for node in self.nodes}
        self._pods = 0
        self.setting.run(1_000)

    def step(self) -> None:
        setting, draw = self.setting, self.setting.draw
        self._up()
        for node in self.nodes:
            if node.session is None:
                node.connect()
        act = draw.choice((self._report, self._report, self._report, self._want, self._unwant, self._cut, self._fail))
        act(draw.choice(self.nodes))
        if draw.random() < 0.5:
            number = setting.hub.transactions + draw.randrange(1, 12)
            setting.hub.crash_at(draw.choice(POINTS), number, operation=draw.randrange(1, 12))
        setting.hub.faults.store_ms = draw.choice((0, 1, 50, 900))
        setting.run(draw.choice((1, 50, 1_000, 30_000)))

    def _report(self, node: ScriptedNode) -> None:
        for one in self.nodes:
            if one is node or self.setting.draw.random() < 0.3:
                self.reported[one.name] += 1
                one.report(self.reported[one.name])

    def _want(self, node: ScriptedNode) -> None:
        self._pods += 1
        self.wanted[node.name].add(f"p{self._pods}")
        self._up().apply(pod(f"p{self._pods}", node.name))

    def _unwant(self, node: ScriptedNode) -> None:
        """A Device can go at once, and what it has measured still counts; a Pod would wait for its node's word."""
        if f"meter-{node.name}" in self.wanted[node.name]:
            self.wanted[node.name].discard(f"meter-{node.name}")
            self._up().delete("devices", f"meter-{node.name}")

    def _up(self) -> SimHub:
        if not self.setting.hub.is_up:
            self.setting.hub.start()
        return self.setting.hub

    def _cut(self, node: ScriptedNode) -> None:
        node.cut()

    def _fail(self, node: ScriptedNode) -> None:
        self.setting.hub.faults.store_error = "input/output error"
        self.setting.run(100)
        self.setting.hub.faults.store_error = ""

    def settle(self) -> None:
        """Faults are over."""
        self.setting.hub.faults.death, self.setting.hub.faults.store_ms = None, 1
        for _ in range(3):
            self._up()
            for node in self.nodes:
                if node.session is None:
                    node.connect()
            self.setting.run(10_000)


@pytest.mark.parametrize("seed", range(12))
def test_a_hub_that_dies_again_and_again_keeps_its_word(seed: int) -> None:
    life = Life(seed)
    for _ in range(STEPS):
        life.step()
    life.settle()
    assert life.ledger.early == []
    for node in life.nodes:
        count = life.reported[node.name]
        assert not node.waiting
        assert life.ledger.stored_values.get(node.name, []) == list(range(1, count + 1))
        assert {key.split("/")[1] for _, key in node.desired} == life.wanted[node.name]
