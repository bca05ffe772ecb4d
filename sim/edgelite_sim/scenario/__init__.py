"""Scenarios: a fleet, its workloads and devices, a timetable of faults, and what must hold, in one TOML file.

scenario = load("train-line.toml")
result = run(scenario, seed=7)
print(result.passed, result.digest)
"""

from __future__ import annotations

from pathlib import Path

from edgelite_sim.scenario.building import build
from edgelite_sim.scenario.checking import check
from edgelite_sim.scenario.errors import ScenarioError
from edgelite_sim.scenario.library import find
from edgelite_sim.scenario.model import Scenario
from edgelite_sim.scenario.reading import FILE_BYTES_MAX, read
from edgelite_sim.scenario.running import Result, run
from edgelite_sim.scenario.writing import to_toml

__all__ = ["Result", "Scenario", "ScenarioError", "build", "check", "load", "read_text", "run", "to_toml"]


def load(path: str | Path) -> Scenario:
    """A file, or the name of a scenario of the library; checked. ScenarioError names file, line and what is allowed."""
    found = find(str(path))
    if found.stat().st_size > FILE_BYTES_MAX:
        raise ScenarioError(str(path), 0, f"the file is larger than {FILE_BYTES_MAX} bytes; a scenario is not")
    try:
        text = found.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ScenarioError(str(path), 0, f"this is no text: {error}") from error
    return read_text(text, str(found))


def read_text(text: str, file: str = "scenario.toml") -> Scenario:
    """As `load`; other files that it names are looked for beside `file`."""
    scenario, source = read(text, file)
    check(scenario, source)
    return scenario
