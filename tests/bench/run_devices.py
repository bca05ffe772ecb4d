"""`./dev bench-devices`: Modbus beside pymodbus and libmodbus, the agent's whole loop, and a line of 20 slaves.

    --quick    half a minute, for a look: the figures are rough

All clients read 10 holding registers of the same libmodbus server, in turns, a second each; the figures are medians
over the rounds, and ratios are taken within a round, so that a busy machine harms all alike.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median

# The root first, or tests/edgelite would be taken for the package.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from peers import libmodbus, terminals

from bench import device_gateway
from bench.figures import Figure, machine, row, table, write_json

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DEVICES = 60  # that the agent reads: more than it can each 10 ms, so that it is busy
ROUND_MS, QUICK_ROUND_MS = 1000, 300
ROUNDS, QUICK_ROUNDS = 7, 2
VIRTUAL_MINUTES = 10  # the three timeouts by which dead slaves are found count within it
PAGE = ROOT / "docs" / "devices-figures.md"
RESULTS = ROOT / "docs" / "devices-figures.json"

OURS, LIBMODBUS, PYMODBUS, PYMODBUS_ASYNC = "edgelite, bare client", "libmodbus (C)", "pymodbus", "pymodbus, asyncio"
IDLE = "edgelite, bare client, with 3.5 characters of silence"
QUIET, REPORTED, ON_DISK = "agent, no change", "agent, each reading in the journal (%s)", "disk"

Round = Callable[[int], tuple[int, float]]  # milliseconds to reads and CPU microseconds


def tell(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {text}\n")


def spawned(stack: ExitStack, *words: str) -> Round:
    """A program of this folder that does a round for each line."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(ROOT / room) for room in ("", "protocol", "drivers", "ports")),
    }
    process = subprocess.Popen(
        [sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    stack.callback(process.wait)
    assert process.stdin is not None and process.stdout is not None
    stack.callback(process.stdout.close)
    stack.callback(process.stdin.close)
    given, taken = process.stdin, process.stdout

    def run(milliseconds: int) -> tuple[int, float]:
        given.write(f"{milliseconds}\n")
        given.flush()
        reads, cpu_us = taken.readline().split()
        return int(reads), float(cpu_us)

    return run


def in_c(client: libmodbus.Client) -> Round:
    def run(milliseconds: int) -> tuple[int, float]:
        found = client.ask("bench", milliseconds, 0, 10)
        assert not isinstance(found, str), found
        return found[0], float(found[1])

    return run


def agent(stack: ExitStack, mode: str, medium: str, address: str, folder: Path) -> Round:
    journal = Path(tempfile.mkdtemp(prefix="edgelite-bench-", dir=folder))
    stack.callback(shutil.rmtree, journal, ignore_errors=True)
    return spawned(stack, str(HERE / "device_agent.py"), str(journal), str(DEVICES), mode, medium, address)


def memory_folder() -> tuple[Path, str]:
    """Where a journal costs no medium, and what it is called."""
    shared = Path("/dev/shm")
    return (shared, "tmpfs") if os.access(shared, os.W_OK) else (Path(tempfile.gettempdir()), "disk")


def clients(kinds: dict[str, str], medium: str, address: str, stack: ExitStack) -> dict[str, Round]:
    program = str(HERE / "device_clients.py")
    return {name: spawned(stack, program, kind, medium, address) for name, kind in kinds.items()}


def tcp_contenders(stack: ExitStack) -> dict[str, Round]:
    port = libmodbus.address_of(stack.enter_context(libmodbus.server("tcp", "0")))
    kinds = {OURS: "ours", PYMODBUS: "pymodbus", PYMODBUS_ASYNC: "pymodbus-async"}
    found = {LIBMODBUS: in_c(stack.enter_context(libmodbus.client("tcp", port, "1")))}
    found.update(clients(kinds, "tcp", port, stack))
    folder, called = memory_folder()
    found[QUIET] = agent(stack, "quiet", "tcp", port, folder)
    found[REPORTED % called] = agent(stack, "reported", "tcp", port, folder)
    if called != ON_DISK:
        found[REPORTED % ON_DISK] = agent(stack, "reported", "tcp", port, Path.cwd())
    return found


def measure(contenders: dict[str, Round], rounds: int, milliseconds: int) -> dict[str, list[tuple[float, float]]]:
    """By name, for each round: reads a second and CPU microseconds a read."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, run in contenders.items():
            reads, cpu_us = run(milliseconds)
            if number:  # the first one warms up
                found[name].append((reads * 1000 / milliseconds, cpu_us / max(1, reads)))
    return found


def rtu_rounds(rounds: int, milliseconds: int) -> dict[str, list[tuple[float, float]]]:
    """A line has one client at a time, so each has a line and a server of its own, all of them there at once."""
    kinds = {OURS: "ours", IDLE: "ours-idle", PYMODBUS: "pymodbus", PYMODBUS_ASYNC: "pymodbus-async"}
    with ExitStack() as stack:

        def line() -> str:
            one, other = stack.enter_context(terminals.pair())
            libmodbus.address_of(stack.enter_context(libmodbus.server("rtu", one, str(libmodbus.BAUD), "1")))
            return other

        contenders = {LIBMODBUS: in_c(stack.enter_context(libmodbus.client("rtu", line(), str(libmodbus.BAUD), "1")))}
        for name, kind in kinds.items():
            contenders.update(clients({name: kind}, "rtu", line(), stack))
        contenders[QUIET] = agent(stack, "quiet", "rtu", line(), memory_folder()[0])
        return measure(contenders, rounds, milliseconds)


def rates(part: str, found: dict[str, list[tuple[float, float]]]) -> list[Figure]:
    figures = []
    for name, rounds in found.items():
        figures.append(Figure(part, name + ": reads", median(rate for rate, _ in rounds), "/s"))
        figures.append(Figure(part, name + ": CPU", median(cpu for _, cpu in rounds), "us/read"))
    return figures


def ratio(found: dict[str, list[tuple[float, float]]], one: str, other: str, place: int) -> float:
    pairs = zip(found[one], found[other], strict=True)
    return median(mine[place] / theirs[place] for mine, theirs in pairs)


def ratios(part: str, found: dict[str, list[tuple[float, float]]], with_goals: bool) -> list[Figure]:
    """Goals where all clients do the same: on lines, libmodbus sends at once what real lines need silence before."""
    slower = ratio(found, PYMODBUS, OURS, 0)
    costlier = ratio(found, OURS, LIBMODBUS, 1)
    return [
        Figure(part, "pymodbus' reads beside ours", slower, "x", 1.0 if with_goals else None),
        Figure(part, "our CPU beside libmodbus'", costlier, "x", 2.0 if with_goals else None),
    ]


def gateway(minutes: int) -> list[Figure]:
    part = "20 slaves"
    found = device_gateway.outcomes(minutes)
    planned, unplanned = found["planned"].requests_per_sweep, found["unplanned"].requests_per_sweep
    text = "%.0f and %.0f for all 1,000 properties once" % (planned, unplanned)
    share = 100 * device_gateway.lost(found)
    line = "RTU at 19200 baud, a reading each 10 s, virtual time"
    return [
        Figure(part, "requests, planned beside one by one", planned / unplanned, "x", 0.1, text),
        Figure(part, "readings a minute, planned", found["planned"].readings / minutes, "", None, line),
        Figure(part, "readings a minute, one by one", found["unplanned"].readings / minutes, "", None, line),
        Figure(part, "what 3 dead slaves cost the 17 others", share, "% of their readings", 5.0, line),
    ]


TEXT = """# Figures of devices

Measured by `./dev bench-devices`, which wrote this page, on {measured}, at commit {commit}, on {processor} ({cores}
cores, {architecture}), {system}, kernel {kernel}, Python {python}. [The same as JSON](devices-figures.json).

A read is of 10 holding registers; all read from the same libmodbus server, on the same machine, in turns. The agent's
rows are its whole loop: {devices} devices of 10 properties that are due each 10 ms, so more than it can read; the Linux
port, the bus, the twins, the rules of what is reported, and, where it says so, the journal. The serial lines are pairs
of pseudo terminals, which take no time for a byte; libmodbus keeps no silence between frames, so one row shows ours
with it, as a real line needs it. Trust the ratios more than the times.

{table}
"""


def page(figures: list[Figure], started: str) -> str:
    rows = [["part", "figure", "measured", "at most", "", "beside it"], ["---"] * 6, *map(row, figures)]
    text = "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
    return TEXT.format(measured=started[:10], devices=DEVICES, table=text, **machine())


def figures_of(rounds: int, milliseconds: int) -> list[Figure]:
    tell("20 slaves in virtual time")
    figures = gateway(VIRTUAL_MINUTES)
    tell("TCP")
    with ExitStack() as stack:
        found = measure(tcp_contenders(stack), rounds, milliseconds)
    figures += rates("TCP", found) + ratios("TCP", found, True)
    tell("RTU over pairs of pseudo terminals")
    found = rtu_rounds(rounds, milliseconds)
    return figures + rates("RTU", found) + ratios("RTU", found, False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench-devices", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="half a minute; writes nothing into docs/")
    parser.add_argument("--json", type=Path, help="where the figures go (docs/devices-figures.json)")
    parser.add_argument("--markdown", type=Path, help="where the page goes (docs/devices-figures.md)")
    given = parser.parse_args()
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    figures = figures_of(QUICK_ROUNDS, QUICK_ROUND_MS) if given.quick else figures_of(ROUNDS, ROUND_MS)
    results = given.json or (Path("build/devices-figures.json") if given.quick else RESULTS)
    markdown = given.markdown or (None if given.quick else PAGE)
    write_json(results, figures, started)
    if markdown is not None:
        markdown.write_text(page(figures, started))
    sys.stdout.write(table(figures))
    sys.stdout.write(f"\nfigures and machine: {results}\n")
    return 1 if any(figure.verdict == "MISSED" for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
