"""Every decoder fed by atheris, guided by coverage: a million inputs, a process for each target, two at a time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from targets import TARGETS, Target

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ROOMS = ("", "protocol", "drivers", "ports", "sim")
INPUTS = 1_050_000  # in all; the least is a million
TIMEOUT_S = 600
DONE = re.compile(r"stat::number_of_executed_units: (\d+)")


def fuzz(name: str, runs: int, module: str = "targets") -> tuple[int, int, str]:
    """Exit code, inputs, output."""
    program = [sys.executable, str(HERE / "run_atheris.py"), name, "--runs", str(runs), "--module", module]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(ROOT / room) for room in ROOMS)}
    told = subprocess.run(
        program,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=TIMEOUT_S,
        check=False,
    )
    done = DONE.search(told.stdout)
    return told.returncode, int(done.group(1)) if done else 0, told.stdout


def runs_of(target: Target) -> int:
    return INPUTS * target.weight // sum(one.weight for one in TARGETS)


@pytest.mark.timeout(TIMEOUT_S)
def test_a_million_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda target: fuzz(target.name, runs_of(target)), TARGETS))
    with capsys.disabled():
        rows = [f"  {target.name:28s}{done:10,d}" for target, (_, done, _) in zip(TARGETS, results, strict=True)]
        total = sum(done for _, done, _ in results)
        sys.stdout.write("\n" + "\n".join(rows) + f"\n  {'inputs in all':28s}{total:10,d}\n")
    for target, (code, _, output) in zip(TARGETS, results, strict=True):
        assert code == 0, f"{target.name}\n{output[-4000:]}"
    assert total >= 1_000_000


def test_a_planted_bug_is_found() -> None:
    code, done, output = fuzz("planted", 100_000, "planted")
    assert code != 0 and done < 100_000
    assert "IndexError" in output
