"""A file that replays what the hunt has found: the scenario, and above it, as comments, what failed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgelite_sim.scenario import Scenario, load, to_toml

FAILED, TRACE, SEED = "# failed: ", "# trace: ", "# found by seed: "


@dataclass(frozen=True)
class Found:
    """`failures` by invariant; `digest` of the trace when it was found; `invariant` is the one it was shrunk for."""

    scenario: Scenario
    seed: int
    failures: dict[str, str]
    digest: str
    invariant: str = ""


def write_found(found: Found, folder: Path) -> Path:
    """The file's name says which invariant, and which seed."""
    folder.mkdir(parents=True, exist_ok=True)
    name = "-".join((found.invariant or min(found.failures)).replace(" ", "-").split("/"))
    path = folder / f"{name}-{found.seed}.toml"
    lines = [f"{SEED}{found.seed}"]
    lines += [f"{FAILED}{name}: {_in_a_line(text)}" for name, text in sorted(found.failures.items())]
    lines.append(f"{TRACE}{found.digest}")
    path.write_text("\n".join([*lines, "", to_toml(found.scenario)]), encoding="utf-8")
    return path


def read_found(path: Path) -> Found:
    """A plain scenario is one too, of which nothing is known to fail. ScenarioError, OSError."""
    scenario = load(path)
    lines = path.read_text("utf-8").splitlines()
    failures = dict(_pair(line.removeprefix(FAILED)) for line in lines if line.startswith(FAILED))
    digest = next((line.removeprefix(TRACE) for line in lines if line.startswith(TRACE)), "")
    seeds = [line.removeprefix(SEED) for line in lines if line.startswith(SEED)]
    seed = int(seeds[0]) if seeds and seeds[0].isdecimal() else scenario.seed
    return Found(scenario, seed, failures, digest)


def _pair(text: str) -> tuple[str, str]:
    name, _, rest = text.partition(": ")
    return name, rest


def _in_a_line(text: str) -> str:
    return " ".join(text.split())
