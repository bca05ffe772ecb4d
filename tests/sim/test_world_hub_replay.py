"""One seed gives one trace: in every process, and on every store."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from edgelite_hub.store.contract import Store
from edgelite_hub.store.sqlite import SqliteStore
from tests.sim.hub_nodes import ScriptedNode, Setting, metered, pod

NODES = 20
ROOT = Path(__file__).parents[2]
DAEMON_SET = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: everywhere}
spec:
  selector: {matchLabels: {app: everywhere}}
  template:
    metadata: {labels: {app: everywhere}}
    spec:
      runtimeClassName: process
      containers: [{name: main, image: host, command: [/bin/true]}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: words}
data: {greeting: hello}
---
apiVersion: edgelite.dev/v1
kind: JoinToken
metadata: {name: spare}
spec: {}
"""


def play(seed: int, store: Store | None = None) -> list[str]:
    """20 nodes through reports, storms, crashes, a slow store; the trace."""
    setting = Setting(seed, store=store)
    hub = setting.hub
    nodes = [metered(setting, f"n{number}") for number in range(NODES)]
    hub.apply(DAEMON_SET)
    for node in nodes:
        node.connect()
    setting.run(5_000)
    for turn in range(3):
        _report_all(setting, nodes)
        hub.faults.store_ms = (1, 0, 400)[turn]
        hub.crash_at(("inside", "committed", "answered")[turn], hub.transactions + 5, operation=4)
        for node in setting.draw.sample(nodes, 8):
            node.report(turn)
        setting.run(2_000)
        assert not hub.is_up
        hub.start()
        for node in setting.draw.sample(nodes, NODES):
            node.connect()
        hub.apply(pod(f"p{turn}", "n3"))
        setting.run(60_000)
    hub.delete("daemonsets", "everywhere")
    hub.delete("nodes", "n7")
    for node in nodes[:5]:
        node.cut()
    setting.run(700_000)
    assert all(len(hub.samples(f"default/meter-{node.name}")) >= 3 for node in nodes)
    return [*setting.trace.tail, setting.trace.digest]


def _report_all(setting: Setting, nodes: list[ScriptedNode]) -> None:
    for node in setting.draw.sample(nodes, len(nodes)):
        node.report(setting.draw.randrange(1_000))
    setting.run(3_000)


def test_another_order_of_hashes_gives_the_same_trace() -> None:
    traces = [_play_in_a_process(hash_seed) for hash_seed in ("1", "2")]
    assert len(traces[0]) > 300
    assert traces[0] == traces[1]


def _play_in_a_process(hash_seed: str) -> list[str]:
    code = "from tests.sim.test_world_hub_replay import play; print('\\n'.join(play(5)))"
    variables = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_another_seed_gives_another_trace() -> None:
    assert play(1)[-1] != play(2)[-1]


def test_both_stores_give_the_same_trace(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "hub.sqlite")
    try:
        assert play(3, store) == play(3)
    finally:
        store.close()
