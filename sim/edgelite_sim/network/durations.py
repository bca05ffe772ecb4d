"""Durations as a person writes them, here as in scenarios."""

from __future__ import annotations

from edgelite_sim.written.units import DURATION_EXAMPLES, duration_ms

__all__ = ["DURATION_EXAMPLES", "duration_ms"]
