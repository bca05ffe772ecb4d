"""Random histories of people, nodes, cuts and restarts on the real logic, against what must always hold:

a node that is connected and settled has exactly what a fresh compilation of the store gives
a report that was acknowledged is stored once, whatever was sent again
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edgelite_hub.compiler.compile import Compact, compile_workload, workload_key
from edgelite_hub.compiler.compile_device import compile_device, device_key
from edgelite_hub.compiler.compile_environment import CannotCompile
from edgelite_hub.model.objects import (
    ARTIFACTS,
    CONFIG_MAPS,
    DEVICE_MODELS,
    DEVICES,
    PODS,
    Object,
    is_terminating,
    node_of,
)
from edgelite_hub.store.contract import Sample, Transaction
from edgelite_protocol import messages as m
from tests.hub.hub_world import START_UNIX_MS, Node, World

Desired = dict[tuple[int, str], dict[int, Any]]

NODES = ("n1", "n2")
NAMES = st.sampled_from(["a", "b", "c"])
PLACES = st.sampled_from(["n1", "n2", ""])


class HubMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name))
        self.nodes = {name: self.world.join(name) for name in NODES}
        self.sent = dict.fromkeys(NODES, 0)
        self.acknowledged = dict.fromkeys(NODES, 0)
        for name in NODES:
            self.world.device_model()
            self.world.device("meter-" + name, name)
            self.nodes[name].connect()

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    # ---- people

    @rule(name=NAMES, node=PLACES, image=st.sampled_from(["host", "app:v1"]), source=st.booleans())
    def create_pod(self, name: str, node: str, image: str, source: bool) -> None:
        if self.world.get(PODS, name) is None:
            reference = {"configMapKeyRef": {"name": "settings", "key": "rate"}}
            self.world.pod(name, node, image, env=[{"name": "RATE", "valueFrom": reference}] if source else [])

    @rule(name=NAMES)
    def delete_pod(self, name: str) -> None:
        pod = self.world.get(PODS, name)
        if pod is not None and not is_terminating(pod):
            pod["metadata"].update({"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 1})
            self.world.put(PODS, pod)

    @rule(name=NAMES)
    def delete_pod_by_force(self, name: str) -> None:
        if self.world.get(PODS, name) is not None:
            self.world.delete(PODS, name)

    @rule(rate=st.integers(1, 3))
    def set_config_map(self, rate: int) -> None:
        self.world.config_map("settings", rate=str(rate))

    @rule()
    def delete_config_map(self) -> None:
        if self.world.get(CONFIG_MAPS, "settings") is not None:
            self.world.delete(CONFIG_MAPS, "settings")

    @rule(data=st.binary(min_size=1, max_size=3))
    def push(self, data: bytes) -> None:
        self.world.push("app", "v1", data)

    @rule(name=NAMES, node=st.sampled_from(NODES), desired=st.sampled_from(["", "1", "2"]))
    def put_device(self, name: str, node: str, desired: str) -> None:
        self.world.device(name, node, desired)

    @rule(name=NAMES)
    def delete_device(self, name: str) -> None:
        if self.world.get(DEVICES, name) is not None:
            self.world.delete(DEVICES, name)

    # ---- nodes and their links

    @rule(name=st.sampled_from(NODES))
    def cut(self, name: str) -> None:
        self.nodes[name].cut()

    @rule(name=st.sampled_from(NODES))
    def connect(self, name: str) -> None:
        self.nodes[name].connect()
        assert self.nodes[name].end == ""

    @rule(name=st.sampled_from(NODES), count=st.integers(1, 5), again=st.booleans())
    def report(self, name: str, count: int, again: bool) -> None:
        """`again`: the acknowledgement is lost, and after a reconnect the same reports are sent once more."""
        node = self.nodes[name]
        if node.session is None:
            return
        items = [self._sample(name, self.sent[name] + number) for number in range(1, count + 1)]
        node.report(m.LANE_TELEMETRY, *items)
        if again:
            node.connect()
            node.report(m.LANE_TELEMETRY, *items)
        self.sent[name] += count
        self.acknowledged[name] = max(sequence for lane, sequence in node.acknowledged() if lane == m.LANE_TELEMETRY)

    def _sample(self, name: str, sequence: int) -> tuple[int, dict[int, object]]:
        time = [START_UNIX_MS + sequence, m.TIME_UNIX]
        body = {m.REPORT: m.REPORT_TELEMETRY, m.TELEMETRY_DEVICE: f"default/meter-{name}", m.TELEMETRY_TIME: time}
        return sequence, {**body, m.TELEMETRY_VALUES: {"power": sequence}}

    @rule(name=st.sampled_from(NODES))
    def confirm_what_has_stopped(self, name: str) -> None:
        node = self.nodes[name]
        gone = [value for value in node.workloads().values() if value.get(m.WORKLOAD_TERMINATING)]
        if node.session is not None:
            for value in gone:
                self.state_sequence = getattr(self, "state_sequence", 0) + 1
                body = {m.REPORT: m.REPORT_WORKLOAD_GONE, 1: value[m.WORKLOAD_UID]}
                node.report(m.LANE_STATE, (self.state_sequence, body))

    # ---- the hub

    @rule()
    def restart_the_hub(self) -> None:
        for node in self.nodes.values():
            node.cut()
        old = self.world
        self.world = World(Path(self.folder.name), old.store)
        self.world.unix_ms, self.world.random_bytes = old.unix_ms, old.random_bytes
        self.world.nodes = list(self.nodes.values())
        for node in self.nodes.values():
            node.world = self.world

    @rule(keep=st.integers(1, 4))
    def compact(self, keep: int) -> None:
        for name in NODES:
            self.world.store.transact(partial(_compact, name, keep))

    # ---- what must hold

    @invariant()
    def connected_nodes_have_what_the_store_says(self) -> None:
        if not hasattr(self, "world"):
            return
        self.world.settle()
        for node in self.nodes.values():
            if node.session is not None:
                assert node.end == ""
                assert stripped(node.desired) == stripped(self._wanted(node))

    def _wanted(self, node: Node) -> Desired:
        """As a fresh compilation gives it; what cannot be compiled now stays as it was."""
        wanted: Desired = {}
        for pod in self.world.list(PODS):
            key = (m.KIND_WORKLOAD, workload_key(pod))
            if node_of(pod) == node.name:
                self._compile(node, wanted, key, partial(compile_workload, pod, self._lookup))
        for device in self.world.list(DEVICES):
            key = (m.KIND_DEVICE, device_key(device))
            if node_of(device) == node.name:
                self._compile(node, wanted, key, partial(compile_device, device, self._model))
        return wanted

    def _compile(self, node: Node, wanted: Desired, key: tuple[int, str], make: Callable[[], Compact]) -> None:
        try:
            wanted[key] = make()
        except CannotCompile:
            if key in node.desired:
                wanted[key] = node.desired[key]
        # A Terminating Pod keeps the form that its node has: what it names may have changed since.
        if wanted.get(key, {}).get(m.WORKLOAD_TERMINATING) and key[0] == m.KIND_WORKLOAD and key in node.desired:
            assert node.desired[key][m.WORKLOAD_TERMINATING] is True
            wanted[key] = node.desired[key]

    def _model(self, name: str) -> Object | None:
        found: Object | None = self.world.get(DEVICE_MODELS, name)
        return found

    def _lookup(self, resource: str, name: str) -> Object | None:
        found: Object | None = self.world.get(resource, name, "" if resource == ARTIFACTS else "default")
        return found

    @invariant()
    def acknowledged_reports_are_stored_once(self) -> None:
        if not hasattr(self, "world"):
            return
        for name in NODES:
            device = f"default/meter-{name}"
            found = self.world.store.read(partial(_samples, device))
            assert [sample.value for sample in found] == list(range(1, self.acknowledged[name] + 1))


def _compact(node: str, keep: int, transaction: Transaction) -> None:
    transaction.feed_compact(node, keep)


def _samples(device: str, transaction: Transaction) -> list[Sample]:
    return transaction.samples(device, None, None, None, 10_000)


def stripped(desired: Desired) -> Desired:
    """Without versions of desired values, which depend on the history."""
    found = {}
    for key, value in desired.items():
        rows = value.get(m.DEVICE_PROPERTIES) if key[0] == m.KIND_DEVICE else None
        if isinstance(rows, list):
            properties = [{k: v for k, v in row.items() if k != m.PROPERTY_DESIRED_VERSION} for row in rows]
            value = {**value, m.DEVICE_PROPERTIES: properties}
        found[key] = value
    return found


TestHubMachine = HubMachine.TestCase
TestHubMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
