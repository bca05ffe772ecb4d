"""What an agent leaves alive on purpose: its workloads, their shims and the keeper. A site that ends, ends them too."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from edgelite_ports.linux.state import State
from edgelite_ports.posix.proc import lives, parse_stat_file

ORDER = ("keeper", "shim", "child")  # nobody starts anew what was just ended


def identities(runtime: Path, name: str) -> Iterator[tuple[int, int]]:
    """(process id, start time) of each process that noted itself in a file of that name."""
    for path in runtime.rglob(name):
        stat = parse_stat_file(path.read_bytes())
        if stat is not None and lives(stat.pid, stat.start):
            yield stat.pid, stat.start


def end(pid: int, name: str) -> None:
    try:
        if name == "child":
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it ended by itself meanwhile


def end_all(directory: Path) -> int:
    """End what the node with this state directory has left, and remove its run directory; how many there were."""
    state = State(str(directory))
    runtime = Path(state.runtime_path(state.load_config().node))
    found = [(pid, name) for name in ORDER for pid, _ in identities(runtime, name)]
    for pid, name in found:
        end(pid, name)
    shutil.rmtree(runtime, ignore_errors=True)
    return len(found)
