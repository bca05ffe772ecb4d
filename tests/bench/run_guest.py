"""`./dev bench-guest`: what the agent costs in an emulated armv7 machine: a table, docs/budget.json, docs/budget.md.

Takes about fifteen minutes. Memory repeats within 1 % (the spread is among the figures); times are this machine's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from edgelite_sim.qemu import budget
from edgelite_sim.site import Site

# So that `bench` is a package wherever we start; behind the imports above, since `tests/edgelite` would go for a room.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.figures import machine, number

ROOT = Path(__file__).resolve().parents[2]
FILL = Path(__file__).with_name("guest_fill.py")
BOOTS = 3
GOALS = {
    ("cpython", "idle Rss kB"): 12 * 1024,
    ("micropython", "idle Rss kB"): 4 * 1024,
    ("cpython", "loaded, handing over, VmHWM kB"): 12 * 1024,
    ("micropython", "loaded, handing over, VmHWM kB"): 4 * 1024,
    ("cpython", "bundle, unpacked, bytes"): 1_000_000,
    ("micropython", "bundle, unpacked, bytes"): 1_000_000,
}

PAGE = """# What a node needs

Measured by `./dev bench-guest`, which wrote this page, on {measured}, at commit {commit}.
In an emulated armv7 machine (`-M virt -cpu cortex-a7`, 128 MB, Debian 13's kernel, CPython 3.13, MicroPython 1.25), on
{processor} ({cores} cores, {system}). Memory and instructions belong to the code and repeat within 1 %.
Times and CPU are an emulator's on a machine that may be busy, for comparing the rows of one run.

{table}

Each row is of the agent's process alone. kB are 1024 bytes.

- **idle**: the link to the hub is up over TLS, nothing is to do. The median of {boots} boots; the row *spread* says
  how far these were apart. CPython's TLS is the kernel's (`tls_in_kernel`), which keeps OpenSSL out of the process:
  where Linux lacks its module `tls`, the rows *TLS its own* hold, and OpenSSL's libraries are what the 12 MB are
  missed by. Each handshake with the hub takes a process of 10 MB for a second.
- **loaded**: {processes} processes, {devices} Modbus devices, and 1 MiB of telemetry that waits for the hub: first
  without a link, then while that is handed over. VmHWM is the most that it took since its start.
- **recovering 4 MiB**: the most from its start until it rests, when every file of a 4 MiB journal is in use.
- **bundle, installed**: without the interpreter. CPython's install.sh adds byte code to the sources, which spares each
  start the compiler; MicroPython's bundle is byte code.
- **instructions to start**: of the agent's process until it rests in its loop, without a network to try.

A goal that is missed says so, with what by.
"""


def tell(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {text}\n")


async def measured(runtime: str, boots: int) -> dict[str, float]:
    known: set[str] = set()

    def tell_new(figures: dict[str, float]) -> None:
        for name in figures.keys() - known:
            tell(f"{runtime}: {name} {number(figures[name])}")
        known.update(figures)

    with tempfile.TemporaryDirectory(prefix="edgelite-bench-") as folder:
        site = Site(Path(folder))
        try:
            await asyncio.gather(site.start_hub(), site.start_meter())
            return await budget.measure(site, runtime, FILL.read_text(), boots, False, tell_new)
        finally:
            await site.stop()


def verdict(runtime: str, name: str, value: float) -> tuple[str, str]:
    """(goal, what is to be said of it)."""
    goal = GOALS.get((runtime, name))
    if goal is None:
        return "", ""
    if value <= goal:
        return number(goal), "met"
    return number(goal), f"MISSED by {number(value - goal)}"


def rows(runtimes: dict[str, dict[str, float]]) -> list[list[str]]:
    made = [["runtime", "figure", "measured", "goal", ""]]
    for runtime, figures in runtimes.items():
        made += [[runtime, name, number(value), *verdict(runtime, name, value)] for name, value in figures.items()]
    return made


def table(cells: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in cells) for column in range(5)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join(lines) + "\n"


def markdown(cells: list[list[str]], started: str) -> str:
    lines = [cells[0], ["---"] * 5, *cells[1:]]
    shown = "\n".join("| " + " | ".join(row) + " |" for row in lines)
    constants = {"boots": BOOTS, "processes": budget.PROCESSES, "devices": budget.DEVICES}
    return PAGE.format(measured=started[:10], table=shown, **constants, **machine())


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench-guest", description=__doc__)
    parser.add_argument("--runtime", choices=sorted(budget.PORT_OF), action="append", help="only this one")
    parser.add_argument("--boots", type=int, default=BOOTS, help=f"idle memory is the median of so many ({BOOTS})")
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "budget.json", help="where the figures go")
    parser.add_argument("--markdown", type=Path, default=ROOT / "docs" / "budget.md", help="where the page goes")
    given = parser.parse_args()
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    found = {}
    for runtime in given.runtime or list(budget.PORT_OF):
        tell(f"measuring {runtime}")
        found[runtime] = asyncio.run(measured(runtime, given.boots))
    cells = rows(found)
    sys.stdout.write(table(cells))
    given.json.write_text(
        json.dumps({"measured": started, "machine": machine(), "runtimes": found}, indent=2, sort_keys=True) + "\n"
    )
    given.markdown.write_text(markdown(cells, started))
    sys.stdout.write(f"\nfigures and machine: {given.json} and {given.markdown}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
