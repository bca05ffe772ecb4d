"""What the benchmarks report: figures with a goal and what others need, as a table and as JSON."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """`goal` is the most that it may be, None where there is none; `beside` is what others need, with the source."""

    part: str
    name: str
    value: float
    unit: str
    goal: float | None = None
    beside: str = ""

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        return "met" if self.value <= self.goal else "MISSED"


def number(value: float) -> str:
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"


def row(figure: Figure) -> list[str]:
    goal = "" if figure.goal is None else f"{number(figure.goal)}"
    return [figure.part, figure.name, f"{number(figure.value)} {figure.unit}", goal, figure.verdict, figure.beside]


def table(figures: list[Figure]) -> str:
    rows = [["PART", "FIGURE", "MEASURED", "GOAL", "", "BESIDE IT"], *map(row, figures)]
    widths = [max(len(cells[column]) for cells in rows) for column in range(6)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]]) + "\n"


def command_output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def machine() -> dict[str, Any]:
    return {
        "commit": command_output("git", "rev-parse", "--short=12", "HEAD"),
        "uncommitted_changes": bool(command_output("git", "status", "--porcelain", "--untracked-files=no")),
        "processor": processor(),
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "system": command_output("sh", "-c", '. /etc/os-release && echo "$PRETTY_NAME"'),
    }


MARKDOWN = """# Figures

Measured by `./dev bench --markdown docs/figures.md`, which wrote this page, on {measured}, at commit {commit}, on
{processor} ({cores} cores, {architecture}), {system}, kernel {kernel}, Python {python}.

One hub, three nodes, each an agent with its link up over mutual TLS; the measured one runs a workload and polls a
device each minute whose value stays within its deadband. "Alone" counts every page that only Python maps whole, as if
no other Python process shared it; MB are 1024 KiB. Two things that are compared were measured in turns, in one run:
trust the ratios more than the times. The clock's floor, written each two hours at the most, may fall outside the
minutes that were measured: 49 KB of flash a day more. What stands beside a figure was measured or published
elsewhere, on other machines, and is there for the order of magnitude.

{table}
"""


def markdown(figures: list[Figure], started: str) -> str:
    rows = [["part", "figure", "measured", "goal", "", "beside it"], ["---"] * 6, *map(row, figures)]
    table = "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
    return MARKDOWN.format(measured=started[:10], table=table, **machine())


def write_json(path: Path, figures: list[Figure], started: str) -> None:
    rows = [asdict(figure) | {"verdict": figure.verdict} for figure in figures]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"measured": started, "machine": machine(), "figures": rows}, indent=2) + "\n")
