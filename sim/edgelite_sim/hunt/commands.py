"""`edgelite sim hunt` and `edgelite sim replay`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from edgelite_sim.commands.tables import parser
from edgelite_sim.faults import KINDS
from edgelite_sim.hunt.found import Found, read_found, write_found
from edgelite_sim.hunt.hunting import SHRINK_S, Plan, Tally, cores, hunt
from edgelite_sim.hunt.trial import Trial, try_scenario
from edgelite_sim.scenario import ScenarioError
from edgelite_sim.written import units

EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2
SEEDS = 1_000
FOLDER = "hunted"
LINE_EVERY_S = 10.0
DAY_MS = 86_400_000

HUNT_EPILOG = """examples:
  edgelite sim hunt --time 10m
  edgelite sim hunt --seeds 500 --first 20000 --kinds power-cut,outage,hub-crash
  edgelite sim replay hunted/nothing-is-stored-twice-17.toml

Each seed is a fleet, a network and faults of its own; a seed gives the same run each time. What fails is made as small
as it can be within --shrink, and written to a file that replays it. Exit codes: 0 nothing found, 1 something failed,
2 wrong usage."""

REPLAY_EPILOG = """Says what fails now, and whether that is what failed when it was found.
Exit codes: 0 all holds now, 1 something fails, 2 the file is wrong."""


def hunt_options() -> argparse.ArgumentParser:
    made = parser("hunt", "Look for bugs: random fleets, networks and faults, on all cores.", HUNT_EPILOG)
    made.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help=f"how many to try ({SEEDS})")
    made.add_argument("--first", type=int, default=1, metavar="SEED", help="the first of them (1)")
    made.add_argument("--time", metavar="TIME", help="begin none after that, as 10m (default: until all are through)")
    made.add_argument("--jobs", type=int, default=0, metavar="N", help=f"processes (as many as cores: {cores()})")
    made.add_argument("--kinds", metavar="A,B", default="", help="only these kinds of faults (`edgelite sim faults`)")
    made.add_argument("--shrink", metavar="TIME", default=f"{SHRINK_S:g}s", help="for each failure (120s)")
    made.add_argument("--folder", type=Path, default=Path(FOLDER), help=f"where files that replay go ({FOLDER})")
    return made


def hunt_main(arguments: list[str]) -> int:
    made = hunt_options()
    given = made.parse_args(arguments)
    plan = Plan(
        seeds=range(given.first, given.first + given.seeds),
        time_s=_seconds(made, "--time", given.time) if given.time else None,
        jobs=given.jobs,
        kinds=_kinds(made, given.kinds),
        shrink_s=_seconds(made, "--shrink", given.shrink),
    )
    if given.seeds < 1 or given.jobs < 0 or given.first < 0:
        made.error("--seeds is 1 or more, --jobs and --first 0 or more")
    view = _View(given.folder)
    tally = hunt(plan, view.failed, view.found, view.told)
    view.end(tally)
    return EXIT_FAILED if tally.failed else EXIT_OK


def _seconds(made: argparse.ArgumentParser, option: str, text: str) -> float:
    duration_ms = units.duration_ms(text)
    if not duration_ms:
        made.error(f"{option} {text!r}: {units.DURATION_EXAMPLES}")
    return (duration_ms or 0) / 1000


def _kinds(made: argparse.ArgumentParser, text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in KINDS:
            made.error(f"--kinds: there is no fault '{name}'; allowed: {', '.join(sorted(KINDS))}")
    return names


class _View:
    """One line that is drawn over on a terminal; a line now and then elsewhere."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._is_terminal = sys.stderr.isatty()
        self._next_s = time.monotonic() + LINE_EVERY_S
        self._clear = "\r\x1b[K" if self._is_terminal else ""

    def told(self, tally: Tally) -> None:
        if self._is_terminal:
            sys.stderr.write(self._clear + _line(tally))
            sys.stderr.flush()
        elif time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + LINE_EVERY_S
            sys.stderr.write(_line(tally) + "\n")

    def failed(self, trial: Trial) -> None:
        for name, text in sorted(trial.failures.items()):
            self._say(f"seed {trial.seed}: {name}: {text[:300]}")

    def found(self, found: Found) -> None:
        path = write_found(found, self._folder)
        scenario = found.scenario
        size = f"{len(scenario.nodes())} nodes, {len(scenario.faults)} faults"
        self._say(f"seed {found.seed} shrunk to {size}, {units.duration_text(scenario.duration)}: {path}")
        self._say(f"  edgelite sim replay {path}")

    def _say(self, text: str) -> None:
        sys.stdout.write(self._clear + text + "\n")
        sys.stdout.flush()

    def end(self, tally: Tally) -> None:
        sys.stderr.write(self._clear)
        self._say(_line(tally))
        for name, count in sorted(tally.by_invariant.items()):
            self._say(f"  {count} of {tally.runs} runs: {name}")
        self._say("nothing found" if not tally.failed else "FOUND SOMETHING")


def _line(tally: Tally) -> str:
    took_s = max(time.monotonic() - tally.began_s, 0.001)
    return (
        f"{tally.runs} runs, {tally.node_ms / DAY_MS:.1f} node-days, {tally.faults} faults, {tally.failed} failed; "
        f"{took_s:.0f} s, {tally.runs / took_s:.1f} runs/s"
    )


def replay_main(arguments: list[str]) -> int:
    made = parser("replay", "Run again what the hunt has found.", REPLAY_EPILOG)
    made.add_argument("file", type=Path, help="a file that the hunt has written, or any scenario")
    given = made.parse_args(arguments)
    try:
        found = read_found(given.file)
    except (ScenarioError, OSError) as error:
        sys.stderr.write(f"edgelite sim: {error}\n")
        return EXIT_USAGE
    trial = try_scenario(found.scenario)
    for name, text in sorted(trial.failures.items()):
        sys.stdout.write(f"FAILED  {name}: {text}\n")
    for name in sorted(set(found.failures) - set(trial.failures)):
        sys.stdout.write(f"held    {name}, which failed when this was found\n")
    if not trial.failures:
        sys.stdout.write("all holds now\n")
    same = " (as when it was found)" if trial.digest == found.digest else ""
    sys.stdout.write(f"trace {trial.digest}{same}\n")
    return EXIT_FAILED if trial.failures else EXIT_OK
