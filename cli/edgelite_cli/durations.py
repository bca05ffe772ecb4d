"""Durations as a person types them: 30s, 10m, 24h, 7d."""

from __future__ import annotations

import re

from edgelite_cli.failure import Failure
from edgelite_cli.main import EXIT_USAGE

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds_or_none(text: str) -> int | None:
    match = re.fullmatch(r"(\d+)([smhd])", text)
    return int(match[1]) * UNITS_S[match[2]] if match else None


def seconds(text: str, option: str) -> int:
    """Failure names the option."""
    found = seconds_or_none(text)
    if found is None:
        raise Failure(f"{option} {text!r}: give a time such as 30s, 10m, 1h or 7d", EXIT_USAGE)
    return found
