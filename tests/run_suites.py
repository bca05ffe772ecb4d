"""Runs every suite against its budget of minutes; `./dev test` and CI call this.

    python tests/run_suites.py [suite ...]

Prints each suite's minutes beside its budget, then one line "N passed, N failed, N skipped" over all of them. Exits
with 1 where a suite failed, ran no test, or took longer than it may. EDGELITE_BUDGET_FACTOR multiplies the budgets,
for machines slower than two cores of a common x86-64 server.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# The published budget, in minutes, by folder of tests. It sums to less than 60; every test must lie below a folder that
# has its row here. Both are held by tests/house/test_suites.py.
BUDGET_MINUTES = {
    "lint": 2,
    "micropython": 1,
    "house": 2,
    "protocol": 2,
    "edgelite": 2,
    "drivers": 2,
    "ports": 5,
    "hub": 2,
    "fuzz": 2,
    "cli": 2,
    "sim": 7,
    "divergences": 1,
    "system": 7,
    "interop": 2,
    "qemu/arm": 9,
    "qemu/guest": 11,
}
NO_TESTS_OF_THEIR_OWN = ("lint",)

PYTEST_EXIT_NO_TESTS = 5
TERMINATE_GRACE_S = 10  # a suite past its budget may still clean up its processes


class Result:
    def __init__(self, suite: str) -> None:
        self.suite = suite
        self.minutes = 0.0
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}
        self.problem = ""


def tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def budget_minutes(suite: str) -> float:
    return BUDGET_MINUTES[suite] * float(os.environ.get("EDGELITE_BUDGET_FACTOR", "1"))


def portable_folders() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("tests/*/portable"))


def suites_here() -> list[str]:
    """The rows of the table that there is something for; a room may have no tests yet."""
    always = ("lint", "micropython")
    return [suite for suite in BUDGET_MINUTES if suite in always or any((ROOT / "tests" / suite).rglob("test_*.py"))]


def command_of(suite: str) -> list[str]:
    if suite == "lint":
        return [str(ROOT / "dev"), "lint"]
    if suite == "micropython":
        runner = ["tests/micropython/runtime.py", "tests/micropython/run_portable.py"]
        return [sys.executable, *runner, *portable_folders()]
    return [sys.executable, "-m", "pytest", f"tests/{suite}", "--durations=3", "--durations-min=5", "-ra"]


def run(suite: str) -> Result:
    """One suite in a process group of its own, its output passed on as it comes."""
    tell(f"=== {suite}")
    result = Result(suite)
    started_s = time.monotonic()
    process = subprocess.Popen(
        command_of(suite),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    assert process.stdout is not None
    timer = threading.Timer(budget_minutes(suite) * 60, end_group, (process,))
    timer.start()
    try:
        summary = pass_on(process.stdout)
        returncode = process.wait()
    finally:
        timer.cancel()
    result.minutes = (time.monotonic() - started_s) / 60
    if suite not in NO_TESTS_OF_THEIR_OWN:
        count(result, summary)
    result.problem = problem_of(result, returncode)
    return result


def end_group(process: "subprocess.Popen[str]") -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(TERMINATE_GRACE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def pass_on(lines: Iterable[str]) -> str:
    """Gives the last line that looks like a summary: "3 passed, 1 skipped in 2.5s" or "3 passed, 0 failed"."""
    summary = ""
    for line in lines:
        sys.stdout.write(line)
        sys.stdout.flush()
        if re.search(r"\d+ (passed|failed|skipped|error)", line):
            summary = line
    return summary


def count(result: Result, summary: str) -> None:
    names = {"errors": "failed", "error": "failed", "xfailed": "skipped", "xpassed": "failed"}
    for number, name in re.findall(r"(\d+) (passed|failed|skipped|errors?|xfailed|xpassed)\b", summary):
        result.counts[names.get(name, name)] += int(number)


def problem_of(result: Result, returncode: int) -> str:
    """Why this suite is no success; "" where it is one."""
    if result.minutes > budget_minutes(result.suite):
        return "took longer than its budget"
    if returncode == PYTEST_EXIT_NO_TESTS:
        return "has no tests"
    if returncode != 0 or result.counts["failed"]:
        return "failed"
    if result.suite not in NO_TESTS_OF_THEIR_OWN and sum(result.counts.values()) == 0:
        return "ran no test"
    return ""


def report(results: list[Result]) -> int:
    tell("\nsuite          minutes   budget   passed   failed  skipped")
    for result in results:
        counts = "".join(f"{result.counts[name]:9d}" for name in ("passed", "failed", "skipped"))
        row = f"{result.suite:14s}{result.minutes:8.2f}{budget_minutes(result.suite):9.1f}{counts}  {result.problem}"
        tell(row.rstrip())
    total = {name: sum(result.counts[name] for result in results) for name in ("passed", "failed", "skipped")}
    # A suite that failed without a failed test (a crash, the lint, the budget) counts as one, so that the last line
    # never reads better than the exit code.
    total["failed"] += sum(1 for result in results if result.problem and not result.counts["failed"])
    tell(f"\nminutes: {sum(result.minutes for result in results):.2f} of {sum(BUDGET_MINUTES.values())}")
    tell(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total["failed"] else 0


def main(wanted: list[str]) -> int:
    unknown = [suite for suite in wanted if suite not in BUDGET_MINUTES]
    if unknown:
        tell(f"no such suite: {', '.join(unknown)}; there are {', '.join(BUDGET_MINUTES)}")
        return 2
    return report([run(suite) for suite in wanted or suites_here()])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
