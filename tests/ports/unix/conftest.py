"""Helpers of the portable tests are plain modules beside them, as the MicroPython runner sees them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
