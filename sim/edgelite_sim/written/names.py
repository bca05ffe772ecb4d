"""What a name that nobody knows might have been."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LISTED_MAX = 40  # names that an error lists; a fleet of a thousand would hide what is wrong


def one_of(given: str, names: Iterable[str]) -> str:
    """What would be allowed in place of `given`: the nearest name first, then all."""
    known = list(names)
    if not known:
        return "there is none to name"
    close = difflib.get_close_matches(given, known, 1, 0.5)
    rest = f", and {len(known) - LISTED_MAX} more" if len(known) > LISTED_MAX else ""
    listed = "allowed: " + ", ".join(known[:LISTED_MAX]) + rest
    return f"did you mean '{close[0]}'? {listed}" if close else listed
