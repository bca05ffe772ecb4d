"""The faults of a simulated hub: where it dies, what it wakes up with, a store and a clock that go wrong."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from edgelite_hub.store.contract import Sample
from edgelite_protocol import messages as m
from edgelite_protocol.errors import MisuseError
from edgelite_sim.world.hub_faults import ANSWERED, BEFORE, COMMITTED, INSIDE, POINTS
from edgelite_sim.world.observer import Observer
from tests.sim.hub_nodes import ScriptedNode, Setting, metered, pod

DAY_MS = 86_400_000
METER = "default/meter-n1"


class Watch(Observer):
    def __init__(self) -> None:
        self.stored_values: list[object] = []
        self.acknowledgements: list[tuple[str, int]] = []
        self.told: list[str] = []
        self.logged: list[str] = []
        self.objects: list[tuple[str, str, bool]] = []
        self.wishes: list[tuple[str, str, bool]] = []

    def stored(self, hub: str, samples: Sequence[Sample], now_ms: int) -> None:
        self.stored_values += [sample.value for sample in samples]

    def acknowledged(self, node: str, hub: str, lane: int, generation: int, sequence: int, now_ms: int) -> None:
        if lane == m.LANE_TELEMETRY:
            self.acknowledgements.append((node, sequence))

    def hub(self, hub: str, what: str, now_ms: int) -> None:
        self.told.append(what)

    def log(self, hub: str, line: str, now_ms: int) -> None:
        self.logged.append(line)

    def changed(self, hub: str, resource: str, namespace: str, name: str, new: object, now_ms: int) -> None:
        self.objects.append((resource, name, new is not None))

    def wanted(self, hub: str, resource: str, namespace: str, name: str, new: object, now_ms: int) -> None:
        self.wishes.append((resource, name, new is not None))


def connected(watch: Watch | None = None, **options: int) -> tuple[Setting, ScriptedNode]:
    setting = Setting(observers=[watch] if watch is not None else [], **options)
    node = metered(setting, "n1")
    node.connect()
    setting.run()
    return setting, node


def values(setting: Setting) -> list[object]:
    return [sample.value for sample in setting.hub.samples(METER)]


# ---- deaths


@pytest.mark.parametrize("point", POINTS)
def test_a_hub_that_dies_around_a_commit_neither_loses_nor_doubles_a_report(point: str) -> None:
    watch = Watch()
    setting, node = connected(watch)
    setting.hub.crash_at(point)
    node.report(7)
    setting.run()
    assert not setting.hub.is_up
    assert node.session is None, "its connection went with it"
    assert values(setting) == ([7] if point in (COMMITTED, ANSWERED) else [])
    assert watch.stored_values == values(setting)
    assert bool(watch.acknowledgements) == (point == ANSWERED)
    assert node.waiting, "nothing reached the node"
    setting.hub.start()
    node.connect()
    setting.run()
    assert not node.waiting
    assert values(setting) == watch.stored_values == [7]
    assert watch.told == ["started", "crashed", "started"]


def test_a_death_inside_leaves_nothing_of_any_operation() -> None:
    reached = set()
    for operation in range(1, 40):
        setting, node = connected()
        before = setting.hub.store.revision()
        setting.hub.crash_at(INSIDE, operation=operation)
        node.report(7)
        setting.run()
        assert not setting.hub.is_up
        assert values(setting) == []
        assert setting.hub.store.revision() == before
        reached.add(setting.lines("dies")[0].rpartition(" ")[2])
    assert {"position", "get_meta", "get", "update", "add_samples", "set_position", "operation"} & reached >= {
        "position", "get", "update", "add_samples", "set_position", "operation"
    }  # fmt: skip


def test_a_hub_dies_at_the_transaction_that_was_named() -> None:
    setting, node = connected()
    setting.hub.crash_at(BEFORE, setting.hub.transactions + 3)
    node.report(1)
    setting.run()
    node.report(2)
    assert setting.hub.is_up
    setting.run()
    assert not setting.hub.is_up


def test_what_a_hub_kept_in_memory_alone_is_gone_and_the_rest_is_not() -> None:
    setting, node = connected()
    setting.hub.crash()
    setting.hub.start()
    assert setting.hub.process is not None and setting.hub.process.fleet.connected() == []
    setting.hub.apply(pod("p", "n1"))
    node.connect()
    setting.run()
    assert sorted(key.split("/")[1] for _, key in node.desired) == ["meter-n1", "p"]
    assert setting.lines("gets what it lacks")


def test_a_node_that_was_ready_and_stays_away_after_a_crash_is_called_so() -> None:
    setting, _ = connected()
    setting.hub.crash()
    setting.hub.start()
    setting.run(setting.hub.settings.return_window_ms + 1_000)
    node = setting.hub.get("nodes", "n1")
    assert node is not None
    assert node["status"]["conditions"][0]["reason"] == "NodeUnreachable"


def test_a_crash_point_that_there_is_not_is_refused() -> None:
    with pytest.raises(MisuseError, match="before, inside, committed, answered, not 'sometime'"):
        Setting().hub.crash_at("sometime")


def test_a_fleet_that_is_dropped_at_once_comes_back_and_sends_what_it_kept() -> None:
    setting = Setting()
    nodes = [metered(setting, f"n{number}") for number in range(60)]
    for node in nodes:
        node.connect()
    setting.run()
    for node in nodes:
        node.report(1)
    setting.hub.drop_links()
    setting.run()
    assert not any(node.session for node in nodes)
    assert setting.hub.process is not None and setting.hub.process.fleet.connected() == []
    for node in nodes:
        assert node.connect()
    setting.run()
    assert not any(node.waiting for node in nodes)
    assert [len(setting.hub.samples(f"default/meter-{node.name}")) for node in nodes] == [1] * 60


# ---- backups and other stores


def test_a_hub_restored_from_yesterday_names_what_it_has_lost_and_lets_the_node_go_on() -> None:
    setting, node = connected()
    node.report(1)
    setting.run()
    backup = setting.hub.backup()
    setting.run(DAY_MS)
    node.report(2)
    setting.run()
    setting.hub.apply(pod("p", "n1"))
    setting.run()
    held, revision = dict(node.desired), setting.hub.store.revision()
    assert len(held) == 2
    setting.hub.restore(backup)
    assert setting.hub.store.revision() > revision, "no watch may take it for the hub that was lost"
    assert values(setting) == [1]
    node.connect()
    setting.run()
    assert node.modes[-1] == m.MODE_DIVERGED
    assert node.gaps == [[m.LANE_TELEMETRY, 1, 1, 1, 2]]
    assert setting.lines("lost with an older store")
    assert node.desired == held, "it goes on with what it has until a person decides"
    setting.hub.apply(_adopt(setting))
    setting.run()
    assert [key for _, key in node.desired] == ["default/meter-n1"]


def _adopt(setting: Setting) -> dict[str, object]:
    value = setting.hub.get("nodes", "n1")
    assert value is not None
    metadata = {**value["metadata"], "annotations": {"edgelite.dev/adopt": "true"}, "resourceVersion": None}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {}}


def test_a_backup_stays_as_it_was() -> None:
    setting, node = connected()
    backup = setting.hub.backup()
    node.report(1)
    setting.hub.apply(pod("p", "n1"))
    setting.run()
    setting.hub.restore(backup)
    assert (values(setting), setting.hub.get("pods", "p")) == ([], None)
    setting.hub.apply(pod("q", "n1"))
    setting.hub.restore(backup)
    assert setting.hub.get("pods", "q") is None


def test_an_empty_hub_refuses_every_node_and_stops_none() -> None:
    setting, node = connected()
    held = dict(node.desired)
    setting.hub.empty()
    assert node.connect()
    setting.run()
    assert node.ends[-1] == "node_revoked"
    assert node.desired == held


def test_an_empty_hub_with_another_authority_is_no_hub_of_theirs() -> None:
    setting, node = connected()
    setting.hub.empty(keeps_authority=False)
    assert not node.connect()
    assert setting.node("n2").connect()


def test_two_hubs_on_copies_of_one_store_go_apart_without_harm() -> None:
    setting, node = connected()
    twin = setting.hub.twin()
    node.cut()
    node.hub = twin
    node.report(1)
    assert node.connect()
    setting.run()
    assert not node.waiting
    assert ([one.value for one in twin.samples(METER)], values(setting)) == ([1], [])
    twin.apply(pod("p", "n1"))
    assert setting.hub.get("pods", "p") is None
    setting.run()
    node.cut()
    node.hub = setting.hub
    node.connect()
    setting.run()
    assert node.modes[-1] == m.MODE_DIVERGED
    assert len(node.desired) == 2


# ---- a store and a clock that go wrong


def test_a_slow_store_delays_answers_and_loses_nothing() -> None:
    setting, node = connected()
    setting.hub.faults.store_ms = 5_000
    node.report(1)
    setting.run(4_999)
    assert node.waiting and not values(setting)
    setting.run(1)
    assert not node.waiting and values(setting) == [1]


def test_what_waits_for_a_slow_store_shares_the_next_commit() -> None:
    setting = Setting()
    nodes = [metered(setting, f"n{number}") for number in range(20)]
    for node in nodes:
        node.connect()
    setting.run()
    setting.hub.faults.store_ms = 5_000
    for node in nodes:
        node.report(1)
    setting.run(10_000)
    assert not any(node.waiting for node in nodes)


def test_a_store_that_cannot_be_written_ends_sessions_and_heals() -> None:
    setting, node = connected()
    setting.hub.faults.store_error = "no space left on device"
    node.report(1)
    setting.run()
    assert node.ends == ["hub_error"]
    assert setting.lines("the hub's own trouble ends it: no space left on device")
    setting.hub.faults.store_error = ""
    node.connect()
    setting.run()
    assert values(setting) == [1] and not node.waiting


def test_a_hub_whose_store_cannot_be_written_starts_once_it_can() -> None:
    setting, _ = connected()
    setting.hub.crash()
    setting.hub.faults.store_error = "no space left on device"
    setting.hub.start()
    setting.run(12_000)
    assert not setting.hub.is_up
    assert len(setting.lines("cannot start: no space left on device")) == 3
    setting.hub.faults.store_error = ""
    setting.run(5_000)
    assert setting.hub.is_up


def test_a_hub_that_cannot_start_and_is_stopped_stays_down() -> None:
    setting, _ = connected()
    setting.hub.crash()
    setting.hub.faults.store_error = "no space left on device"
    setting.hub.start()
    setting.hub.stop()
    setting.hub.faults.store_error = ""
    setting.run(60_000)
    assert not setting.hub.is_up


def test_what_a_stopped_hub_still_had_to_write_never_reaches_a_restored_store() -> None:
    setting, node = connected()
    backup = setting.hub.backup()
    setting.hub.faults.store_ms = 200
    node.report(1)
    setting.hub.stop()
    setting.hub.restore(backup)
    setting.run()
    assert values(setting) == []


def test_a_hub_whose_clock_is_set_back_beyond_1970_greets_from_there() -> None:
    setting, node = connected()
    setting.hub.set_clock(-61_855_074_995)
    assert setting.hub.unix_ms == 0
    node.cut()
    setting.run(60_000)
    node.connect()
    setting.run(60_000)
    assert setting.hub.unix_ms == 120_000


@pytest.mark.parametrize("unix_ms", [0, 4_000_000_000_000])
def test_a_hub_with_a_wrong_clock_takes_neither_workloads_nor_telemetry_away(unix_ms: int) -> None:
    setting, node = connected()
    setting.hub.apply(pod("p", "n1"))
    setting.run()
    held = dict(node.desired)
    node.report(4)
    setting.run(1_000)
    setting.hub.set_clock(unix_ms)
    setting.run(2 * 3_600_000)
    node.cut()
    setting.run(60_000)
    node.connect()
    setting.run(60_000)
    if node.ends[-1:] == ["certificate_expired"]:
        node.renew()
        setting.run()
        node.connect()
        setting.run()
    assert node.session is not None
    setting.hub.mend_clock()
    node.report(5)
    setting.run(2 * 3_600_000)
    assert node.desired == held
    assert sorted(map(str, values(setting))) == ["4", "5"], "nor telemetry from its store"


# ---- what is seen


def test_observers_hear_of_commits_wishes_and_lines() -> None:
    watch = Watch()
    setting, node = connected(watch)
    setting.hub.apply(pod("p", "n1"))
    setting.run()
    setting.hub.delete("pods", "p")
    setting.run()
    assert ("pods", "p", True) in watch.objects and ("nodes", "n1", True) in watch.objects
    assert watch.wishes[-2:] == [("pods", "p", True), ("pods", "p", False)]
    assert any("session open" in line for line in watch.logged)
    setting.hub.stop()
    setting.run()
    assert node.ends == ["hub_stopping"]
    assert watch.told == ["started", "stopped"]
