"""Desired state against a model: any order of entries, cuts of link and power, compaction at the hub.

The model is the hub's own map. After everything has settled the node's journal holds exactly that; what was
acknowledged was durable at that moment; and a value that did not change was never told again.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from edgelite.desired import entry_key
from edgelite.journal import SPACE_DESIRED
from edgelite_protocol import cbor
from edgelite_protocol import messages as m

sys.path.insert(0, str(Path(__file__).parent / "portable"))
from node_fakes import FakeHub, NodeBench

KEYS = st.sampled_from(["default/a", "default/b", "default/c"])
KIND_OF_A_LATER_VERSION = 77


def device(key: str, generation: int) -> dict[int, object]:
    return {
        m.DEVICE_UID: "uid-" + key[-1],
        m.DEVICE_NAMESPACE: "default",
        m.DEVICE_NAME: key[-1],
        m.DEVICE_DRIVER: "modbus",
        m.DEVICE_PROTOCOL: {},
        m.DEVICE_PROPERTIES: [],
        m.DEVICE_GENERATION: generation,
    }


class CompactingHub(FakeHub):
    """A hub whose feed may have been compacted: then it sends a snapshot where a delta would do."""

    def __init__(self) -> None:
        super().__init__()
        self.compacted = False

    def _Hello(self, event: object, now_ms: int) -> None:
        hello = event.hello  # type: ignore[attr-defined]
        held = hello.get(m.HELLO_EPOCH)
        if self.compacted:
            hello.pop(m.HELLO_EPOCH, None)
        super()._Hello(event, now_ms)
        if held is not None:
            hello[m.HELLO_EPOCH] = held


class DesiredWalk(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.hub = CompactingHub()
        self.bench = NodeBench(hub=self.hub).open()
        self.watch()
        self.model: dict[str, bytes] = {}
        self.bench.run()

    def watch(self) -> None:
        """Keep what the devices are told, and compare it with what they were told before."""
        self.told: dict[str, object] = {}
        desired = self.bench.node._desired

        def apply(kind: int, key: str, value: object, _now_ms: int) -> None:
            assert self.told.get(entry_key(kind, key), "never") != value, "told twice"
            self.told[entry_key(kind, key)] = value

        desired._apply = apply  # type: ignore[assignment]
        desired.restore(False, self.bench.now_ms)

    @rule(key=KEYS, value=st.integers(0, 3))
    def put(self, key: str, value: int) -> None:
        form = device(key, value)
        self.hub.put(m.KIND_DEVICE, key, form)
        self.model[entry_key(m.KIND_DEVICE, key)] = cbor.encode(form)

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        self.hub.put(m.KIND_DEVICE, key, None)
        self.model.pop(entry_key(m.KIND_DEVICE, key), None)

    @rule(duration_ms=st.sampled_from([0, 50, 2000]))
    def run(self, duration_ms: int) -> None:
        self.bench.run(duration_ms)

    @rule(compacted=st.booleans())
    def drop_link(self, compacted: bool) -> None:
        self.hub.compacted = compacted
        if self.bench.channel is not None:
            self.bench.drop_link()

    @rule(power_cut=st.booleans())
    def restart(self, power_cut: bool) -> None:
        acknowledged = self.acknowledged()
        self.bench = self.bench.restarted(power_cut)
        self.watch()
        assert self.bench.node._desired.cursor.revision >= acknowledged

    def acknowledged(self) -> int:
        """The highest revision that an APPLIED or a hello has told."""
        applied = [revision for _, revision, _ in self.hub.applied]
        return max([0, *applied, *(int(hello[m.HELLO_REVISION]) for hello in self.hub.hellos)])

    @rule()
    def stall_the_card(self) -> None:
        self.bench.syncs_held = True

    @rule()
    def wake_the_card(self) -> None:
        self.bench.release_syncs()

    def teardown(self) -> None:
        if not hasattr(self, "bench"):
            return
        self.bench.release_syncs()
        self.bench.run(400_000 if self.bench.channel is None else 3000, step_ms=1000)
        journal = self.bench.node.journal
        assert {key: journal.get(SPACE_DESIRED, key) for key in journal.keys(SPACE_DESIRED)} == self.model
        assert {key for key, value in self.told.items() if value is not None} == set(self.model)
        if self.hub.feed:
            assert self.acknowledged() == len(self.hub.feed)


DesiredWalk.TestCase.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
test_desired_walk = DesiredWalk.TestCase


def test_an_entry_of_an_unknown_kind_moves_the_cursor_and_nothing_else() -> None:
    """A newer hub's kind: what this version doesn't know it can't do, and must not get stuck on."""
    from edgelite_protocol.events import Entry

    bench = NodeBench().open().run()
    bench.node._desired.entry(Entry(1, KIND_OF_A_LATER_VERSION, "default/x", {1: 2}, b"digest--"), bench.now_ms)
    assert bench.node._desired.cursor.revision == 1
    assert bench.node.journal.keys(SPACE_DESIRED) == []
