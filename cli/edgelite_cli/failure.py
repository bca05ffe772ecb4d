"""How a command ends that cannot do what it was asked."""

from __future__ import annotations

import sys
from collections.abc import Callable

from edgelite_cli.main import EXIT_FAILED


class Failure(Exception):
    """`text` is one line for a person: what is wrong and what to do. `exit_code` is the process's."""

    def __init__(self, text: str, exit_code: int = EXIT_FAILED) -> None:
        super().__init__(text)
        self.text = text
        self.exit_code = exit_code


def reporting(run: Callable[[list[str]], int]) -> Callable[[list[str]], int]:
    """Turn a Failure into its line on stderr and its exit code."""

    def main(arguments: list[str]) -> int:
        try:
            return run(arguments)
        except Failure as failure:
            sys.stdout.flush()
            sys.stderr.write(f"edgelite: {failure.text}\n")
            return failure.exit_code

    return main
