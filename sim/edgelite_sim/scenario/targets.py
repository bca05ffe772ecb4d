"""Whom a fault or a change is for: names, patterns, or so many drawn by chance."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

RANDOM = re.compile(r"(\d+)(%?) random(?: (\S+))?$")


@dataclass(frozen=True)
class Choice:
    """`share_percent` or `count` of those that match; all of them where both are None."""

    pattern: str
    count: int | None = None
    share_percent: int | None = None


def parse(text: str) -> Choice:
    """ "shop-1", "shop-*", "all", "3 random", "10% random shop-*"."""
    match = RANDOM.match(text)
    if not match:
        return Choice("*" if text == "all" else text)
    pattern = match[3] or "*"
    return Choice(pattern, share_percent=int(match[1])) if match[2] else Choice(pattern, count=int(match[1]))


def matching(pattern: str, names: Sequence[str]) -> list[str]:
    """A name without a node, as "meter", stands for all of "meter@...": it is the same on each node."""
    return [
        name
        for name in names
        if fnmatchcase(name, pattern) or ("@" in name and "@" not in pattern and fnmatchcase(name, pattern + "@*"))
    ]


def chosen(texts: Sequence[str], names: Sequence[str], draw: random.Random) -> list[str]:
    """In the order of `names`, each once."""
    found: set[str] = set()
    for text in texts:
        choice = parse(text)
        match = matching(choice.pattern, names)
        count = choice.count
        if choice.share_percent is not None:
            count = max(1, len(match) * choice.share_percent // 100)
        found.update(match if count is None else draw.sample(match, min(count, len(match))))
    return [name for name in names if name in found]


def possible(texts: Sequence[str], names: Sequence[str]) -> set[str]:
    """All that could be chosen."""
    return {name for text in texts for name in matching(parse(text).pattern, names)}
