"""Puts this folder and two others on the path: the portable lint's rules, and what finds a MicroPython."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("divergences", "house", "micropython")]
