"""Scenarios that run: every fault does what it says and ends, chance is replayed, and verdicts are told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgelite_sim import faults
from edgelite_sim.invariants import names as invariant_names
from edgelite_sim.scenario import (
    Result,
    Scenario,
    ScenarioError,
    build,
    figures,
    library,
    load,
    read_text,
    run,
    to_toml,
)
from edgelite_sim.scenario.figures import Figures
from edgelite_sim.scenario.running import Moment
from edgelite_sim.world.observer import Observer
from edgelite_sim.world.world import World

MINUTE_MS = 60_000
BASE = """name = "small"
duration = "30m"

[[fleet]]
name = "shop-{n}"
count = 2
profile = "lte"

[[device]]
name = "meter"
on = "all"
poll = "1m"
report = "each"
model = {kind = "modbus", unit = [{number = 1, range = [
  {name = "count", table = "input", address = 0, type = "uint32", value = {counter = "reads"}},
  {name = "limit", table = "holding", address = 0, values = [100]},
]}]}

[[workload]]
name = "till"
on = "all"
command = ["sim", "runs"]
"""
# What of a kind has to be given, and a target where "all" is not what is meant.
GIVEN = {
    "profile": "profile = 'gprs'",
    "heal": "",
    "hub-restore": "",
    "power-cut": "fates = 'torn'",
}


class Told(Observer):
    """What was seen, as words."""

    def __init__(self) -> None:
        self.faults: list[tuple[int, str, str]] = []
        self.lines: list[tuple[int, str, str]] = []
        self.hubs: list[tuple[int, str]] = []
        self.units: list[tuple[int, str, str]] = []
        self.power_of: list[tuple[int, str, bool]] = []

    def fault(self, kind: str, target: str, detail: str, now_ms: int) -> None:
        self.faults.append((now_ms, kind, target))

    def line(self, node: str, state: str, now_ms: int) -> None:
        self.lines.append((now_ms, node, state))

    def hub(self, hub: str, what: str, now_ms: int) -> None:
        self.hubs.append((now_ms, what))

    def unit(self, node: str, workload: str, unit: str, what: str, now_ms: int) -> None:
        self.units.append((now_ms, workload, what))

    def power(self, node: str, is_on: bool, why: str, now_ms: int) -> None:
        self.power_of.append((now_ms, node, is_on))


def small(addition: str = "", base: str = BASE) -> Scenario:
    return read_text(base + "\n" + addition, "small.toml")


def ran(addition: str = "", seed: int | None = None) -> tuple[Result, Told]:
    told = Told()
    return run(small(addition), seed, [told]), told


@pytest.mark.parametrize("name", faults.KINDS)
def test_each_kind_of_fault_happens_and_the_world_recovers(name: str) -> None:
    kind = faults.KINDS[name]
    lasting = "for = '90s'\n" if kind.has_duration else ""
    before = {
        "heal": "[[fault]]\nkind = 'outage'\nat = '9m'\ntarget = 'all'\n",
        "hub-restore": "[[fault]]\nkind = 'hub-backup'\nat = '9m'\n",
    }
    addition = f"[[fault]]\nkind = '{name}'\nat = '10m'\ntarget = 'all'\n{lasting}{GIVEN.get(name, '')}\n"
    result, told = ran(before.get(name, "") + addition)
    struck = {target for _, what, target in told.faults if what == name}
    expected = {"hub": 1}.get(kind.target, 2)
    assert len(struck) == expected
    assert result.refusals == ()
    assert [one.violation for one in result.checked if one.name == "nothing-raises" and not one.passed] == []
    if name not in ("hub-empty", "hub-restore", "hub-twin"):  # a person has to adopt
        assert result.figures["live_since"] < 30 * MINUTE_MS


def test_one_seed_is_one_trace_and_another_seed_is_another() -> None:
    addition = "[[fault]]\nkind = 'outage'\nper_hour = 6\ntarget = 'all'\nfor = '5s..90s'\n"
    first, again, other = (ran(addition, seed)[0] for seed in (3, 3, 4))
    assert (first.digest, first.trace_lines) == (again.digest, again.trace_lines)
    assert first.digest != other.digest
    assert first.faults["outage"] > 0


def test_another_process_with_other_hashes_has_the_same_trace(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(BASE + "[[fault]]\nkind = 'power-cut'\nper_hour = 6\ntarget = 'all'\n")
    told = set()
    for hashes in ("1", "2"):
        command = [sys.executable, "-m", "edgelite_cli", "sim", "run", "--quiet", str(path)]
        environment = {**os.environ, "PYTHONHASHSEED": hashes}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=True)
        told.add(done.stdout)
    assert len(told) == 1


def test_a_written_scenario_replays_to_the_same_trace() -> None:
    scenario = small("[[fault]]\nkind = 'power-cut'\nevery = '9m'\nfrom = '5m'\ntarget = '1 random'\n")
    assert run(scenario).digest == run(read_text(to_toml(scenario), "again.toml")).digest


def test_a_fault_more_does_not_move_the_others() -> None:
    chance = "[[fault]]\nkind = 'outage'\nper_hour = 6\ntarget = 'all'\nfor = '5s..90s'\n"
    other = "[[fault]]\nkind = 'agent-crash'\nper_hour = 4\ntarget = 'shop-1'\n"

    def outages(told: Told) -> list[tuple[int, str, str]]:
        return [one for one in told.faults if one[1] == "outage"]

    alone = outages(ran(chance)[1])
    assert alone == outages(ran(other + chance)[1])
    assert {at_ms for at_ms, _, node in alone if node == "shop-1"}.isdisjoint(
        at_ms for at_ms, _, node in alone if node == "shop-2"
    )
    assert len({node for _, _, node in alone}) == 2


def test_outages_that_overlap_end_with_the_last_of_them() -> None:
    addition = """[[fault]]
kind = "outage"
target = "shop-1"
at = "10m"
for = "10m"
[[fault]]
kind = "outage"
how = "refused"
target = "shop-1"
at = "12m"
for = "3m"
"""
    lines = [(at_ms // MINUTE_MS, state) for at_ms, node, state in ran(addition)[1].lines if node == "shop-1"]
    assert lines[-4:] == [(10, "silent"), (12, "refused"), (15, "silent"), (20, "up")]


class Flash(Observer):
    """What fails of shop-1's flash and what is wrong with its meter, each minute."""

    def __init__(self) -> None:
        self.world: World | None = None
        self.failing: dict[int, set[str]] = {}
        self.wrong: dict[int, set[str]] = {}

    def begin(self, world: World) -> None:
        self.world = world

    def gauges(self, node: str, gauges: dict[str, int], now_ms: int) -> None:
        assert self.world is not None
        flash = self.world.nodes["shop-1"].flash
        fails = {"read": flash.reads_fail, "write": flash.writes_fail, "sync": flash.syncs_fail}
        meter = self.world.devices["shop-1", "default/meter-shop-1"].source
        self.failing[now_ms // MINUTE_MS] = {kind for kind, text in fails.items() if text}
        self.wrong[now_ms // MINUTE_MS] = {kind for kind, _ in meter.condition.active}


def fault(kind: str, target: str, at: str, lasts: str, more: str = "") -> str:
    return f"[[fault]]\nkind = '{kind}'\ntarget = '{target}'\nat = '{at}'\n{lasts}\n{more}\n"


def test_flash_errors_that_overlap_end_each_by_itself() -> None:
    seen = Flash()
    syncs = fault("io-error", "shop-1", "10m10s", "for = '10m'", "of = 'sync'")
    writes = fault("io-error", "shop-1", "12m10s", "for = '3m'", "of = 'write'")
    again = fault("io-error", "shop-1", "13m10s", "for = '1m'", "of = 'write'")
    run(small(syncs + writes + again), None, [seen])
    assert [seen.failing[minute] for minute in (9, 11, 13, 14, 17, 22)] == [
        set(),
        {"sync"},
        {"sync", "write"},
        {"sync", "write"},
        {"sync"},
        set(),
    ]


def test_faults_of_a_device_that_overlap_end_each_by_itself() -> None:
    seen = Flash()
    restart = fault("device-restart", "meter@shop-1", "9m10s", "boot = '2s'")
    dead = fault("device-dead", "meter@shop-1", "10m10s", "for = '10m'")
    refused = fault("device-exceptions", "meter@shop-1", "12m10s", "for = '3m'")
    run(small(restart + dead + refused), None, [seen])
    assert [seen.wrong[minute] for minute in (9, 11, 13, 17, 22)] == [
        set(),
        {"dead"},
        {"dead", "exceptions"},
        {"dead"},
        set(),
    ]


def test_a_device_that_restarts_is_told_to_be_back() -> None:
    told = ran(fault("device-restart", "meter@shop-1", "9m", "boot = '20s'"))[1].faults
    assert [(at_ms, kind) for at_ms, kind, _ in told] == [(540_000, "device-restart"), (560_000, "heal")]


def test_a_heal_ends_what_has_no_end() -> None:
    addition = """[[fault]]
kind = "outage"
target = "all"
at = "10m"
[[fault]]
kind = "heal"
target = "shop-2"
at = "20m"
"""
    last = {node: (at_ms // MINUTE_MS, state) for at_ms, node, state in ran(addition)[1].lines}
    assert last == {"shop-1": (10, "silent"), "shop-2": (20, "up")}


def test_a_heal_leaves_what_has_an_end_of_its_own() -> None:
    addition = """[[fault]]
kind = "outage"
target = "shop-1"
at = "10m"
[[fault]]
kind = "outage"
how = "dns"
target = "shop-1"
at = "12m"
for = "10m"
[[fault]]
kind = "heal"
target = "shop-1"
at = "15m"
"""
    lines = [(at_ms // MINUTE_MS, state) for at_ms, node, state in ran(addition)[1].lines if node == "shop-1"]
    assert lines[-3:] == [(10, "silent"), (12, "dns"), (22, "up")]


def test_power_that_fails_twice_comes_back_once() -> None:
    addition = """[[fault]]
kind = "power-cut"
target = "shop-1"
at = "10m"
for = "10m"
[[fault]]
kind = "power-cut"
target = "shop-1"
at = "12m"
for = "2m"
"""
    power = [(at_ms // MINUTE_MS, is_on) for at_ms, node, is_on in ran(addition)[1].power_of if node == "shop-1"]
    assert power == [(0, True), (10, False), (20, True)]


def test_a_hub_that_is_stopped_while_it_is_down_stays_down() -> None:
    addition = """[[fault]]
kind = "hub-crash"
at = "10m"
for = "5m"
[[fault]]
kind = "hub-stop"
at = "12m"
for = "10m"
"""
    hubs = [(at_ms // MINUTE_MS, what) for at_ms, what in ran(addition)[1].hubs]
    assert hubs == [(0, "started"), (10, "crashed"), (22, "started")]


def test_a_spread_hits_each_target_at_its_own_time() -> None:
    told = ran("[[fault]]\nkind = 'agent-crash'\ntarget = 'all'\nat = '10m'\nspread = '10m'\n")[1]
    times = [at_ms for at_ms, kind, _ in told.faults if kind == "agent-crash"]
    assert len(set(times)) == 2
    assert all(10 * MINUTE_MS <= at_ms < 20 * MINUTE_MS for at_ms in times)


def test_changes_reach_devices_and_workloads() -> None:
    addition = """[[change]]
at = "10m"
device = "meter@shop-1"
property = "limit"
value = 60
[[change]]
at = "15m"
workload = "till@shop-2"
command = ["sim", "ends-slowly"]
[[change]]
at = "20m"
delete = "pods/till-shop-1"
"""
    scenario = small(addition)
    world = build(scenario)
    told = Told()
    world.observers.append(told)
    world.run(scenario.duration)
    world.end()
    twins = world.hubs["hub"].get("devices", "meter-shop-1")["status"]["twins"]  # type: ignore[index]
    limit = next(one for one in twins if one["propertyName"] == "limit")
    assert limit["reported"]["value"] == "60"
    first = [(at_ms // MINUTE_MS, what) for at_ms, workload, what in told.units if workload == "default/till-shop-1"]
    second = [what for _, workload, what in told.units if workload == "default/till-shop-2"]
    assert first[-1][0] == 20 and first[-1][1].startswith("exited")
    assert second[0] == second[-1] == "started" and second.count("started") == 2
    assert world.hubs["hub"].get("pods", "till-shop-1") is None


def test_a_change_waits_for_a_hub_that_is_down_and_a_refused_one_is_told() -> None:
    addition = """[[fault]]
kind = "hub-stop"
at = "9m"
for = "5m"
[[change]]
at = "10m"
delete = "pods/till-shop-1"
[[change]]
at = "20m"
delete = "pods/nobody"
"""
    scenario = small(addition)
    told = Told()
    result = run(scenario, None, [told])
    ended = [(at_ms > 14 * MINUTE_MS, workload) for at_ms, workload, what in told.units if what.startswith("exited")]
    assert ended == [(True, "default/till-shop-1")]
    assert len(result.refusals) == 1
    assert "nobody" in result.refusals[0]


def test_what_a_hub_refuses_at_the_start_is_told() -> None:
    with pytest.raises(ScenarioError, match="refuses"):
        run(small(base=BASE.replace('name = "till"', 'name = "Till"')))


def test_expectations_are_held_against_figures() -> None:
    good = """[[expect]]
figure = "polls"
at_least = 50
[[expect]]
figure = "live"
at = "25m"
nodes = "shop-1"
at_least = 1
"""
    bad = """[[expect]]
figure = "wire_bytes_per_node_day"
at_most = "1 kB"
"""
    assert [(one.text, one.passed) for one in ran(good)[0].expectations] == [
        ("polls at least 50", True),
        ("live at 25m of shop-1 at least 1", True),
    ]
    failed = ran(bad)[0]
    assert not failed.passed
    assert failed.expectations[0].text == "wire_bytes_per_node_day at most 1 kB"
    assert "kB" in failed.expectations[0].found or "MB" in failed.expectations[0].found


@pytest.mark.parametrize(
    ("course", "restarts"),
    [
        (["started"], 0),
        (["started", "killed", "started"], 1),
        (["started", "signalled 15", "exited 143", "started"], 1),
        (["started", "lost power", "started"], 0),
        (["started", "signalled 15", "lost power", "started"], 0),
        (["started", "lost power", "signalled 15", "started"], 0),
    ],
)
def test_restarts_are_counted_but_for_those_after_a_loss_of_power(course: list[str], restarts: int) -> None:
    counted = Figures()
    for what in course:
        counted.unit("a", "default/till-a", "unit", what, 0)
    assert figures.everything(counted, ["a"])["restarts"] == restarts


def test_figures_of_time() -> None:
    counted = Figures()
    for at_ms, is_live in ((10, True), (40, False), (60, True)):
        counted.session("a", is_live, "", at_ms)
    counted.gauges("a", {"reports_waiting": 7}, 20)
    counted.gauges("a", {"reports_waiting": 0}, 80)
    counted.now_ms = 100
    found = figures.everything(counted, ["a"])
    assert (found["live_share"], found["live_since"]) == (0.7, 60)
    assert (found["backlog_max"], found["backlog_end"], found["backlog_empty_at"]) == (7, 0, 80)
    live = figures.FIGURES["live"]
    assert [live.compute(figures.Asked(counted, ("a",), at_ms)) for at_ms in (0, 10, 39, 40, 99)] == [0, 1, 1, 0, 1]
    counted.gauges("a", {"reports_waiting": 3}, 90)
    assert figures.everything(counted, ["a"])["backlog_empty_at"] == figures.NEVER


def test_what_is_delivered_is_counted_by_news() -> None:
    counted = Figures()
    for value in (1, 1, 2, 2, 3):
        counted.answered("a", "default/m", {"p": value}, 0)
    assert figures.everything(counted, ["a"])["delivered"] == 0
    counted.stored("hub", [sample(1), sample(2), sample(2)], 0)
    assert figures.everything(counted, ["a"])["delivered"] == pytest.approx(2 / 3)


def sample(value: int) -> Any:
    return SimpleNamespace(node="a", device="default/m", property="p", value=value)


def test_an_invariant_that_fails_is_told_with_its_time() -> None:
    addition = "[invariants]\nbounds-hold = {effects_max = 0}\nno-reconnect-storm = false\n"
    result = ran("[[fault]]\nkind = 'agent-crash'\nat = '10m'\ntarget = 'all'\n" + addition)[0]
    assert [one.name for one in result.checked] == [name for name in invariant_names() if name != "no-reconnect-storm"]
    failed = [one for one in result.checked if not one.passed]
    assert [one.name for one in failed] in ([], ["bounds-hold"])
    strict = ran("[invariants]\nbounds-hold = {flash_bytes_per_day_max = '1 kB'}\n")[0]
    (wear,) = [one for one in strict.checked if not one.passed]
    assert (wear.name, strict.passed) == ("bounds-hold", False)
    assert wear.time_ms is not None and "1000" in wear.violation


def test_a_run_that_ends_sooner_asks_no_expectation() -> None:
    moments: list[Moment] = []
    scenario = small("[[expect]]\nfigure = 'polls'\nat_least = 1000000\n")
    result = run(scenario, until_ms=5 * MINUTE_MS, told=moments.append)
    assert (result.span_ms, result.expectations, result.passed) == (5 * MINUTE_MS, (), True)
    assert moments[-1].now_ms == 5 * MINUTE_MS
    assert 0 < result.figures["polls"] < 30


# How far each is run here, to what its story is about; `edgelite sim run` runs them to their ends.
UNTIL_H = {
    "container-ship": 356.0,
    "factory-dying-switch": 2.4,
    "flash-filling-up": 54.0,
    "fleet-wide-reboot": 0.7,
    "hub-restored-from-yesterday": 41.0,
    "rolling-upgrade-through-outages": 5.0,
    "solar-park-gprs": 14.0,
    "supermarket-storm-night": 4.0,
    "train-line": 6.0,
    "two-hubs-by-mistake": 6.0,
    "year-without-rtc": 24.0 * 60,
}


def test_each_scenario_of_the_library_has_its_row() -> None:
    assert sorted(UNTIL_H) == library.names()


@pytest.mark.parametrize("name", library.names())
def test_a_scenario_of_the_library_holds(name: str) -> None:
    scenario = load(name)
    until_ms = min(scenario.duration, int(UNTIL_H[name] * 3_600_000))
    result = run(scenario, until_ms=until_ms)
    assert [f"{one.name}: {one.violation}" for one in result.checked if not one.passed] == []
    assert [f"{one.text}: {one.found}" for one in result.expectations if not one.passed] == []
    assert result.refusals == ()


def test_a_scenario_is_found_wherever_it_is_called_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load("train-line").nodes()[0] == "train-1"
