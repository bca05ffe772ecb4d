"""What is to be seen while a scenario runs: a live table on a terminal, a line each few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from edgelite_sim.scenario import figures
from edgelite_sim.scenario.running import Moment
from edgelite_sim.written import units

if TYPE_CHECKING:
    from rich.console import Group

LINE_EVERY_S = 4.0
SHOW_EVERY_S = 0.2


class Quiet:
    """Shows nothing."""

    def __enter__(self) -> Quiet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def told(self, moment: Moment) -> None:
        pass

    def close(self) -> None:
        pass


class Lines(Quiet):
    """For files and pipes."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def told(self, moment: Moment) -> None:
        if moment.real_s >= self._next_s:
            self._next_s = moment.real_s + LINE_EVERY_S
            sys.stderr.write("  ".join(f"{name} {value}" for name, value in rows(moment)) + "\n")
            sys.stderr.flush()


class Live(Quiet):
    """For a terminal, through rich."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._live = RichLive(console=Console(stderr=True), auto_refresh=False, transient=True)
        self._next_s = 0.0
        self._live.start()

    def told(self, moment: Moment) -> None:
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + SHOW_EVERY_S
        self._live.update(self._picture(moment), refresh=True)

    def _picture(self, moment: Moment) -> Group:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        table = Table.grid(padding=(0, 3))
        for name, value in rows(moment):
            table.add_row(f"[dim]{name}[/]", f"[bold]{value}[/]")
        return Group(ProgressBar(total=moment.end_ms, completed=moment.now_ms, width=60), table)

    def close(self) -> None:
        self._live.stop()


def display(is_quiet: bool) -> Quiet:
    if is_quiet:
        return Quiet()
    if not sys.stderr.isatty():
        return Lines()
    try:
        return Live()
    except ImportError:  # rich is left out of this installation; what it shows can be told in lines
        return Lines()


def rows(moment: Moment) -> list[tuple[str, str]]:
    """Names and figures, as they are now."""
    counted = moment.figures
    nodes = list(counted.nodes.values())
    up = sum(one.is_up for one in nodes)
    live = sum(one.live[-1][1] for one in nodes)
    speed = moment.now_ms / 1000 / max(moment.real_s, 0.001)
    return [
        ("time", f"{units.duration_text(moment.now_ms // 60_000 * 60_000)} of {units.duration_text(moment.end_ms)}"),
        ("speed", f"{speed:,.0f} x"),
        ("nodes up", f"{up}/{len(nodes)}"),
        ("live", f"{live}/{len(nodes)}"),
        ("polls", f"{sum(one.polls for one in nodes):,}"),
        ("samples", f"{sum(one.stored for one in nodes):,}"),
        ("backlog", f"{sum(one.backlog for one in nodes):,}"),
        ("bytes", units.size_text(sum(one.wire_bytes for one in nodes))),
        ("faults", f"{faults_begun(counted):,}"),
    ]


def faults_begun(counted: figures.Figures) -> int:
    return sum(count for kind, count in counted.faults.items() if kind != "heal")
