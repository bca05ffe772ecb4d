"""In which line of a TOML file a value stands; tomllib does not tell.

A path is what leads to a value: ("fault", 2, "kind") is the `kind` of the third `[[fault]]`. Only lines with headers
and keys are looked at; a value inside an inline table is where that table begins.
"""

from __future__ import annotations

import re

Path = tuple[str | int, ...]

HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]\]?\s*(?:#.*)?$")
KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
# What opens and closes within a value, longest first; a comment runs to the end of its line.
TOKEN = re.compile(r'\"\"\"|\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*|[\[\]{}]')


class Places:
    """`line(path)` of one file's text."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Path, int] = {}
        self._counts: dict[Path, int] = {}
        self._table: Path = ()
        lines = text.split("\n")
        number = 0
        while number < len(lines):
            number += self._look_at(lines, number)

    def line(self, path: Path) -> int:
        """Of the value, else of the nearest table around it that has a line; 0 for the file itself."""
        for length in range(len(path), 0, -1):
            found = self._lines.get(path[:length])
            if found is not None:
                return found
        return 0

    def _look_at(self, lines: list[str], number: int) -> int:
        """How many lines this header, key with its value, or empty line takes."""
        header = HEADER.match(lines[number])
        if header:
            self._enter(_parts(header[2]), header[1] == "[[", number + 1)
            return 1
        key = KEY.match(lines[number])
        if not key:
            return 1
        self._lines.setdefault((*self._table, *_parts(key[1])), number + 1)
        return _lines_of_value("\n".join([lines[number][key.end() :], *lines[number + 1 :]]))

    def _enter(self, parts: list[str], is_array: bool, line: int) -> None:
        path: Path = ()
        for part in parts[:-1]:
            path = self._last((*path, part))
        path = (*path, parts[-1])
        if is_array:
            self._lines.setdefault(path, line)
            self._counts[path] = self._counts.get(path, 0) + 1
            path = self._last(path)
        self._table = path
        self._lines.setdefault(path, line)

    def _last(self, path: Path) -> Path:
        """Within an array of tables, a path goes on in the last of them."""
        return (*path, self._counts[path] - 1) if path in self._counts else path


def _parts(text: str) -> list[str]:
    return [one.strip().strip("\"'") for one in re.findall(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""", text)]


def _lines_of_value(text: str) -> int:
    """How many lines a value takes that `text` begins with."""
    depth, at = 0, 0
    while True:
        newline = text.find("\n", at)
        found = TOKEN.search(text, at)
        if newline >= 0 and (found is None or found.start() > newline):
            if depth <= 0:
                return text.count("\n", 0, newline) + 1
            at = newline + 1
            continue
        if found is None:
            return text.count("\n") + 1
        at = found.end()
        token = found[0]
        if token in ('"""', "'''"):
            end = text.find(token, at)
            at = len(text) if end < 0 else end + 3
        elif token in "[{":
            depth += 1
        elif token in "]}":
            depth -= 1
