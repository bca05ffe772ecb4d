"""Devices on the real journal: what they cost it, and what they find again in it."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "portable"))

from device_fakes import FakeDriver, device_map, property_row

from edgelite.clock import Clock
from edgelite.context import Context
from edgelite.devices import Devices
from edgelite.effects import Sync
from edgelite.journal import Journal, JournalLimits
from edgelite.outbox import Outbox
from edgelite_ports.testing import MemoryStorage
from edgelite_protocol import cbor, messages

KEY = "default/meter"
DAY_S = 86_400
SEEDS = itertools.count(1)


class Node:
    """Journal, outbox and devices of one run of an agent on `storage`; syncs complete at once."""

    def __init__(self, storage: MemoryStorage, holds: dict[str, Any]) -> None:
        self.storage = storage
        self.effects: list[Any] = []
        boot_id = bytes(16)
        seed = next(SEEDS)
        self.journal = Journal(storage, JournalLimits(), lambda count: bytes([seed] * count), self.effects.append)
        self.journal.open(0)
        outbox = Outbox(self.journal)
        context = Context(
            self.journal, self.effects.append, outbox.report, Clock(boot_id), lambda count: bytes(count), boot_id
        )
        self.driver = FakeDriver(holds)
        self.devices = Devices(context, lambda name: self.driver)

    def step(self, now_ms: int) -> None:
        self.devices.step(now_ms)
        self.journal.step(now_ms)
        for effect in self.effects:
            if isinstance(effect, Sync):
                self.storage.sync()
                self.journal.synced(effect.token, now_ms)
        self.effects.clear()

    def rows(self, lane: int) -> list[Any]:
        return [cbor.decode(body) for _, body in self.journal.reports(lane, None, 10_000)]


def test_a_day_within_the_deadband_writes_nothing() -> None:
    node = Node(MemoryStorage(), {"a": 20.0})
    row = property_row("a", "FLOAT", collect_ms=60_000, deadband=1.0)
    node.devices.set_desired(KEY, device_map([row]), 0)
    for second in range(0, 600, 1):
        node.step(1000 * second)
    at_rest = node.journal.statistics()
    for second in range(600, DAY_S, 60):
        node.driver.bus.holds["a"] = 20.0 + second % 2
        node.step(1000 * second)
    assert node.journal.statistics() == at_rest


def test_a_counter_s_reading_costs_one_report_in_the_journal() -> None:
    node = Node(MemoryStorage(), {"a": 0})
    node.devices.set_desired(KEY, device_map([property_row("a")]), 0)
    for second in range(100):
        node.driver.bus.holds["a"] = second
        node.step(1000 * second)
    node.step(200_000)
    values = [body[messages.TELEMETRY_VALUES]["a"] for body in node.rows(messages.LANE_TELEMETRY)]
    assert values[:100] == list(range(100))
    assert [body[messages.REPORT] for body in node.rows(messages.LANE_STATE)] == [
        messages.REPORT_TWIN,
        messages.REPORT_DEVICE,
    ]


def test_a_settled_value_is_found_again_after_a_power_cut() -> None:
    rows = [property_row("a", writable=True, desired="5", desired_version=3)]
    first = Node(MemoryStorage(), {"a": 1})
    first.devices.set_desired(KEY, device_map(rows), 0)
    for second in range(5):
        first.step(1000 * second)
    assert first.driver.bus.writes == [("a", 5)]
    second_run = Node(first.storage.cut(), {"a": 9})
    second_run.devices.set_desired(KEY, device_map(rows), 0)
    for second in range(5):
        second_run.step(1000 * second)
    assert second_run.driver.bus.writes == [], "somebody's change at the device was undone by a restart"
    versions = [
        body[messages.TWIN_VERSION]
        for node in (first, second_run)
        for body in node.rows(messages.LANE_STATE)
        if body[messages.REPORT] == messages.REPORT_TWIN
    ]
    assert versions == sorted(set(versions))
