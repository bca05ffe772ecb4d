"""The hunt: its scenarios are sound and always the same, a planted bug is found, shrunk and replayed, and what was
found once stays mended."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mutations import MUTATIONS, Mutation

from edgelite_sim.faults import KINDS
from edgelite_sim.hunt import Found, Trial, read_found, shrink, swarm, try_scenario, write_found
from edgelite_sim.hunt.commands import hunt_main, replay_main
from edgelite_sim.hunt.hunting import Plan, hunt
from edgelite_sim.hunt.swarm import LASTING_MS, QUIET_MS
from edgelite_sim.hunt.trial import OF_THE_SIMULATOR, TOO_LONG
from edgelite_sim.scenario import check, to_toml
from edgelite_sim.scenario.model import FaultPart

SEEDS = range(1, 300)
HUNT_S = 60  # of every CI run
HUNTED = range(1, 121)  # what lies behind is for hunts that have more time
REGRESSIONS = sorted((Path(__file__).parent / "regressions").glob("*.toml"))


def mutation(name: str) -> Mutation:
    return next(one for one in MUTATIONS if one.name == name)


@pytest.fixture
def broken() -> Iterator[None]:
    """A hub that does not know what it has stored."""
    with mutation("hub notes no positions").applied():
        yield


def test_each_seed_is_a_sound_scenario_of_its_own() -> None:
    texts = set()
    for seed in SEEDS:
        scenario = swarm(seed)
        check(scenario)
        texts.add(to_toml(scenario))
    assert len(texts) == len(SEEDS)


def test_a_seed_is_always_the_same_scenario() -> None:
    program = "from edgelite_sim.hunt import swarm; from edgelite_sim.scenario import to_toml; print(to_toml(swarm(7)))"
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": salt},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for salt in ("1", "2")
    }
    assert told == {to_toml(swarm(7)) + "\n"}


def test_the_last_part_of_each_is_quiet() -> None:
    for seed in SEEDS:
        scenario = swarm(seed)
        for part in scenario.faults:
            ends = (part.at or 0) + int(part.parameters.get(KINDS[part.kind].lasts, 0))
            assert ends <= scenario.duration - QUIET_MS + LASTING_MS[0], (seed, part)


def test_every_kind_of_fault_comes_up() -> None:
    seen = {part.kind for seed in SEEDS for part in swarm(seed).faults}
    assert set(KINDS) - seen <= {"heal"}


def test_only_the_kinds_that_were_asked_for_come_up() -> None:
    seen = {part.kind for seed in range(1, 40) for part in swarm(seed, ["outage", "hub-crash"]).faults}
    assert seen <= {"outage", "hub-crash", "power-cut"}


@pytest.mark.timeout(120)
def test_a_planted_bug_is_found_shrunk_and_replayed(broken: None, tmp_path: Path) -> None:
    trial = Trial(0, {})
    for seed in range(1, 20):
        scenario = swarm(seed, ["outage", "hub-crash"])
        trial = try_scenario(scenario)
        if "nothing-is-stored-twice" in trial.failures:
            break
    assert "nothing-is-stored-twice" in trial.failures
    smallest, gave = shrink(scenario, trial, 30, "nothing-is-stored-twice")
    assert "nothing-is-stored-twice" in gave.failures
    assert len(to_toml(smallest)) < len(to_toml(scenario))
    assert smallest.duration < scenario.duration
    path = write_found(Found(smallest, trial.seed, gave.failures, gave.digest), tmp_path)
    again = try_scenario(read_found(path).scenario)
    assert again.failures == gave.failures
    assert again.digest == gave.digest == read_found(path).digest


def test_a_file_that_replays_says_what_holds_now(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = swarm(2, ["outage"])
    scenario.duration = 180_000
    scenario.faults = []
    scenario.changes = []
    path = write_found(Found(scenario, 2, {"nothing-is-stored-twice": "as it was"}, "0" * 64), tmp_path)
    assert replay_main([str(path)]) == 0
    said = capsys.readouterr().out
    assert "held    nothing-is-stored-twice" in said
    assert "all holds now" in said


def test_a_file_that_is_none_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "odd.toml"
    path.write_text("name = 3\n")
    assert replay_main([str(path)]) == 2
    assert "odd.toml" in capsys.readouterr().err
    assert replay_main([str(tmp_path / "none.toml")]) == 2


def test_wrong_options_are_refused_with_what_is_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--kinds", "meteor"], ["--time", "soon"], ["--seeds", "0"]):
        with pytest.raises(SystemExit) as raised:
            hunt_main(words)
        assert raised.value.code == 2
    assert "power-cut" in capsys.readouterr().err


def test_what_a_run_raises_is_a_failure_and_not_the_hunts_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(*_: object) -> None:
        raise RuntimeError("as planted")

    monkeypatch.setattr("edgelite_sim.hunt.trial.run", raises)
    assert "as planted" in try_scenario(swarm(1)).failures[OF_THE_SIMULATOR]


def test_a_run_without_an_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def spins(*_: object) -> None:
        while True:
            pass

    monkeypatch.setattr("edgelite_sim.hunt.trial.run", spins)
    assert TOO_LONG in try_scenario(swarm(1), cpu_s_max=1).failures


def test_shrinking_keeps_to_what_is_sound() -> None:
    """A fault whose target a smaller fleet has not is left out with it."""
    scenario = swarm(2, ["outage"])
    scenario.fleets[0].count = 4
    scenario.faults = [FaultPart(kind="outage", target=["node-4"], at=60_000, parameters={"for": 30_000})]
    smallest, _ = shrink(scenario, Trial(2, {"never": ""}), time_s=1)
    check(smallest)


@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: path.stem)
def test_what_was_found_stays_mended(path: Path) -> None:
    trial = try_scenario(read_found(path).scenario)
    assert trial.failures == {}


@pytest.mark.timeout(300)
def test_a_hunt_of_a_fixed_time_finds_nothing() -> None:
    """On all cores. What it finds is printed with its seed; `edgelite sim hunt --first SEED --seeds 1` has it again."""
    failed: list[Trial] = []
    plan = Plan(seeds=HUNTED, time_s=HUNT_S, shrink_s=1)
    tally = hunt(plan, failed.append, lambda found: None, lambda tally: None)
    assert failed == []
    assert tally.runs > 3
    assert tally.faults > 20
