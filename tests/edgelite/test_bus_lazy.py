"""A node without `bus = yes` pays nothing for it."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
sys.path[:0] = [{folder!r}]
from node_fakes import NodeBench
bench = NodeBench().open()
bench.run(1000)
print(*[name for name in sys.modules if name.startswith("edgelite.bus") or name == "edgelite.devices.watch"])
"""


def test_nothing_of_the_bus_is_loaded() -> None:
    folder = __file__.rpartition("/")[0] + "/portable"
    path = [entry for entry in sys.path if entry]
    told = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}\n" + CODE.format(folder=folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert told.stdout.split() == []
