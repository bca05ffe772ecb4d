"""The journal alone, in a guest: a writer that says each number that it has synced, and what must be there afterwards.

Finer than what a hub acknowledges: the console hears of every sync, and the oracle here reads the console's log.
"""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

from edgelite_sim.qemu import Guest
from edgelite_sim.qemu.image import Image

WRITER = Path(__file__).parent / "in_guest" / "journal_writer.py"
BATCH_MAX = 3  # numbers that may be synced and not said yet
PROGRAMS = {
    "cpython": "PYTHONPATH=/opt/edgelite/lib exec python3.13 -S",
    "micropython": "MICROPYPATH=/opt/edgelite/micropython/lib:.frozen exec micropython -X heapsize=1400k",
}
START_TIMEOUT_S = 90


def job(runtime: str, command: str = "") -> dict[str, str]:
    """`command` runs as the job; otherwise the writer on the data partition."""
    start = f"{PROGRAMS[runtime]} /run/job/journal_writer.py"
    return {
        "no-agent": "",
        "journal_writer.py": WRITER.read_text(),
        "write": f'#!/bin/sh\n{start} "$@"\n',
        "run": command or "#!/bin/sh\nexec /run/job/write /data/journal\n",
    }


class Said:
    """What one run of the writer has told on a console."""

    def __init__(self, console: str) -> None:
        whole = console[: console.rfind("\n") + 1]
        found = re.findall(r"recovered change=(\d+) reports=(\d+)-(\d+) damaged=(\d+)", whole)
        self.recovered = [tuple(map(int, row)) for row in found]
        self.synced = max(map(int, re.findall(r"^synced (\d+)\r?$", whole, re.MULTILINE)), default=0)
        self.failures = re.findall(r"(?:writer failed|Traceback|EXT4-fs error|Kernel panic).*", whole)

    def against(self, synced_before: int) -> list[str]:
        """Complaints, where `synced_before` is what the run before had said last."""
        complaints = list(self.failures)
        for change, _, report, damaged in self.recovered[:1]:
            for what, newest in (("change", change), ("report", report)):
                if not synced_before <= newest <= synced_before + BATCH_MAX:
                    complaints.append(f"the newest {what} is {newest}, and {synced_before} was synced")
            if damaged:
                complaints.append(f"{damaged} damaged places")
        return complaints


def cut_often(folder: Path, image: Image, runtime: str, cuts: int, seed: int) -> tuple[list[str], int]:
    """(complaints, numbers synced in all) of a writer that is cut at random moments, also while it recovers."""
    chooser = random.Random(f"{seed} {runtime}")
    complaints: list[str] = []
    synced = 0
    with Guest(folder, image, data_mb=32, job=job(runtime)) as guest:
        for number in range(cuts + 1):
            guest.power_on()
            guest.wait_for("recovered" if chooser.random() < 0.8 else "booted", START_TIMEOUT_S, unless="writer failed")
            time.sleep(chooser.uniform(0, 3))
            guest.power_cut()
            said = Said(guest.console())
            complaints += [f"boot {number}: {text}" for text in said.against(synced)]
            synced = max(synced, said.synced)
    return complaints, synced
