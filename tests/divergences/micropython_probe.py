"""Runs pieces of code under MicroPython, all of a table in one process."""

import json
import subprocess

import pytest
import runtime

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


def outcomes(table: list[tuple[str, str]]) -> dict[str, str]:
    """For each (name, code): repr of what it left in `a`, or the name of the exception that it raised."""
    try:
        command = runtime.command()
    except runtime.UnavailableError as error:
        if "pinned" in str(error):
            raise
        pytest.skip(str(error))
    told = subprocess.run(
        [*command, "-c", _RUN_ALL], input=json.dumps(table), capture_output=True, text=True, timeout=60, check=True
    )
    result: dict[str, str] = json.loads(told.stdout)
    return result
