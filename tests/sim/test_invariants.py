"""Each invariant on hand-made sequences: one that keeps it, and those that break it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from invariant_parts import DEVICE, HOUR, HUB, MINUTE, NODE, UNIT, WORKLOAD, FakeWorld, pod, read, store, texts

from edgelite.driver import ConfigurationError
from edgelite_sim.invariants import INVARIANTS, bounds_of, make, names
from edgelite_sim.invariants.conditions import Troubles
from edgelite_sim.invariants.invariant import VIOLATIONS_MAX
from edgelite_sim.invariants.objects import DEVICES, NODES, PODS
from edgelite_sim.invariants.replays import NAME as REPLAYS
from edgelite_sim.invariants.replays import SENTENCE, check_replay
from edgelite_sim.invariants.running import backoff_ms

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


def test_a_pod_that_took_its_name_says_nothing_of_the_one_before() -> None:
    invariant = running()
    invariant.unit(NODE, WORKLOAD, UNIT, "exited 0", 1000)
    another = pod()
    another["metadata"]["uid"] = "another"
    invariant.changed(HUB, "pods", "default", "app", another, 2000)
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
    if resource != NODES:  # which nobody applies to have one
        invariant.wanted(HUB, resource, namespace, name, {}, 0)
    invariant.unit(NODE, workload, UNIT, "started", 100)
    invariant.wanted(HUB, resource, namespace, name, {}, 150)
    for round_ms in (200, 400):
        invariant.unit(NODE, workload, UNIT, "signalled 15", round_ms)
        invariant.unit(NODE, workload, UNIT, "exited 143", round_ms + 50)
        invariant.unit(NODE, workload, UNIT, "started", round_ms + 100)
    assert len(texts(invariant)) == 1


def test_an_order_that_was_not_durable_is_obeyed_again() -> None:
    for is_failing in (True, False):
        invariant = make("nothing-is-removed-without-an-order")
        invariant.wanted(HUB, "pods", "default", "app", {}, 0)
        invariant.wanted(HUB, "pods", "default", "app", {}, 1000)
        if is_failing:
            invariant.fault("io-error", NODE, "of=sync", 500)
        for start_ms in (600, 100_000):
            invariant.unit(NODE, WORKLOAD, UNIT, "started", start_ms)
            invariant.unit(NODE, WORKLOAD, UNIT, "signalled 15", start_ms + 1000)
            invariant.unit(NODE, WORKLOAD, UNIT, "exited 143", start_ms + 1000)
            invariant.power(NODE, False, "power cut", 50_000)
            invariant.power(NODE, True, "on", 60_000)
        assert (texts(invariant) == []) is is_failing


def test_to_let_a_node_follow_another_hub_is_an_order() -> None:
    invariant = make("nothing-is-removed-without-an-order")
    invariant.unit(NODE, WORKLOAD, UNIT, "started", 100)
    invariant.wanted(HUB, NODES, "", NODE, {}, 150)
    invariant.unit(NODE, WORKLOAD, UNIT, "signalled 15", 200)
    assert texts(invariant) == []


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


def test_an_agent_that_was_stopped_is_waited_for() -> None:
    invariant = desired()
    invariant.agent(NODE, False, "stop", 2000)
    invariant.gauges(NODE, {}, HOUR)
    assert texts(invariant) == []
    invariant.agent(NODE, True, "start", HOUR)
    invariant.gauges(NODE, {}, HOUR + 599_999)
    assert texts(invariant) == []
    invariant.gauges(NODE, {}, HOUR + 600_000)
    assert len(texts(invariant)) == 1


def test_an_agent_that_ended_by_itself_is_not_waited_for() -> None:
    invariant = desired()
    invariant.agent(NODE, False, "crash", 2000)
    invariant.gauges(NODE, {}, 601_000)
    assert len(texts(invariant)) == 1


def test_two_faults_of_a_kind_are_over_with_the_last() -> None:
    troubles = Troubles("io-error")
    for kind, detail, now_ms, since_ms in (
        ("io-error", "of=sync", 10, 10),
        ("io-error", "of=write", 20, 10),
        ("heal", "io-error", 30, 10),
        ("heal", "io-error", 40, None),
        ("io-error", "of=sync", 50, 50),
    ):
        troubles.fault(kind, NODE, detail, now_ms)
        assert troubles.since_ms(NODE) == since_ms
    troubles.fault("io-error", NODE, "of=write", 60)
    troubles.end("io-error", NODE, 70)
    assert troubles.since_ms(NODE) is None


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
