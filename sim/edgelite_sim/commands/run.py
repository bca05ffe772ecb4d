"""`edgelite sim run SCENARIO`: run it, show how it goes, say what held."""

from __future__ import annotations

import argparse
import contextlib
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from edgelite_sim.commands import progress
from edgelite_sim.commands.tables import columns, parser
from edgelite_sim.scenario import Result, Scenario, ScenarioError, figures, load, run
from edgelite_sim.scenario.figures import FIGURES
from edgelite_sim.world.trace import Trace
from edgelite_sim.written import units

if TYPE_CHECKING:
    from edgelite_sim.report import Recording

EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2

EPILOG = """examples:
  edgelite sim run train-line
  edgelite sim run my.toml --seed 7 --report out.html
  edgelite sim run my.toml --until 2h --trace trace.txt
  edgelite sim run --quiet $(edgelite sim list --names)     # all of the library, in a few minutes

One seed and one version give one trace, byte for byte: its hash is printed at the end.
Exit codes: 0 all held, 1 an invariant or an expectation failed, 2 the scenario is wrong."""


def options() -> argparse.ArgumentParser:
    made = parser("run", "Run a scenario in virtual time, and say what held.", EPILOG)
    made.add_argument("scenario", nargs="+", help="files, or names of `edgelite sim list`, one after the other")
    made.add_argument("--seed", type=int, help="where all chance comes from (default: the scenario's)")
    made.add_argument("--until", metavar="TIME", help="end it sooner, as 2h; expectations are not asked then")
    made.add_argument("--report", metavar="FILE", type=Path, help="write a page with timelines and curves (HTML)")
    made.add_argument("--png", metavar="FILE", type=Path, help="write the same as a picture")
    made.add_argument("--trace", metavar="FILE", type=Path, help="write a line for each thing that happens")
    made.add_argument("--quiet", action="store_true", help="no progress and no figures, only what failed")
    return made


def main(arguments: list[str]) -> int:
    made = options()
    given = made.parse_args(arguments)
    until_ms = None
    if given.until is not None:
        until_ms = units.duration_ms(given.until)
        if not until_ms:
            made.error(f"--until {given.until!r}: {units.DURATION_EXAMPLES}")
    for path in (given.report, given.png, given.trace):
        if path is not None and not path.parent.is_dir():
            made.error(f"there is no folder {path.parent}")
    if len(given.scenario) > 1 and (given.report or given.png or given.trace):
        made.error("--report, --png and --trace are of one scenario")
    if given.png:
        _need_pillow(made)
    return max(_run_one(name, given, until_ms) for name in given.scenario)


def _need_pillow(made: argparse.ArgumentParser) -> None:
    """Said before a long run, not after it."""
    from edgelite_sim.report import NoPillow, need_pillow

    try:
        need_pillow()
    except NoPillow as error:
        made.error(f"--png: {error}")


def _run_one(name: str, given: argparse.Namespace, until_ms: int | None) -> int:
    try:
        scenario = load(name)
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(given.trace.open("w", encoding="utf-8")) if given.trace else None
            result = _run(scenario, given, until_ms, file)
    except ScenarioError as error:
        sys.stderr.write(f"edgelite sim: {error}\n")
        return EXIT_USAGE
    sys.stdout.write(verdict(result) if given.quiet else summary(result))
    return EXIT_OK if result.passed else EXIT_FAILED


def _run(scenario: Scenario, given: argparse.Namespace, until_ms: int | None, file: TextIO | None) -> Result:
    gc.collect()
    gc.freeze()  # this process does nothing else: what is there by now is no garbage, and is not looked at again
    observers = []
    if given.report or given.png:
        from edgelite_sim.report import Recorder

        observers.append(Recorder())
    with progress.display(given.quiet) as display:
        result = run(scenario, given.seed, observers, Trace(file), until_ms, display.told)
    if observers:
        _report(observers[0].recording(result), given)
    return result


def _report(recording: Recording, given: argparse.Namespace) -> None:
    from edgelite_sim import report

    if given.report:
        report.write_html(recording, given.report)
    if given.png:
        report.write_png(recording, given.png)


def summary(result: Result) -> str:
    lines = [f"{result.name}, seed {result.seed}: {result.description}".rstrip(": "), ""]
    lines += ["figures:", columns(_figures(result)).rstrip("\n"), ""]
    if result.faults:
        lines += ["faults: " + ", ".join(f"{count} {kind}" for kind, count in result.faults.items()), ""]
    if result.refusals:
        lines += [f"the hub refused {len(result.refusals)} changes, the first: {result.refusals[0]}", ""]
    lines += [*_verdicts(result), ""]
    speed = result.span_ms / 1000 / max(result.real_s, 0.001)
    lines.append(
        f"{units.duration_text(result.span_ms)} in {result.real_s:.1f} s ({speed:,.0f} times as fast as life), "
        f"{result.events:,} events"
    )
    lines.append(f"trace {result.digest} ({result.trace_lines:,} lines)")
    lines.append("PASSED" if result.passed else "FAILED")
    return "\n".join(lines) + "\n"


def verdict(result: Result) -> str:
    """What failed, and one line."""
    failed = (
        [line for line in _verdicts(result) if not line.lstrip().startswith(("held", "met"))]
        if not result.passed
        else []
    )
    word = "PASSED" if result.passed else "FAILED"
    return "\n".join([*failed, f"{result.name}, seed {result.seed}, trace {result.digest}: {word}"]) + "\n"


def _figures(result: Result) -> list[tuple[str, str]]:
    return [("  " + name, figures.shown(FIGURES[name], value)) for name, value in result.figures.items()]


def _verdicts(result: Result) -> list[str]:
    lines = ["invariants:"]
    for one in result.checked:
        lines.append(f"  {'held  ' if one.passed else 'FAILED'}  {one.name}")
        if not one.passed:
            when = units.duration_text(one.time_ms or 0)
            more = f", and {one.violations - 1} more" if one.violations > 1 else ""
            lines += [f"          {one.sentence}", f"          at {when}: {one.violation}{more}"]
    if result.expectations:
        lines += ["", "expectations:"]
        lines += [f"  {'met   ' if one.passed else 'FAILED'}  {one.text}: {one.found}" for one in result.expectations]
    return lines
