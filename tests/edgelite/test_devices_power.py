"""The power is cut at every write, in every way that a medium may take it, while words about a device change: the next
start goes on with the word from before or the one after, and writes nothing else to the device."""

from __future__ import annotations

from collections.abc import Callable

from journal_world import Randomness
from test_devices_machine import BACK_MS, FAIL_SAFE_MS, KEY, NOON, SAFE, Drive
from test_journal_power import fates_to_try

from edgelite.devices import desired as d

STRIDE = 2  # of the ways to take one write: each is tried at other writes


class Cutter:
    def __init__(self) -> None:
        self.drive = Drive()
        self.random = Randomness(7)
        self.origins: set[str] = set()
        self.writes: set[int] = set()
        self.cuts = 0

    def through(self, act: Callable[[], None], origins: set[str], writes: set[int]) -> None:
        """Do it, and cut the power at each change: `origins` and `writes` are what the next start may go on with."""
        self.origins, self.writes = origins, writes
        self.drive.storage.after_change = self.cut
        act()
        self.drive.storage.after_change = None

    def cut(self) -> None:
        drive = self.drive
        for fates in fates_to_try(drive.storage, self.random)[:: STRIDE + self.cuts % STRIDE]:
            self.cuts += 1
            born = Drive(drive.storage.cut(fates), drive.holds["p"], drive.entry, drive.boot + 1)
            born.run(FAIL_SAFE_MS - 5000)
            assert born.desired.origin in self.origins, (born.desired.origin, fates)
            written = {value for _, value in born.bus.writes}
            assert written <= self.writes, (written, born.desired.origin, fates)
            assert born.desired.state != d.IMPOSSIBLE


def test_no_cut_loses_whose_word_counts() -> None:
    cutter = Cutter()
    drive = cutter.drive
    drive.link(True)
    drive.run(BACK_MS)

    def hub_desires(value: int, version: int) -> None:
        drive.entry.update({"desired": str(value), "desired_version": version, "desired_time": NOON + version})
        drive.send()
        drive.run(15_000)

    def somebody_here_desires(value: int) -> None:
        drive.devices.want_locally(KEY, "p", str(value), drive.now_ms)
        drive.run(15_000)

    def hub_is(is_live: bool, for_ms: int) -> None:
        drive.link(is_live)
        drive.run(for_ms)

    cutter.through(lambda: hub_desires(3, 1), {d.HUB}, {3})
    cutter.through(lambda: somebody_here_desires(4), {d.HUB, d.LOCAL}, set())
    drive.bus.silent = True
    cutter.through(lambda: somebody_here_desires(5), {d.LOCAL}, {5})
    drive.bus.silent = False
    cutter.through(lambda: drive.run(60_000), {d.LOCAL}, {5})
    assert drive.holds["p"] == 5
    cutter.through(lambda: hub_desires(2, 2), {d.HUB}, {2})
    cutter.through(lambda: hub_is(False, FAIL_SAFE_MS + 15_000), {d.HUB, d.FAIL_SAFE}, {SAFE})
    assert drive.holds["p"] == SAFE
    cutter.through(lambda: hub_is(True, BACK_MS + 15_000), {d.HUB, d.FAIL_SAFE}, {2, SAFE})
    assert drive.holds["p"] == 2
    assert cutter.cuts > 100, cutter.cuts
