"""Runs pieces of code under MicroPython, all of a table in one process."""

import json
import os
import subprocess

import pytest
import runtime

from edgelite_sim.qemu import agents
from edgelite_sim.qemu.emulators import UnavailableError

# The newest that the tests use, from the environment, and the oldest that edgelite supports, Debian's.
PINNED, OLDEST = "pinned", "MicroPython amd64"
INTERPRETERS = (PINNED, OLDEST)
HEAP = ("-X", "heapsize=16m")

_RUN_ALL = """
import json, sys
outcomes = {}
for name, code in json.load(sys.stdin):
    names = {}
    try:
        exec(code, names)
    except Exception as error:
        outcomes[name] = type(error).__name__
    else:
        outcomes[name] = repr(names.get("a"))
print(json.dumps(outcomes))
"""


def outcomes(table: list[tuple[str, str]], interpreter: str = PINNED) -> dict[str, str]:
    """For each (name, code): repr of what it left in `a`, or the name of the exception that it raised. `interpreter`
    is PINNED or one of edgelite_sim.qemu.agents."""
    told = subprocess.run(
        [*command(interpreter), "-c", _RUN_ALL],
        input=json.dumps(table),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    result: dict[str, str] = json.loads(told.stdout)
    return result


def command(interpreter: str) -> list[str]:
    """Skips where there is none, and says why; never in CI, nor where the environment should hold it."""
    try:
        return runtime.command() if interpreter == PINNED else agents.interpreter(interpreter, *HEAP)
    except (runtime.UnavailableError, UnavailableError) as error:
        if "pinned" in str(error) or os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
