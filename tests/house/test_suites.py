"""The published budget, and that `./dev test` leaves no suite and no failure out."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from house_files import ROOT


@pytest.fixture(scope="module")
def run_suites() -> ModuleType:
    spec = importlib.util.spec_from_file_location("run_suites", ROOT / "tests" / "run_suites.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_budget_sums_to_less_than_an_hour(run_suites: ModuleType) -> None:
    assert sum(run_suites.BUDGET_MINUTES.values()) < 60


def test_every_folder_of_tests_has_its_row(run_suites: ModuleType) -> None:
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    for rows in (run_suites.BUDGET_MINUTES, run_suites.suites_here()):
        covered = {Path(row) for row in rows}
        assert [folder for folder in folders if not covered & {folder, *folder.parents}] == []


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        ("3 passed in 0.10s", (3, 0, 0)),
        ("1 failed, 3 passed, 2 skipped, 1 error in 0.10s", (3, 2, 2)),
        ("2 errors in 0.5s", (0, 2, 0)),
        ("1 xfailed, 1 xpassed in 0.5s", (0, 1, 1)),
        ("40 passed, 0 failed", (40, 0, 0)),
        ("0 passed, 0 failed, 1 skipped", (0, 0, 1)),
        ("", (0, 0, 0)),
    ],
)
def test_summaries_are_counted(run_suites: ModuleType, summary: str, expected: tuple[int, int, int]) -> None:
    result = run_suites.Result("protocol")
    run_suites.count(result, summary)
    assert tuple(result.counts[name] for name in ("passed", "failed", "skipped")) == expected


def outcome(
    run_suites: ModuleType, monkeypatch: pytest.MonkeyPatch, code: str, budget_minutes: float = 1
) -> tuple[int, str]:
    """Exit code and problem when the suite is this piece of Python."""
    monkeypatch.setattr(run_suites, "command_of", lambda suite: [sys.executable, "-c", code])
    monkeypatch.setitem(run_suites.BUDGET_MINUTES, "protocol", budget_minutes)
    result = run_suites.run("protocol")
    return run_suites.report([result]), result.problem


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("print('3 passed in 1s')", (0, "")),
        ("print('3 passed, 1 failed in 1s'); exit(1)", (1, "failed")),
        ("print('3 passed in 1s'); exit(1)", (1, "failed")),
        ("print('3 passed, 1 failed')", (1, "failed")),
        ("print('no tests ran'); exit(5)", (1, "has no tests")),
        ("print('nothing')", (1, "ran no test")),
        ("import os; os.abort()", (1, "failed")),
    ],
)
def test_no_failure_is_left_out(
    run_suites: ModuleType, monkeypatch: pytest.MonkeyPatch, code: str, expected: tuple[int, str]
) -> None:
    assert outcome(run_suites, monkeypatch, code) == expected


def test_a_suite_past_its_budget_is_ended_and_fails(
    run_suites: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "import time; print('3 passed in 1s', flush=True); time.sleep(60)"
    assert outcome(run_suites, monkeypatch, code, 0.005) == (1, "took longer than its budget")
    assert capsys.readouterr().out.splitlines()[-1] == "3 passed, 1 failed, 0 skipped"
