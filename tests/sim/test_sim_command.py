"""`edgelite sim`: what a person types, sees, and gets for an exit code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgelite_sim import commands, faults, invariants
from edgelite_sim.commands import COMMANDS, SECTIONS, main
from edgelite_sim.commands.progress import Live, rows
from edgelite_sim.network import profile as profiles
from edgelite_sim.scenario import library, read_text, run
from edgelite_sim.scenario.running import Moment

TINY = """name = "tiny"
description = "one node"
duration = "10m"

[[fleet]]
name = "a"

[[fault]]
kind = "outage"
target = "a"
at = "2m"
for = "20s"
"""

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def test_every_command_is_in_one_section() -> None:
    assert sorted(name for _, names in SECTIONS for name in names) == sorted(COMMANDS)


def test_the_overview_names_every_command(capsys: Captured) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(f"  {name} " in told for name in COMMANDS)
    assert main([]) == 2


def test_an_unknown_command_is_told_with_the_nearest(capsys: Captured) -> None:
    assert main(["rnu"]) == 2
    assert "did you mean `edgelite sim run`?" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(name: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"edgelite sim {name}" in capsys.readouterr().out


def test_a_run_tells_figures_verdicts_and_its_hash(tiny: Path, capsys: Captured) -> None:
    assert main(["run", str(tiny)]) == 0
    first = capsys.readouterr()
    assert "nodes up" in first.err
    assert re.search(r"^trace [0-9a-f]{64} ", first.out, re.MULTILINE)
    assert "held    nothing-is-stored-twice" in first.out
    assert "1 outage" in first.out
    assert first.out.endswith("PASSED\n")
    main(["run", str(tiny)])
    hashes = [re.search("trace [0-9a-f]{64}", one) for one in (first.out, capsys.readouterr().out)]
    assert hashes[0] and hashes[1] and hashes[0][0] == hashes[1][0]


def test_a_quiet_run_is_a_line(tiny: Path, capsys: Captured) -> None:
    assert main(["run", "--quiet", "--seed", "7", str(tiny), str(tiny)]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert re.fullmatch(r"(tiny, seed 7, trace [0-9a-f]{64}: PASSED\n){2}", told.out)


def test_an_expectation_that_fails_is_exit_code_1(tiny: Path, capsys: Captured) -> None:
    tiny.write_text(TINY + '[[expect]]\nfigure = "polls"\nat_least = 1\n')
    assert main(["run", "--quiet", str(tiny)]) == 1
    told = capsys.readouterr().out
    assert "FAILED  polls at least 1: 0" in told
    assert "held" not in told


def test_a_scenario_that_is_wrong_is_exit_code_2(tiny: Path, capsys: Captured) -> None:
    tiny.write_text(TINY + '[[expect]]\nfigure = "pols"\nat_least = 1\n')
    assert main(["run", str(tiny)]) == 2
    assert re.search(r"tiny\.toml:14: .*did you mean 'polls'\?", capsys.readouterr().err)
    assert main(["check", str(tiny), "train-line"]) == 2
    told = capsys.readouterr()
    assert "tiny.toml:14:" in told.err
    assert "train-line: good: 3 nodes" in told.out
    assert main(["run", "no-such-scenario"]) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--until", "soon"], "90s"),
        (["--report", "nowhere/x.html"], "no folder nowhere"),
        (["--seed", "x"], "invalid int"),
    ],
)
def test_wrong_options_are_exit_code_2(options: list[str], said: str, tiny: Path, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", str(tiny), *options])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_reports_are_of_one_scenario(tiny: Path, tmp_path: Path, capsys: Captured) -> None:
    with pytest.raises(SystemExit):
        main(["run", str(tiny), str(tiny), "--report", str(tmp_path / "x.html")])
    assert "of one scenario" in capsys.readouterr().err


def test_a_run_writes_report_picture_and_trace(tiny: Path, tmp_path: Path) -> None:
    page, picture, trace = (tmp_path / name for name in ("out.html", "out.png", "out.trace"))
    given = ["--report", str(page), "--png", str(picture), "--trace", str(trace), "--until", "5m", "--quiet"]
    assert main(["run", str(tiny), *given]) == 0
    assert "tiny" in page.read_text()
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert " fault outage a " in trace.read_text()


def test_what_there_is_to_choose_from_is_listed(capsys: Captured) -> None:
    for command, expected in (
        ("list", library.names()),
        ("faults", list(faults.KINDS)),
        ("profiles", profiles.names()),
        ("invariants", invariants.names()),
    ):
        assert main([command]) == 0
        told = capsys.readouterr().out
        assert [name for name in expected if name not in told] == []
    assert main(["list", "--names"]) == 0
    assert capsys.readouterr().out.split() == library.names()


def test_an_installed_library_is_beside_the_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "mine.toml").write_text(TINY)
    monkeypatch.setattr("edgelite_sim.__file__", str(tmp_path / "__init__.py"))
    assert library.names() == ["mine"]


def test_one_fault_is_told_alone_and_an_unknown_one_with_the_nearest(capsys: Captured) -> None:
    assert main(["faults", "outage"]) == 0
    told = capsys.readouterr().out
    assert "half-open" in told and "power-cut" not in told
    assert main(["faults", "outgae"]) == 2
    assert "did you mean 'outage'?" in capsys.readouterr().err


def test_a_terminal_sees_a_live_picture() -> None:
    moments: list[Moment] = []
    run(read_text(TINY), told=moments.append)
    shown = dict(rows(moments[-1]))
    assert (shown["time"], shown["nodes up"], shown["live"], shown["faults"]) == ("10m of 10m", "1/1", "1/1", "1")
    live = Live()
    live.told(moments[0])
    live.close()


def test_the_console_script_knows_it() -> None:
    from edgelite_cli.main import COMMANDS as ALL

    assert ALL["sim"][:2] == (commands.__name__, "main")
