"""Puts this folder on the path, as the MicroPython runner does, so that tests find the helpers beside them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
