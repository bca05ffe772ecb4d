"""What is wrong with a scenario: where it stands, and what would be allowed there."""

from __future__ import annotations


class ScenarioError(Exception):
    """`line` counts from 1; 0 where the fault lies in no line, as with one that is missing from the whole file."""

    def __init__(self, file: str, line: int, text: str, allowed: str = "") -> None:
        self.file = file
        self.line = line
        self.text = text
        self.allowed = allowed
        place = f"{file}:{line}" if line else file
        super().__init__(f"{place}: {text}" + (f"; {allowed}" if allowed else ""))
