"""bounds-hold: memory, flash and queues of nodes and hubs against what their settings allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgelite.config import Config
from edgelite.desired import ENTRIES_MAX
from edgelite_sim.invariants import reach
from edgelite_sim.invariants.invariant import Invariant

if TYPE_CHECKING:
    from edgelite_sim.world.world import World

DAY_MS = 86_400_000
SPARE_SEGMENTS = 2  # edgelite/JOURNAL.md, "Limits": for a while after a power cut that left none free
REPORT_BYTES = 24  # of the smallest record of a report: the journal's size bounds how many can wait
EFFECTS_MAX = 64  # of one round; a port carries them out before it waits
# Wear: a card of 8 GB with 1,000 cycles stands 1 GB a day for twenty years. A node at work writes a few MB.
FLASH_BYTES_PER_DAY_MAX = 256 * 1024 * 1024
HUB_WORK_MAX = 1_000  # transactions that wait for a hub's store: each node has one at a time


class BoundsHold(Invariant):
    name = "bounds-hold"
    sentence = "Journal, flash wear, queues and waiting work of nodes and hubs stay within what their settings allow."

    def __init__(self, effects_max: int = EFFECTS_MAX, flash_bytes_per_day_max: int = FLASH_BYTES_PER_DAY_MAX) -> None:
        super().__init__()
        self._effects_max = effects_max
        self._flash_bytes_per_day_max = flash_bytes_per_day_max
        self._written: dict[str, tuple[int, int]] = {}  # by node: (day, bytes of it)
        self._limits: dict[str, dict[str, tuple[int, str]]] = {}
        self._told: set[tuple[str, str]] = set()

    def gauges(self, node: str, gauges: dict[str, int], now_ms: int) -> None:
        limits = self._limits.get(node)
        if limits is None:
            limits = self._limits[node] = self._limits_of(reach.config(self.world, node))
        for name, (bound, why) in limits.items():
            value = gauges.get(name, 0)
            if value > bound:
                self._tell(node, name, f"{name} is {value}, at most {bound} is allowed: {why}", now_ms)
        for hub, waiting in reach.waiting_work(self.world):
            if waiting > HUB_WORK_MAX:
                self._tell(hub, "work", f"{waiting} pieces of work wait, at most {HUB_WORK_MAX} is allowed", now_ms)

    def _limits_of(self, config: Config) -> dict[str, tuple[int, str]]:
        journal_bytes = config.journal_bytes_max + SPARE_SEGMENTS * config.segment_bytes
        return {
            "journal_bytes": (journal_bytes, f"journal_bytes_max and {SPARE_SEGMENTS} segments"),
            "reports_waiting": (config.journal_bytes_max // REPORT_BYTES, "what a journal of that size can hold"),
            "effects": (self._effects_max, "of one round"),
            "units": (ENTRIES_MAX, "desired entries of a node"),
            "devices": (ENTRIES_MAX, "desired entries of a node"),
        }

    def flash(self, node: str, written_bytes: int, syncs: int, now_ms: int) -> None:
        day, written = self._written.get(node, (0, 0))
        if now_ms // DAY_MS != day:
            day, written = now_ms // DAY_MS, 0
        written += written_bytes
        self._written[node] = (day, written)
        if written > self._flash_bytes_per_day_max:
            text = f"{written} bytes were written to its flash in a day, at most {self._flash_bytes_per_day_max} may be"
            self._tell(node, "wear", text, now_ms)

    def begin(self, world: World) -> None:
        super().begin(world)
        self._limits = {}

    def _tell(self, who: str, what: str, text: str, now_ms: int) -> None:
        """Once for each figure: it rarely comes back within its bound."""
        if (who, what) not in self._told:
            self._told.add((who, what))
            self.violate(now_ms, who, text)
