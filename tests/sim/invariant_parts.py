"""Hand-made observations for the tests of invariants, and as much of a world as invariants look at."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from edgelite_hub.store.contract import Sample
from edgelite_hub.store.memory import MemoryStore
from edgelite_sim.world.trace import Trace

MINUTE = 60_000
HOUR = 60 * MINUTE
NODE, HUB, DEVICE = "n1", "hub", "default/meter"
WORKLOAD, UNIT = "default/app", "uid/main"


def sample(value: Any, time_ms: int = 0) -> Sample:
    return Sample(NODE, DEVICE, "reads", time_ms, value, 1)


def read(invariant: Any, *values: Any, at_ms: int = 0) -> None:
    for value in values:
        invariant.answered(NODE, DEVICE, {"reads": value}, at_ms)


def store(invariant: Any, *values: Any, at_ms: int = 0) -> None:
    invariant.stored(HUB, [sample(value) for value in values], at_ms)


def pod(name: str = "app", node: str = NODE, command: str = "run", **more: Any) -> dict[str, Any]:
    spec = {"nodeName": node, "containers": [{"name": "main", "image": "host", "command": [command]}]}
    return {"metadata": {"name": name, "uid": "uid", "namespace": "default", **more}, "spec": spec}


def texts(invariant: Any) -> list[str]:
    verdict = invariant.verdict()
    assert verdict.passed is (verdict.count == 0)
    return [violation.text for violation in verdict.violations]


class FakeWorld:
    """As much of a world as invariants look at."""

    def __init__(self, *stored: Any) -> None:
        samples = [sample(value) for value in stored]
        settings = SimpleNamespace(telemetry_retention_ms=7 * 24 * HOUR, maintenance_ms=10 * MINUTE)
        self.start_unix_ms = 0
        hub = SimpleNamespace(
            is_up=True, unix_ms=0, name=HUB, samples=lambda device, property: samples, settings=settings
        )
        hub.store, hub.process, hub.list = MemoryStore(), None, lambda resource: []
        config = SimpleNamespace(group_window_ms=1000, backoff_base_ms=1000, backoff_cap_ms=300_000)
        config.session_lasted_ms, config.journal_bytes_max, config.segment_bytes = 60_000, 4 << 20, 256 << 10
        node = SimpleNamespace(is_on=True, link=SimpleNamespace(state="up"), config=config, faults=[], hangs=False)
        self.hubs: dict[str, Any] = {HUB: hub}
        self.nodes: dict[str, Any] = {NODE: node}
        self.trace = Trace()
        self.now_ms = 0

    def hub_of(self, node: str) -> Any:
        return self.hubs[HUB]
