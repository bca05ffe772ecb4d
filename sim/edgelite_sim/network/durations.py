"""Durations as a person writes them; as scenarios do, whose module imports this package and so can not serve here."""

from __future__ import annotations


def duration_ms(text: str) -> int | None:
    """ "1h30m", "0.5s"; None where it is no duration."""
    from edgelite_sim.scenario.units import duration_ms as read

    return read(text)


DURATION_EXAMPLES = "write a duration such as 500ms, 90s, 1h30m or 2d"
