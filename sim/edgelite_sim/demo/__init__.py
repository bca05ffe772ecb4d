"""`edgelite demo`: one hub, three nodes, a workload, a meter and two outages, judged by the meter's own log."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from edgelite_cli.failure import Failure
from edgelite_sim.demo.stage import NODES, Stage
from edgelite_sim.demo.story import Story
from edgelite_sim.demo.verdict import Verdict
from edgelite_sim.demo.view import Picture, Row, View
from edgelite_sim.site import SiteError

ABOUT_S = 85.0  # how long it takes; for the progress bar


def summary(facts: list[str], verdict: Verdict, seconds: float) -> str:
    lines = ["", "What happened:", *("  " + fact for fact in facts), "", "The meter's log against the hub's store:"]
    lines.append(f"  {verdict.answered} reads answered, {verdict.stored} stored, {len(verdict.twice)} stored twice")
    for gap in verdict.gaps:
        why = "while the agent was dead" if gap.excused else "LOST"
        reads = f"read {gap.first}" if gap.count == 1 else f"reads {gap.first} to {gap.last}"
        lines.append(f"  gap: {reads} ({gap.count}), over {gap.to_ms - gap.from_ms} ms, {why}")
    if not verdict.gaps:
        lines.append("  no gap")
    if verdict.unknown:
        lines.append(f"  {len(verdict.unknown)} stored reads that the meter never answered: {verdict.unknown[:5]}")
    lines.append("")
    result = "PASSED: every answered read is stored once" if verdict.good else f"FAILED: {verdict.lost} reads lost"
    lines.append(f"{result} ({seconds:.0f} s)")
    return "\n".join(lines) + "\n"


async def run(folder: Path) -> bool:
    picture = Picture({node: Row(node) for node in NODES}, ABOUT_S)
    stage = Stage(folder)
    verdict, story = None, None
    try:
        with View(picture) as view:
            story = Story(stage, view)
            verdict = await story.tell()
    finally:
        await stage.stop()
    sys.stdout.write(summary(story.facts, verdict, picture.elapsed_s))
    return verdict.good


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="edgelite demo",
        description="A hub, three nodes, a workload, a Modbus meter and two outages of 20 seconds, on loopback, in "
        "about a minute and a half. It ends with code 0 only if every read that the meter answered is stored once.",
    )
    parser.add_argument("--keep", metavar="DIR", type=Path, help="work in this new folder and keep it (logs, journals)")
    given = parser.parse_args(arguments)
    if given.keep and given.keep.exists():
        parser.error(f"{given.keep} exists; name a new folder")
    folder = given.keep or Path(tempfile.mkdtemp(prefix="edgelite-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    good = False
    try:
        good = asyncio.run(run(folder.resolve()))
    except* (SiteError, Failure) as group:
        for error in group.exceptions:
            sys.stderr.write(f"edgelite demo: FAILED: {error}\n")
    if good and not given.keep:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        sys.stderr.write(f"Logs and journals are kept in {folder}\n")
    return 0 if good else 1
