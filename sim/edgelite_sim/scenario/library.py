"""The scenarios that come with the simulator, found by name."""

from __future__ import annotations

from pathlib import Path

import edgelite_sim
from edgelite_sim.scenario.errors import ScenarioError
from edgelite_sim.written.names import one_of


def folder() -> Path:
    """In an installed package beside the modules, in a checkout beside the package."""
    package = Path(edgelite_sim.__file__).parent
    installed = package / "scenarios"
    return installed if installed.is_dir() else package.parent / "scenarios"


def names() -> list[str]:
    return sorted(path.stem for path in folder().glob("*.toml"))


def find(name: str) -> Path:
    """A file, or the name of one of the library's. ScenarioError lists those."""
    path = Path(name)
    if path.is_file():
        return path
    built_in = folder() / f"{name}.toml"
    if not path.suffix and "/" not in name and built_in.is_file():
        return built_in
    raise ScenarioError(
        name, 0, "there is no such file, and no scenario of the library has this name", one_of(name, names())
    )
