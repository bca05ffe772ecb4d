"""Each invariant on hand-made sequences: one that keeps it, and those that break it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgelite.driver import ConfigurationError
from edgelite_hub.store.contract import Position, Sample
from edgelite_hub.store.memory import MemoryStore
from edgelite_sim.invariants import INVARIANTS, bounds_of, make, names
from edgelite_sim.invariants.invariant import VIOLATIONS_MAX
from edgelite_sim.invariants.objects import DEVICES, NODES, PODS
from edgelite_sim.invariants.replays import NAME as REPLAYS
from edgelite_sim.invariants.replays import SENTENCE, check_replay
from edgelite_sim.invariants.running import backoff_ms
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
    return {"metadata": {"name": name, "namespace": "default", **more}, "spec": spec}


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


# ---- the registry


def test_each_has_a_name_a_sentence_and_a_verdict() -> None:
    assert len(names()) == len(INVARIANTS) == 10
    for name in names():
        verdict = make(name).verdict()
        assert verdict.passed and verdict.name == name and verdict.sentence.endswith(".") and verdict.count == 0


def test_an_unknown_name_or_bound_is_told_with_what_there_is() -> None:
    with pytest.raises(ConfigurationError, match=r"nothing-is-stored-twice"):
        make("nothing-is-stored")
    with pytest.raises(ConfigurationError, match=r"has: slack_ms, boot_ms"):
        make("what-should-run-runs", slack=1)
    assert bounds_of("no-reconnect-storm") == ["window_ms"]


def test_the_documentation_has_each_name_with_its_sentence() -> None:
    text = (Path(__file__).parents[2] / "docs" / "invariants.md").read_text()
    folded = " ".join(text.split())
    for name, kind in INVARIANTS.items():
        assert f"## {name} " in folded and kind.sentence in folded, name
        for bound in bounds_of(name):
            assert f"`{bound}`" in text, (name, bound)
    assert f"## {REPLAYS} " in folded and SENTENCE in folded
    headings = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert sorted(headings) == sorted([*INVARIANTS, REPLAYS])


def test_violations_are_bounded_and_counted() -> None:
    invariant = make("nothing-is-stored-twice")
    read(invariant, 1)
    store(invariant, *[1] * 100)
    verdict = invariant.verdict()
    assert len(verdict.violations) == VIOLATIONS_MAX and verdict.count == 99


# ---- readings


@pytest.mark.parametrize("name", ["nothing-is-stored-twice", "order-per-device-holds"])
def test_what_is_stored_once_and_in_order_is_well(name: str) -> None:
    invariant = make(name)
    read(invariant, 1, 2, 3, 4)
    store(invariant, 1, 2)
    store(invariant, 4)  # 3 was lost, which is another's matter
    assert texts(invariant) == []


def test_a_reading_that_is_stored_again_is_told() -> None:
    invariant = make("nothing-is-stored-twice")
    read(invariant, 1, 2)
    store(invariant, 1, 2, 1)
    assert texts(invariant) == ["hub stored default/meter reads = 1 again; it was read once, at 0 ms"]


def test_a_value_that_comes_twice_may_be_stored_twice_and_no_more() -> None:
    invariant = make("nothing-is-stored-twice")
    read(invariant, 5, 5)
    store(invariant, 5, 5)
    assert texts(invariant) == []
    store(invariant, 5)
    assert len(texts(invariant)) == 1


def test_what_nobody_read_is_told() -> None:
    invariant = make("nothing-is-stored-twice")
    read(invariant, 1)
    store(invariant, 7)
    assert texts(invariant) == ["hub stored default/meter reads = 7, which the device never gave"]


def test_a_float_is_the_same_in_32_bits() -> None:
    invariant = make("nothing-is-stored-twice")
    read(invariant, 230.1)
    store(invariant, 230.10000610351562)
    assert texts(invariant) == []


def test_an_older_reading_behind_a_newer_one_is_told() -> None:
    invariant = make("order-per-device-holds")
    read(invariant, 1, 2, 3)
    store(invariant, 1, 3, 2)
    assert texts(invariant) == ["hub stored default/meter reads = 2, read at 0 ms, behind 3, read at 0 ms"]


@pytest.mark.parametrize("name", ["nothing-is-stored-twice", "order-per-device-holds"])
def test_a_restored_hub_may_get_again_what_it_forgot(name: str) -> None:
    invariant = make(name)
    invariant.begin(FakeWorld(1))  # type: ignore[arg-type]
    read(invariant, 1, 2, 3)
    store(invariant, 1, 2, 3)
    invariant.hub(HUB, "restored", 10)
    store(invariant, 2, 3)
    assert texts(invariant) == []
    store(invariant, 2)
    assert len(texts(invariant)) == (1 if name == "nothing-is-stored-twice" else 0)


def lost(*stored: Any, read_ms: int = 0, end_ms: int = HOUR, **bounds: Any) -> Any:
    """Readings 1, 2 and 3 at `read_ms`, of which the hub commits what is given."""
    invariant = make("nothing-acknowledged-is-lost", **bounds)
    world = FakeWorld(*stored)
    invariant.begin(world)  # type: ignore[arg-type]
    read(invariant, 1, 2, 3, at_ms=read_ms)
    store(invariant, *stored)
    return invariant, world


def test_what_is_all_stored_is_not_lost() -> None:
    invariant, world = lost(1, 2, 3)
    invariant.end(world, HOUR)
    assert texts(invariant) == []


def test_a_reading_that_never_arrives_is_told() -> None:
    invariant, world = lost(1, 3)
    invariant.end(world, HOUR)
    assert texts(invariant) == ["default/meter reads = 2, read at 0 ms, is in no hub's store"]


def test_a_reading_may_be_lost_within_the_commit_window_before_a_cut_and_not_sooner() -> None:
    for cut_ms, count in ((14_499, 0), (14_500, 1)):
        invariant, world = lost(1, 2, read_ms=10_000)
        invariant.power(NODE, False, "power cut", cut_ms)
        invariant.agent(NODE, False, "power cut", cut_ms)
        invariant.power(NODE, True, "on", cut_ms + 1)
        invariant.end(world, HOUR)
        assert len(texts(invariant)) == count, cut_ms


def test_nothing_is_asked_of_a_node_that_has_no_way_to_its_hub() -> None:
    invariant, world = lost(1)
    invariant.line(NODE, "silent", 5)
    invariant.end(world, HOUR)
    assert texts(invariant) == []
    invariant.line(NODE, "up", HOUR)
    invariant.end(world, HOUR + 389_999)
    assert texts(invariant) == []
    invariant.end(world, HOUR + 390_000)
    assert len(texts(invariant)) == 2


def test_what_a_quota_dropped_and_told_is_not_lost() -> None:
    invariant, world = lost(1)
    text = "2 reports of lane 1 were dropped by the quota of the node's outbox"
    node = {"metadata": {"name": NODE}, "status": {"conditions": [{"type": "ReportsDropped", "message": text}]}}
    invariant.changed(HUB, NODES, "", NODE, node, 10)
    invariant.changed(HUB, NODES, "", NODE, node, 11)  # the same word again counts once
    invariant.end(world, HOUR)
    assert texts(invariant) == []
    invariant, world = lost()
    invariant.changed(HUB, NODES, "", NODE, node, 10)
    invariant.end(world, HOUR)
    assert len(texts(invariant)) == 1  # three are missing, two were dropped


def test_what_a_device_holds_back_by_its_rules_is_not_lost() -> None:
    invariant = make("nothing-acknowledged-is-lost")
    spec = {"nodeName": NODE, "properties": [{"name": "reads", "deadband": 5}]}
    invariant.begin(FakeWorld())  # type: ignore[arg-type]
    metadata = {"name": "meter", "namespace": "default"}
    invariant.changed(HUB, DEVICES, "default", "meter", {"metadata": metadata, "spec": spec}, 0)
    read(invariant, 1, 2, 3)
    invariant.end(FakeWorld(), HOUR)  # type: ignore[arg-type]
    assert texts(invariant) == []


def test_a_crashed_hub_must_have_what_it_had_committed() -> None:
    invariant, world = lost(1, 2, 3)
    world.hubs[HUB].samples = lambda device, property: [sample(1)]
    invariant.hub(HUB, "crashed", 10)
    invariant.hub(HUB, "started", 20)
    assert texts(invariant) == ["hub had stored 2 readings of default/meter reads that are gone; the first is 2"]


def test_a_restored_hub_may_lack_what_it_names_as_a_gap() -> None:
    for names_gap in (True, False):
        invariant, world = lost(1, 2, 3)
        world.hubs[HUB].samples = lambda device, property: [sample(1)]
        invariant.hub(HUB, "restored", 10)
        if names_gap:
            line = f"node {NODE}: lost with an older store: lane 1, reports [1, 1] to [1, 3]"
            invariant.log(HUB, line, 20)
        invariant.end(world, HOUR)
        assert len(texts(invariant)) == (0 if names_gap else 2)


def test_the_words_for_a_gap_are_the_hub_s_own() -> None:
    source = (Path(__file__).parents[2] / "hub/edgelite_hub/nodes/hello_logic.py").read_text()
    assert 'f"lost with an older store: lane {row[0]}, reports {row[1:3]} to {row[3:5]}"' in source
    reports = (Path(__file__).parents[2] / "hub/edgelite_hub/nodes/reports.py").read_text()
    assert "reports of lane {lane} were dropped by the quota of the node's outbox" in reports
    assert "reports on device {key[:128]!r}, which is gone or none of its own" in reports


def test_an_acknowledgement_beyond_what_the_store_has_is_told() -> None:
    invariant, world = lost(1, 2, 3)
    invariant.acknowledged(NODE, HUB, 1, 1, 7, 5)
    lane = 1
    position = Position(1, 6)
    world.hubs[HUB].store.transact(lambda transaction: transaction.set_position(NODE, b"journal", lane, position))
    invariant.end(world, HOUR)
    assert texts(invariant) == ["hub acknowledged report (1, 7) of lane 1, and its store ends at (1, 6)"]


# ---- workloads


def running(policy: str = "Always") -> Any:
    invariant = make("what-should-run-runs")
    value = pod()
    value["spec"]["restartPolicy"] = policy
    invariant.changed(HUB, PODS, "default", "app", value, 0)
    invariant.unit(NODE, WORKLOAD, UNIT, "started", 0)
    return invariant


def test_the_documented_backoff() -> None:
    assert [backoff_ms(ends) for ends in (1, 2, 3, 4, 10, 11, 30)] == [0, 1000, 2000, 4000, 256_000, 300_000, 300_000]


def test_what_comes_back_in_time_runs() -> None:
    invariant = running()
    invariant.unit(NODE, WORKLOAD, UNIT, "exited 1", 700_000)
    invariant.gauges(NODE, {}, 700_001)
    invariant.unit(NODE, WORKLOAD, UNIT, "started", 700_100)
    invariant.gauges(NODE, {}, 900_000)
    assert texts(invariant) == []


def test_what_does_not_come_back_is_told_once() -> None:
    invariant = running()
    invariant.unit(NODE, WORKLOAD, UNIT, "exited 1", 700_000)
    for minute in range(10):
        invariant.gauges(NODE, {}, 700_000 + minute * MINUTE)
    assert texts(invariant) == ["default/app does not run: it had to by 790000 ms"]


def test_what_ended_well_need_not_run_again_under_another_policy() -> None:
    invariant = running("OnFailure")
    invariant.unit(NODE, WORKLOAD, UNIT, "exited 0", 700_000)
    invariant.gauges(NODE, {}, HOUR)
    assert texts(invariant) == []


def test_a_power_cut_gives_it_the_time_of_a_boot() -> None:
    invariant = running()
    invariant.unit(NODE, WORKLOAD, UNIT, "lost power", 1000)
    invariant.power(NODE, False, "power cut", 1000)
    invariant.agent(NODE, False, "power cut", 1000)
    invariant.gauges(NODE, {}, HOUR)
    invariant.power(NODE, True, "on", HOUR)
    invariant.agent(NODE, True, "start", HOUR + 15_000)
    invariant.gauges(NODE, {}, HOUR + MINUTE)
    assert texts(invariant) == []
    invariant.gauges(NODE, {}, HOUR + 5 * MINUTE)
    assert len(texts(invariant)) == 1


def test_what_is_started_while_it_runs_is_told() -> None:
    invariant = running()
    invariant.unit(NODE, WORKLOAD, UNIT, "started", 50)
    assert texts(invariant) == ["default/app was started at 0 ms, runs, and is started again"]


def test_a_stop_needs_an_order() -> None:
    invariant = make("nothing-is-removed-without-an-order")
    invariant.wanted(HUB, PODS, "default", "app", pod(), 0)
    invariant.unit(NODE, WORKLOAD, UNIT, "started", 100)
    invariant.unit(NODE, WORKLOAD, UNIT, "signalled 15", 200)
    told = "default/app, up since 100 ms, was signalled 15: nobody ordered anything"
    assert texts(invariant) == [told]
    invariant.unit(NODE, WORKLOAD, UNIT, "signalled 9", 300)  # the same stop
    assert texts(invariant) == [told]


@pytest.mark.parametrize(
    ("resource", "namespace", "name"),
    [(PODS, "default", "app"), ("daemonsets.apps", "default", "ap"), (NODES, "", NODE), ("configmaps", "default", "c")],
)
def test_a_person_s_change_is_an_order_for_one_stop(resource: str, namespace: str, name: str) -> None:
    invariant = make("nothing-is-removed-without-an-order")
    workload = "default/ap-p" if resource == "daemonsets.apps" else WORKLOAD
    invariant.wanted(HUB, resource, namespace, name, {}, 0)
    invariant.unit(NODE, workload, UNIT, "started", 100)
    invariant.wanted(HUB, resource, namespace, name, {}, 150)
    for round_ms in (200, 400):
        invariant.unit(NODE, workload, UNIT, "signalled 15", round_ms)
        invariant.unit(NODE, workload, UNIT, "exited 143", round_ms + 50)
        invariant.unit(NODE, workload, UNIT, "started", round_ms + 100)
    assert len(texts(invariant)) == 1


def desired(**more: Any) -> Any:
    invariant = make("desired-state-is-reached", **more)
    invariant.begin(FakeWorld())  # type: ignore[arg-type]
    invariant.changed(HUB, PODS, "default", "app", pod(), 1000)
    return invariant


def test_what_is_wanted_and_runs_is_reached() -> None:
    invariant = desired()
    invariant.unit(NODE, WORKLOAD, UNIT, "started", 2000)
    invariant.gauges(NODE, {}, HOUR)
    assert texts(invariant) == []


def test_what_was_never_started_is_told_after_the_bound() -> None:
    invariant = desired()
    invariant.gauges(NODE, {}, 600_999)
    assert texts(invariant) == []
    invariant.gauges(NODE, {}, 601_000)
    assert texts(invariant) == ["default/app was never started, wanted since 1000 ms"]


def test_a_fault_gives_it_the_bound_anew() -> None:
    invariant = desired()
    invariant.fault("outage", NODE, "", 500_000)
    invariant.gauges(NODE, {}, 1_099_999)
    assert texts(invariant) == []
    invariant.gauges(NODE, {}, 1_100_000)
    assert len(texts(invariant)) == 1


def test_what_runs_in_an_older_form_is_told() -> None:
    invariant = desired()
    invariant.unit(NODE, WORKLOAD, UNIT, "started", 2000)
    invariant.changed(HUB, PODS, "default", "app", pod(command="other"), 3000)
    invariant.gauges(NODE, {}, HOUR)
    assert texts(invariant) == ["default/app runs as it was before it was changed at 3000 ms"]


def test_what_runs_and_is_not_wanted_is_told() -> None:
    invariant = desired()
    invariant.unit(NODE, WORKLOAD, UNIT, "started", 2000)
    invariant.changed(HUB, PODS, "default", "app", None, 3000)
    invariant.gauges(NODE, {}, HOUR)
    assert texts(invariant) == ["default/app runs, and the hub does not want it there"]


def test_a_diverged_node_is_a_person_s_matter() -> None:
    invariant = desired()
    status = {"conditions": [{"type": "Diverged", "status": "True"}]}
    invariant.changed(HUB, NODES, "", NODE, {"metadata": {"name": NODE}, "status": status}, 0)
    invariant.gauges(NODE, {}, HOUR)
    assert texts(invariant) == []


def wish(text: str, **details: Any) -> dict[str, Any]:
    row = {"name": "limit", "desired": {"value": text, "metadata": {"timestamp": "1"} | details}}
    return {
        "metadata": {"name": "meter", "namespace": "default"},
        "spec": {"nodeName": NODE, "properties": [row]},
    }


def test_a_device_must_have_taken_what_is_desired() -> None:
    for value, count in ((30, 0), (29, 1)):
        invariant = make("desired-state-is-reached")
        invariant.begin(FakeWorld())  # type: ignore[arg-type]
        invariant.changed(HUB, DEVICES, "default", "meter", wish("30"), 0)
        invariant.answered(NODE, DEVICE, {"limit": value}, 1000)
        invariant.answered(NODE, DEVICE, {"limit": 12}, 2000)  # a hand at the device afterwards stands
        invariant.gauges(NODE, {}, HOUR)
        assert len(texts(invariant)) == count, value


def test_a_wish_that_expires_may_be_too_late() -> None:
    invariant = make("desired-state-is-reached")
    invariant.begin(FakeWorld())  # type: ignore[arg-type]
    invariant.changed(HUB, DEVICES, "default", "meter", wish("30", expiresAfterMs="5"), 0)
    invariant.gauges(NODE, {}, HOUR)
    assert texts(invariant) == []


def test_an_old_wish_that_is_written_over_a_hand_at_the_device_is_told() -> None:
    invariant = make("settled-wishes-rest")
    invariant.changed(HUB, DEVICES, "default", "meter", wish("30"), 0)
    for value in (0, 30, 12, 12):
        invariant.answered(NODE, DEVICE, {"limit": value}, 1000)
    assert texts(invariant) == []
    invariant.answered(NODE, DEVICE, {"limit": 30}, 2000)
    told = "default/meter limit was 30, then 12, and is 30 again: nobody desired it anew"
    assert texts(invariant) == [told]


def test_a_new_wish_may_be_written() -> None:
    invariant = make("settled-wishes-rest")
    for time in ("1", "2"):
        value = wish("30", timestamp=time)
        invariant.changed(HUB, DEVICES, "default", "meter", value, 0)
        for reading in (12, 30):
            invariant.answered(NODE, DEVICE, {"limit": reading}, 1000)
    assert texts(invariant) == []


# ---- bounds


def test_what_stays_within_its_bounds_is_well_and_what_does_not_is_told_once() -> None:
    invariant = make("bounds-hold")
    invariant.begin(FakeWorld())  # type: ignore[arg-type]
    allowed = (4 << 20) + 2 * (256 << 10)
    invariant.gauges(NODE, {"journal_bytes": allowed, "effects": 64}, 1)
    assert texts(invariant) == []
    for time_ms in (2, 3):
        invariant.gauges(NODE, {"journal_bytes": allowed + 1}, time_ms)
    assert len(texts(invariant)) == 1 and "journal_bytes is 4718593" in texts(invariant)[0]


def test_a_flash_that_is_worn_out_is_told() -> None:
    invariant = make("bounds-hold", flash_bytes_per_day_max=1000)
    invariant.flash(NODE, 900, 1, 10 * HOUR)
    invariant.flash(NODE, 900, 1, 30 * HOUR)
    assert texts(invariant) == []
    invariant.flash(NODE, 200, 1, 31 * HOUR)
    assert len(texts(invariant)) == 1


def test_backoff_s_own_attempts_are_no_storm() -> None:
    invariant = make("no-reconnect-storm")
    invariant.begin(FakeWorld())  # type: ignore[arg-type]
    invariant.agent(NODE, True, "start", 0)
    time_ms = 0
    for number in range(100):
        invariant.attempt(NODE, time_ms)
        time_ms += min(1000 << number, 300_000) // 2
    assert texts(invariant) == []


def test_a_node_that_tries_each_second_is_a_storm() -> None:
    invariant = make("no-reconnect-storm")
    invariant.begin(FakeWorld())  # type: ignore[arg-type]
    invariant.agent(NODE, True, "start", 0)
    for second in range(120):
        invariant.attempt(NODE, second * 1000)
    assert len(texts(invariant)) == 1


def test_a_fleet_that_comes_back_at_once_is_a_storm() -> None:
    for spread_ms, count in ((20, 0), (0, 1)):
        invariant = make("no-reconnect-storm")
        invariant.begin(FakeWorld())  # type: ignore[arg-type]
        for number in range(50):
            invariant.attempt(f"n{number}", number)  # the first of each, as they are switched on
        for number in range(50):
            invariant.attempt(f"n{number}", HOUR + number * spread_ms)
        assert len(texts(invariant)) == count


def test_an_agent_that_dies_of_its_own_code_is_told() -> None:
    invariant = make("nothing-raises")
    world = FakeWorld()
    invariant.end(world, 5)  # type: ignore[arg-type]
    assert texts(invariant) == []
    world.nodes[NODE].faults.append("Traceback ...\nTypeError: no such thing\n")
    invariant.end(world, 5)  # type: ignore[arg-type]
    assert texts(invariant) == ["TypeError: no such thing"]


# ---- two runs


def test_replays_agree_or_say_where_they_do_not() -> None:
    def run(second: str) -> Any:
        world = FakeWorld()
        world.trace.note(1, "n1", "connects")
        world.trace.note(2, "n1", second)
        return world

    assert check_replay(lambda: run("session live")).passed
    rounds = iter(["session live", "session lost"])
    verdict = check_replay(lambda: run(next(rounds)))
    assert not verdict.passed
    assert "'2 n1 session live' or '2 n1 session lost'" in verdict.violations[0].text
